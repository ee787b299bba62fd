/**
 * The canonical body of a search: what means the same is one search in whatever spelling, what
 * means something else never is, and every value goes on to HelpCrunch as it was written.
 */

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { Random } from '../../simulator/random.ts'
import { largestOffset } from '../../src/chats/query.ts'
import { parseSearch } from '../../src/chats/search.ts'
import { pageCall } from '../../src/chats/windows.ts'
import { ServiceError } from '../../src/errors.ts'
import { keyOf } from '../../src/ports.ts'
import { valueText } from '../support/json-text.ts'
import { holds } from '../support/property.ts'
import { refusalOf } from '../support/refusals.ts'
import { anyText } from '../support/texts.ts'

const maxLimit = 1000

const parse = (body: string | Buffer) => parseSearch(Buffer.from(body), maxLimit)

const bodyOf = (text: string) => pageCall(parse(text).list, 0).body ?? ''

/** What a JSON text means, with the digits of its numbers. */
type Meaning = string | boolean | null | Digits | readonly Meaning[] | Members
type Members = ReadonlyMap<string, Meaning>
interface Digits {
  readonly digits: string
}

const digits = fc
  .oneof(
    fc.constantFrom('0', '-0', '1', '1.0', '1e0', '1E+2', '1e-400', '0.10', '9007199254740993'),
    fc.constantFrom('12345678901234567890', '12345678901234567891'),
    fc.integer().map(String)
  )
  .map((digits): Digits => ({ digits }))

/** Few, so that they meet; among them those that `JSON.parse` itself stumbles over. */
const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'ab',
    '',
    '\\',
    '"',
    '\n',
    '1',
    '2',
    '10',
    'order',
    'é',
    '😀',
    '\ud83d'
  ),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'value')
)

const text = fc.oneof(fc.constantFrom('1', '', 'null', '[]', '</script>\u2028'), anyText)

const { value } = fc.letrec<{ value: Meaning }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.oneof(text, fc.boolean(), fc.constant(null), digits),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map(pairs => new Map(pairs))
  )
}))

const condition = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom('field', 'operator', 'value'), name), value), {
    maxLength: 4
  })
  .map(pairs => new Map(pairs))

const windowMembers = ['offset', 'limit']

const search = fc
  .tuple(
    fc.record(
      {
        comparison: fc.constantFrom('AND', 'OR'),
        filter: fc.array(condition, { maxLength: 3 }),
        sort: fc.constantFrom('chats.createdAt', 'chats.closedAt'),
        order: fc.constantFrom('asc', 'desc')
      },
      { requiredKeys: [], noNullPrototype: true }
    ),
    fc.array(
      fc.tuple(
        name.filter(one => one !== 'order'),
        value
      ),
      { maxLength: 3 }
    )
  )
  .map(
    ([known, others]): Members => new Map<string, Meaning>([...others, ...Object.entries(known)])
  )

/** What nothing depends on: a spelling asks for it where it may go either way. */
type Choose = (options: number) => number

const chooser = (seed: number): Choose => {
  const random = new Random(seed)
  return options => random.below(options)
}

const isDigits = (value: Meaning): value is Digits =>
  typeof value === 'object' && value !== null && 'digits' in value

/** JSON with this meaning, its spaces, escapes, order and repeats as chosen. */
function spell(value: Meaning, choose: Choose): string {
  const space = () => ['', '', ' ', '\n\t', '\r\n'][choose(5)]
  const spaced = (text: string) => `${space()}${text}${space()}`
  if (isDigits(value)) return value.digits
  if (typeof value === 'string') return spellText(value, choose)
  if (Array.isArray(value)) return `[${value.map(one => spaced(spell(one, choose))).join()}]`
  if (!(value instanceof Map)) return String(value)
  const members = shuffled([...value], choose).flatMap(([name, one]) => {
    const member = (text: string) => `${spaced(spellText(name, choose))}:${spaced(text)}`
    const overruled = choose(6) === 0 ? [member(['7', '"x"', '[{}]'][choose(3)]!)] : []
    return [...overruled, member(spell(one, choose))]
  })
  return `{${members.length > 0 ? members.join() : space()}}`
}

