// The list's query: a documented value or a 400 that names the parameter; nothing in between.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type ListQuery,
  largestOffset,
  listParameters,
  orders,
  parseListQuery,
  sorts
} from '../../src/chats/query.ts'
import { ServiceError } from '../../src/errors.ts'
import { holds } from '../support/property.ts'
import { quickestMs } from '../support/quickest.ts'
import { refusalOf } from '../support/refusals.ts'
import { anyText } from '../support/texts.ts'

const maxLimit = 1000
const names = ['sort', 'order', 'offset', 'limit']

const parse = (text: string) => parseListQuery(text, maxLimit)

const canonical = (query: ListQuery) =>
  `${listParameters(query)}offset=${query.offset}&limit=${query.limit}`

const refusedNames = (text: string) => {
  const { code, entries } = refusalOf(() => parse(text))
  assert.equal(code, 'invalid_query')
  return entries.map(entry => entry.code)
}

/** Query strings as callers may write them: known and unknown names, right and wrong values. */
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...names) },
  fc.constantFrom('LIMIT', 'limt', 'limit[]', '__proto__', 'constructor', 'toString', ''),
  fc.string()
)
const value = fc.oneof(
  fc.constantFrom(...sorts, ...orders, 'DESC', '0', '1', '100', '1000', '1001', '5.0', '+5', ''),
  fc.nat().map(String),
  anyText,
  fc.string()
)
const written = fc.oneof(
  fc.string().map(text => encodeURIComponent(text)),
  fc.constantFrom('&', '=', '?', '+', '%31', '%00', '%26', '#')
)
const parameter = fc
  .tuple(name, value)
  .map(pair => pair.map(text => encodeURIComponent(text.toWellFormed())).join('='))
const queryString = fc
  .array(fc.oneof({ weight: 4, arbitrary: parameter }, written), { maxLength: 6 })
  .map(parts => parts.join('&'))

t.test('any text is a query that is canonical, or refused by the names it gave', async t => {
  const property = fc.property(queryString, text => {
    try {
      const query = parse(text)
      assert.deepEqual(parse(canonical(query)), query)
    } catch (error) {
      assert(error instanceof ServiceError && error.code === 'invalid_query')
      const codes = error.entries.map(entry => entry.code)
      assert(codes.length > 0)
      assert.equal(new Set(codes).size, codes.length, 'one entry for each parameter')
      const given = text.split('&').map(part => decodeURIComponent(part.replaceAll('+', ' ')))
      for (const code of codes) assert(given.some(part => part.startsWith(code)))
    }
  })
  await holds(t, property, { numRuns: 1000 })
})

t.test('any valid query is read as it is meant, however it is ordered and escaped', async t => {
  const query = fc.record(
    {
      sort: fc.constantFrom(...sorts),
      order: fc.constantFrom(...orders),
      offset: fc.nat(largestOffset),
      limit: fc.integer({ min: 1, max: maxLimit })
    },
    { requiredKeys: ['offset', 'limit'], noNullPrototype: true }
  )
  const spelling = fc.tuple(fc.shuffledSubarray(names, { minLength: 4 }), fc.boolean())
  const property = fc.property(query, spelling, (meant, [order, escaped]) => {
    const spell = escaped ? percentEncoded : (text: string) => text
    const parts = order.flatMap(name => {
      const value = meant[name as keyof typeof meant]
      return value === undefined ? [] : [`${spell(name)}=${spell(String(value))}`]
    })
    assert.deepEqual(parse(parts.join('&')), meant)
  })
  await holds(t, property)
})

const percentEncoded = (text: string) =>
  [...Buffer.from(text)].map(byte => `%${byte.toString(16)}`).join('')

t.test('different lists never share a spelling', async t => {
  const lists = [undefined, ...sorts].flatMap(sort =>
    [undefined, ...orders].map(order => ({ ...(sort && { sort }), ...(order && { order }) }))
  )
  t.equal(new Set(lists.map(listParameters)).size, lists.length)
})

const notIntegers = [
  '-1',
  '-0',
  '1e1',
  '0x10',
  '5.0',
  '%2B5',
  '+5',
  '%205',
  '5%20',
  '05',
  '５',
  '%D9%A5',
  '',
  'null',
  'NaN',
  'Infinity',
  'true',
  '5,6',
  '5%00',
  '5%0A',
  '9007199254740992',
  '9'.repeat(30)
]

for (const bad of notIntegers) {
  t.test(`limit and offset refuse "${bad}"`, async t => {
    t.same(refusedNames(`limit=${bad}`), ['limit'])
    t.same(refusedNames(`offset=${bad}`), ['offset'])
  })
}

t.test('limit goes from 1 to the configured maximum, offset from 0', async t => {
  t.same(refusedNames('limit=0'), ['limit'])
  t.same(refusedNames('limit=1001'), ['limit'])
  t.equal(parse('limit=1').limit, 1)
  t.equal(parse('limit=1000').limit, 1000)
  t.equal(parse('offset=0').offset, 0)
  t.equal(parse(`offset=${largestOffset}`).offset, largestOffset)
  t.same(refusedNames(`offset=${largestOffset + 1}`), ['offset'])
})

t.test('a refusal tells the allowed range and the value it got, escaped and cut', async t => {
  const { message, entries } = refusalOf(() => parse(`limit=${'9'.repeat(500)}%0A`))
  t.match(entries[0]?.message, /^Must be an integer from 1 to 1000; got "9{64}…"\.$/)
  t.equal(message, 'Not valid in the query: "limit".')
  t.equal(
    refusalOf(() => parse('sort=%22%0D%0Ax')).entries[0]?.message,
    `Must be one of ${sorts.join(', ')}; got "\\"\\r\\nx".`
  )
})

const unknownNames = [
  'LIMIT',
  'limt',
  'limit[]',
  'filter[0][field]',
  'updated_at[from]',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  ''
]

for (const unknown of unknownNames) {
  t.test(`an unknown parameter "${unknown}" is refused with the known names`, async t => {
    const { entries } = refusalOf(() => parse(`limit=5&${unknown}=1`))
    t.match(entries, [{ code: unknown, message: /sort, order, offset, limit/ }])
    t.equal(entries.length, 1)
  })
}

for (const value of ['__proto__', 'constructor', 'toString']) {
  t.test(`"${value}" is no value of any parameter`, async t => {
    const text = names.map(name => `${name}=${value}`).join('&')
    t.same(refusedNames(text), names)
  })
}

t.test('no query leaves a trace on the prototype of objects', async t => {
  for (const text of ['__proto__[x]=1', '__proto__=1', 'constructor.prototype.x=1']) {
    t.throws(() => parse(text), { code: 'invalid_query' })
  }
  t.same(Object.keys(Object.prototype), [])
  t.equal(({} as { x?: unknown }).x, undefined)
})

t.test('a repeated parameter is refused once, whatever its values', async t => {
  t.same(refusedNames('limit=5&limit=6'), ['limit'])
  t.same(refusedNames('limit=5&limit=5'), ['limit'])
  t.same(refusedNames('limit=0&limit=0&limit=0'), ['limit'])
  t.same(refusedNames('sort=x&sort=chats.closedAt'), ['sort'])
  t.same(refusedNames('limit=5&%6cimit=6'), ['limit'])
})

t.test('all bad parameters are named at once', async t => {
  t.same(refusedNames('limit=0&offset=-1&sort=id&order=up&x=1').toSorted(), [
    'limit',
    'offset',
    'order',
    'sort',
    'x'
  ])
})

t.test('a flood of unknown names is refused with the first ten', async t => {
  const text = Array.from({ length: 500 }, (_, index) => `x${index}=1`).join('&')
  t.equal(refusedNames(text).length, 10)
})

t.test('a long unknown name is cut in the answer', async t => {
  const [code = ''] = refusedNames(`${'x'.repeat(63)}😀=1`)
  t.equal(code.length, 64)
  t.ok(code.isWellFormed())
})

for (const bad of ['-id', 'id', 'createdAt', 'chats.createdat', 'chats.createdAt%20', '']) {
  t.test(`sort refuses "${bad}"`, async t => {
    t.same(refusedNames(`sort=${bad}`), ['sort'])
  })
}

for (const bad of ['sideways', 'ascending', 'asc,desc', '1', '']) {
  t.test(`order refuses "${bad}"`, async t => {
    t.same(refusedNames(`order=${bad}`), ['order'])
  })
}

t.test('order is read in either case', async t => {
  t.equal(canonical(parse('order=DESC')), canonical(parse('order=desc')))
  t.equal(canonical(parse('order=Asc')), canonical(parse('order=asc')))
})

const sameMeaning = [
  '',
  '&',
  '&&',
  'offset=0',
  'limit=100',
  'limit=100&offset=0',
  'offset=0&limit=100&',
  'limit=%31%30%30',
  '%6cimit=100'
]

for (const text of sameMeaning) {
  t.test(`"${text}" is the first page of the default list`, async t => {
    t.equal(canonical(parse(text)), 'offset=0&limit=100')
  })
}

t.test('the default limit is never above the maximum', async t => {
  t.equal(parseListQuery('', 20).limit, 20)
})

t.test('separators inside of values do not make other parameters', async t => {
  for (const text of ['sort=chats.closedAt%26order=asc', 'sort=chats.closedAt%7C', 'sort=a:b']) {
    t.same(refusedNames(text), ['sort'])
  }
  t.same(refusedNames('limit%3D5'), ['limit=5'])
  t.same(refusedNames('limit=5=5'), ['limit'])
})

t.test('8 kB of anything is answered at once', async t => {
  for (const character of ['a', '[', '+', '&', '=', '%20', '9']) {
    const text = `sort=${character.repeat(8000)}`
    const ms = quickestMs(() => t.throws(() => parse(text), { code: 'invalid_query' }))
    t.ok(ms < 50, `${character}: ${ms} ms`)
  }
})