function shuffled<Item>(items: Item[], choose: Choose): Item[] {
  return items
    .map(item => [choose(1000), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

function spellText(text: string, choose: Choose): string {
  return `"${[...text].map(character => spellCharacter(character, choose)).join('')}"`
}

function spellCharacter(character: string, choose: Choose): string {
  const plain = JSON.stringify(character).slice(1, -1)
  if (choose(3) > 0) return plain
  if (character === '/') return '\\/'
  const hex = (unit: string) => unit.charCodeAt(0).toString(16).padStart(4, '0')
  const units = Array.from({ length: character.length }, (_, at) => hex(character[at]!))
  return units.map(unit => `\\u${choose(2) ? unit : unit.toUpperCase()}`).join('')
}

/** The plainest spelling: what the body that goes upstream has to be, worked out from the meaning. */
function plainest(value: Meaning): string {
  if (isDigits(value)) return value.digits
  if (Array.isArray(value)) return `[${value.map(plainest).join()}]`
  if (!(value instanceof Map)) return JSON.stringify(value)
  return `{${membersOf(value).sort().join()}}`
}

function membersOf(value: Members): string[] {
  return [...value].map(([name, one]) => `${JSON.stringify(name)}:${plainest(one)}`)
}

/** `order` in upper, lower or mixed case. */
function inSomeCase(search: Members, choose: Choose): Members {
  const order = search.get('order')
  if (typeof order !== 'string') return search
  const letters = [...order].map(letter => (choose(2) ? letter.toUpperCase() : letter))
  return new Map([...search, ['order', letters.join('')]])
}

t.test('one meaning in any spelling is one search, and goes on in the plainest', async t => {
  const property = fc.property(search, fc.nat(), (meant, seed) => {
    const choose = chooser(seed)
    const spelled = spell(inSomeCase(meant, choose), choose)
    const { list } = parse(spelled)
    const plain = [...membersOf(meant).sort(), '"offset":200', '"limit":100']
    assert.equal(pageCall(list, 2).body, `{${plain.join()}}`)
    assert.equal(list.name, parse(plainest(meant)).list.name)
  })
  await holds(t, property, { numRuns: 500 })
})

t.test('two searches share name and key exactly if they mean the same', async t => {
  const property = fc.property(search, search, fc.nat(), (one, other, seed) => {
    const choose = chooser(seed)
    const [first, second] = [one, other].map(meant => parse(spell(meant, choose)).list)
    const isSame = isDeepStrictEqual(one, other)
    assert.equal(first!.name === second!.name, isSame)
    assert.equal(keyOf(pageCall(first!, 0)) === keyOf(pageCall(second!, 0)), isSame)
  })
  await holds(t, property, { numRuns: 500 })
})

/** Each pair is nearly the same. */
const pairs: readonly (readonly [string, string])[] = [
  ['{"value":12345678901234567890}', '{"value":12345678901234567891}'],
  ['{"value":0.1}', '{"value":0.1000000000000000055}'],
  ['{"value":1}', '{"value":"1"}'],
  ['{"value":true}', '{"value":"true"}'],
  ['{"value":null}', '{"value":"null"}'],
  ['{"value":null}', '{}'],
  ['{"value":[]}', '{"value":{}}'],
  ['{"value":[1,2]}', '{"value":[2,1]}'],
  ['{"value":[1,2]}', '{"value":[[1,2]]}'],
  ['{"value":[12]}', '{"value":[1,2]}'],
  ['{"value":["1,2"]}', '{"value":["1","2"]}'],
  ['{"value":"\\\\u0061"}', '{"value":"a"}'],
  ['{"value":"a"}', '{"value":"A"}'],
  ['{"value":"e\\u0301"}', '{"value":"\\u00e9"}'],
  ['{"value":"\\ud83d"}', '{"value":"\\ufffd"}'],
  ['{"filter":[]}', '{}'],
  ['{"filter":[{}]}', '{"filter":[]}'],
  ['{"filter":[{"order":"DESC"}]}', '{"filter":[{"order":"desc"}]}'],
  ['{"sort":"chats.createdAt"}', '{"sort":"CHATS.CREATEDAT"}'],
  ['{"comparison":"AND"}', '{}'],
  ['{"Order":"asc"}', '{"order":"asc"}'],
  ['{"__proto__":{"x":1}}', '{}'],
  ['{"a\\",\\"b":1}', '{"a":1,"b":1}'],
  ['{"\\\\":1,"\\u0062":2}', '{"\\\\":2}']
]

for (const [one, other] of pairs) {
  t.test(`${one} is not ${other}`, async t => {
    t.not(parse(one).list.name, parse(other).list.name)
    t.not(bodyOf(one), bodyOf(other))
  })
}

t.test('names are read as they are, also where the platform misreads them', async t => {
  // Each parse leaves something behind in the cache that the next one trusts (nodejs/node#63785).
  for (let turn = 0; turn < 50; turn++) {
    parse('{"x":{"h":[],"\\\\":0}}')
    t.equal(bodyOf('{"x":{"h":1,"\\"":2}}'), '{"x":{"\\"":2,"h":1},"offset":0,"limit":100}')
    t.equal(bodyOf('{"x":{"h":1,"\\u0062":2}}'), '{"x":{"b":2,"h":1},"offset":0,"limit":100}')
  }
})

t.test('the window is read from the body and is no part of the search', async t => {
  const asked = { filter: [] }
  const { list } = parse(JSON.stringify(asked))
  const integer = fc.tuple(
    fc.nat(largestOffset),
    fc.integer({ min: 1, max: maxLimit }),
    fc.boolean()
  )
  const property = fc.property(integer, ([offset, limit, asText]) => {
    const window = asText ? { offset: `${offset}`, limit: `${limit}` } : { offset, limit }
    const found = parse(JSON.stringify({ ...window, ...asked }))
    assert.deepEqual([found.offset, found.limit, found.list.name], [offset, limit, list.name])
  })
  await holds(t, property)
  t.match(parse('{}'), { offset: 0, limit: 100 })
  t.equal(parseSearch(Buffer.from('{}'), 20).limit, 20, 'the default is never above the maximum')
})

const refused = (body: string | Buffer) => {
  const { code, entries } = refusalOf(() => parse(body))
  assert.equal(code, 'invalid_body')
  return entries.map(entry => entry.code)
}

const notIntegers = ['-1', '-0', '1.0', '1e1', 'null', 'true', '[]', '{}', '""', '"x"', '" 5"']
const wrongWindows = [...notIntegers, '"+5"', '"05"', '"５"', '"5\\n"', '9007199254740992']

t.test('a window that is none is refused by name, with what came', async t => {
  for (const bad of wrongWindows) {
    for (const name of windowMembers) t.same(refused(`{"${name}":${bad}}`), [name], bad)
  }
  t.same(refused('{"limit":0}'), ['limit'])
  t.same(refused('{"limit":1001,"offset":-1}'), ['offset', 'limit'])
  const { entries } = refusalOf(() => parse(`{"limit":"${'9'.repeat(500)}\\u001b"}`))
  t.match(entries[0]?.message, /^Must be an integer from 1 to 1000; got "9{64}…"\.$/)
})

const wrongTypes: Record<string, readonly string[]> = {
  comparison: ['1', 'null', '[]', '{}', 'false'],
  filter: ['null', '{}', '"[]"', '1', '[1]', '[null]', '[[]]', '["x"]', '[{},7]'],
  sort: ['null', '1', '["chats.createdAt"]', '{}'],
  order: ['null', '1', '["asc"]', 'true']
}

t.test('a member of the wrong type is refused by name', async t => {
  for (const [name, values] of Object.entries(wrongTypes)) {
    for (const bad of values) t.same(refused(`{"${name}":${bad}}`), [name], bad)
  }
  t.same(refused('{"order":1,"sort":1,"filter":1,"comparison":1,"offset":true,"limit":0}').sort(), [
    'comparison',
    'filter',
    'limit',
    'offset',
    'order',
    'sort'
  ])
})

t.test('a long search has a short name, and another one another', async t => {
  const names = ['x', 'y'].map(end => parse(`{"value":"${'v'.repeat(60_000)}${end}"}`).list.name)
  t.ok(names.every(name => name.length < 100))
  t.not(names[0], names[1])
})

t.test('what only HelpCrunch can judge is let through', async t => {
  for (const body of [
    '{}',
    '{"filter":[]}',
    '{"filter":[{}]}',
    '{"filter":[{"field":"chats.mood","operator":"≈","value":[{"name":null}]}]}',
    '{"sort":"id","order":"sideways","comparison":"xor"}',
    '{"since":{"deep":[[[[1e-400]]]]}}'
  ]) {
    t.same(JSON.parse(bodyOf(body)), { ...JSON.parse(body), offset: 0, limit: 100 }, body)
  }
})

t.test('names of the prototype are data: sent on, and nowhere else', async t => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    const member = `"${name}":{"prototype":{"x":1},"x":1}`
    for (const body of [`{${member}}`, `{"filter":[{${member}}]}`]) {
      t.ok(bodyOf(body).includes(`"${name}":{"prototype":{"x":1},"x":1}`), body)
    }
  }
  t.same(refused('{"__proto__":{"limit":5},"limit":-1}'), ['limit'])
  t.equal(parse('{"__proto__":{"limit":5}}').limit, 100)
  t.equal(({} as { x?: unknown }).x, undefined)
  t.same(Object.keys(Object.prototype), [])
})

const tooDeep = (open: string, close: string) => open.repeat(200_000) + close.repeat(200_000)

const faults: Record<string, string | Buffer> = {
  nothing: '',
  'white space': ' \r\n',
  'an object cut off': '{"filter":[{"field":"chats.status"',
  'a comma too many': '{"limit":5,}',
  'two values': '{}{}',
  'a list': '[]',
  'a list of searches': '[{}]',
  null: 'null',
  'a text': '"{}"',
  'a number': '7',
  'a comment': '{/**/}',
  'single quotes': "{'limit':5}",
  NaN: '{"value":NaN}',
  Infinity: '{"value":-Infinity}',
  '1e400': '{"value":1e400}',
  '-1e400, deep within': '{"filter":[{"value":[-1E+400]}]}',
  '400 digits': `{"value":${'9'.repeat(400)}}`,
  'a leading zero': '{"limit":05}',
  'a raw line end in a text': '{"value":"\n"}',
  'an unknown escape': '{"value":"\\x41"}',
  'a byte order mark': '\ufeff{}',
  'UTF-16': Buffer.from('{"filter":[]}', 'utf16le'),
  'Latin-1': Buffer.from('{"value":"é"}', 'latin1'),
  'overlong UTF-8': Buffer.from([0x7b, 0xc0, 0xa2, 0x7d]),
  'a surrogate in UTF-8': Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  'a form': 'limit=5&offset=0',
  '33 levels': `{"a":${'['.repeat(33)}${']'.repeat(33)}}`,
  '200,000 open brackets': '['.repeat(200_000),
  '200,000 open objects': '{"a":'.repeat(200_000),
  '200,000 brackets': `{"a":${tooDeep('[', ']')}}`,
  '200,000 objects': tooDeep('{"a":', '}').replace(':}', ':1}'),
  '200,000 objects in a filter': `{"filter":[${tooDeep('{"a":', '}').replace(':}', ':1}')}]}`
}

for (const [name, body] of Object.entries(faults)) {
  t.test(`${name} is refused`, async t => {
    t.same(refused(body), ['invalid_body'])
  })
}

t.test('as deep as searches go is let through', async t => {
  const body = `{"a":${'['.repeat(31)}${']'.repeat(31)}}`
  t.ok(bodyOf(body).includes(`${'['.repeat(31)}${']'.repeat(31)}`))
})

t.test('no body takes more time than its length is worth', async t => {
  const bodies = [
    ...Object.values(faults),
    `{"a":[${'[],'.repeat(60_000)}[]]}`,
    `{"filter":[${'{},'.repeat(60_000)}{}]}`,
    `{"a":[${'1,'.repeat(100_000)}1]}`,
    `{${'"a":1,'.repeat(30_000)}"a":1}`,
    `{${Array.from({ length: 20_000 }, (_, at) => `"${at}x":1`).join()}}`,
    `{"a":"${'\\'.repeat(200_000)}"}`,
    `{"a":"${'x'.repeat(200_000)}"}`,
    `{"a":0.${'1'.repeat(200_000)}}`,
    `{"offset":"${'1'.repeat(200_000)}"}`,
    ' '.repeat(200_000)
  ]
  const spent = process.cpuUsage().user
  for (const body of bodies) {
    try {
      parse(body)
    } catch (error) {
      assert(error instanceof ServiceError)
    }
  }
  // In CPU time, so that a busy machine does not matter: quadratic reading would take minutes.
  const ms = (process.cpuUsage().user - spent) / 1000
  t.ok(ms < 100 * bodies.length, `${ms} ms for ${bodies.length} bodies`)
})

t.test('no bytes are anything but a search or a refusal', async t => {
  const damage = fc.tuple(fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 3 }))
  const property = fc.property(valueText, damage, (text, [where, removed, added]) => {
    const bytes = [...Buffer.from(`{"x":${text}}`)]
    bytes.splice(where % bytes.length, removed, ...added)
    const body = Buffer.from(bytes)
    try {
      const { list } = parse(body)
      const canonical = pageCall(list, 0).body ?? ''
      assert.equal(parse(canonical).list.name, list.name, 'canonical is canonical')
      assert.doesNotThrow(() => JSON.parse(canonical))
    } catch (error) {
      assert(error instanceof ServiceError && error.code === 'invalid_body')
    }
  })
  await holds(t, property, { numRuns: 1000 })
})
