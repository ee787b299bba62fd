/** What an upstream response becomes: a page that is the bytes that came, or an error of ours. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import { decodePage, errorEntries, type Response } from '../../src/upstream/decode.ts'
import { arrayOf, nameText, objectText, valueText } from '../support/json-text.ts'
import { isKept } from '../support/kept.ts'
import { callTo } from '../support/pages.ts'
import { holds } from '../support/property.ts'
import { refusalOf } from '../support/refusals.ts'

const firstPage = callTo('/chats?offset=0&limit=100')

const responseOf = (body: string | Buffer, about: Partial<Response> = {}): Response => ({
  status: 200,
  contentType: 'application/json',
  retryAfterMs: undefined,
  body: Buffer.from(body),
  ...about
})

const decode = (body: string | Buffer, call = firstPage) => decodePage(responseOf(body), call)

const refused = (body: string, about: Partial<Response>) =>
  refusalOf(() => decodePage(responseOf(body, about), firstPage))

const pageOr502 = (body: Buffer): Page | undefined => {
  try {
    return decode(body)
  } catch (error) {
    assert(error instanceof ServiceError && error.code === 'upstream_invalid_response')
    return undefined
  }
}

const cuts = ({ bytes, spans }: Page) =>
  Array.from({ length: spans.length / 2 }, (_, chat) =>
    bytes.toString('utf8', spans[2 * chat], spans[2 * chat + 1])
  )

/** Members of an envelope that are none of its own. */
const strangers = fc.array(
  fc
    .tuple(
      nameText.filter(name => !['data', 'meta', 'total'].includes(JSON.parse(name))),
      valueText
    )
    .map(member => member.join(':')),
  { maxLength: 3 }
)

/** A list as an upstream may spell it: any order of members, the total in either place. */
const spelledList = fc
  .tuple(arrayOf(objectText), strangers, fc.boolean(), fc.boolean())
  .chain(([data, others, nested, quotedTotal]) => {
    const count = data.parts.length
    const total = quotedTotal ? `"${count}"` : `${count}`
    const totalMember = nested ? `"meta":{"x":[{}],"total": ${total}}` : `"total" :${total}`
    return fc
      .shuffledSubarray([`"data": ${data.text}`, totalMember, ...others], {
        minLength: 2 + others.length
      })
      .map(members => ({ text: ` {${members.join(' ,\n')}} `, chats: data.parts }))
  })

t.test(
  'a list of any spelling becomes a page that cuts to the exact text of each chat',
  async t => {
    const property = fc.property(spelledList, ({ text, chats }) => {
      const page = decode(text)
      assert.deepEqual(cuts(page), chats)
      assert.equal(page.total, chats.length)
      assert.equal(page.bytes.toString(), text)
    })
    await holds(t, property, { numRuns: 300 })
  }
)

t.test('a page knows where its list opens and closes', async t => {
  const property = fc.property(spelledList, ({ text }) => {
    const { bytes, open, close } = decode(text)
    const emptied = Buffer.concat([bytes.subarray(0, open), bytes.subarray(close)])
    assert.deepEqual(JSON.parse(emptied.toString()), { ...JSON.parse(text), data: [] })
  })
  await holds(t, property, { numRuns: 200 })
})

t.test('whatever the bytes, the result is a page that JSON.parse agrees with or a 502', async t => {
  const damage = fc.tuple(fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 3 }))
  const property = fc.property(spelledList, damage, ({ text }, [where, removed, added]) => {
    const bytes = [...Buffer.from(text)]
    bytes.splice(where % bytes.length, removed, ...added)
    const body = Buffer.from(bytes)
    const page = pageOr502(body)
    if (!page) return
    const parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    assert.deepEqual(
      cuts(page).map(chat => JSON.parse(chat)),
      parsed.data
    )
  })
  await holds(t, property, { numRuns: 1000 })
})

t.test('of several members of one name the last counts, as for JSON.parse', async t => {
  const page = decode('{"data":[{"id":1}],"total":9,"data":[{"id":2}],"total":1}')
  t.same(cuts(page), ['{"id":2}'])
  t.equal(page.total, 1)
})

t.test('names of the prototype are members like any other', async t => {
  const page = decode('{"__proto__":{"total":5},"data":[{"__proto__":{"x":1}}],"meta":{"total":1}}')
  t.same(cuts(page), ['{"__proto__":{"x":1}}'])
  t.equal(page.total, 1)
  t.equal(({} as { x?: unknown }).x, undefined)
})

t.test('a chat may be nested as deep as it likes', async t => {
  const chat = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
  t.ok(cuts(decode(`{"data":[${chat}],"meta":{"total":1}}`))[0] === chat)
})

t.test('texts that look like markup or line ends arrive as they were sent', async t => {
  const chat = '{"lastMessageText":"</script>\u2028\\ud800 \u{1f600}"}'
  t.same(cuts(decode(`{"data":[${chat}],"meta":{"total":1}}`)), [chat])
})

t.test('a page does not keep the pool that its bytes came from', async t => {
  const pool = Buffer.alloc(4096, ' ')
  pool.write('{"data":[],"meta":{"total":0}}', 100)
  const { bytes } = decodePage({ ...responseOf(''), body: pool.subarray(100, 200) }, firstPage)
  t.ok(isKept(bytes))
})

const wrongShapes: Record<string, string | Buffer> = {
  nothing: '',
  'white space': ' \n',
  null: 'null',
  'a number': '5',
  'a string': '"{}"',
  'a list without an envelope': '[]',
  'an object without anything': '{}',
  'no total': '{"data":[]}',
  'no total in meta': '{"data":[],"meta":{}}',
  'meta that is null': '{"data":[],"meta":null}',
  'a total below zero': '{"data":[],"meta":{"total":-1}}',
  'a total that is a fraction': '{"data":[],"meta":{"total":1.5}}',
  'a total that is not exact': '{"data":[],"meta":{"total":9007199254740993}}',
  'a total in words': '{"data":[],"meta":{"total":"many"}}',
  'a total in a list': '{"data":[],"meta":{"total":[0]}}',
  'no data': '{"meta":{"total":0}}',
  'data that is null': '{"data":null,"meta":{"total":0}}',
  'data that is an object': '{"data":{},"meta":{"total":0}}',
  'data that is a string': '{"data":"[]","meta":{"total":0}}',
  'chats that are ids': '{"data":[1,2],"meta":{"total":2}}',
  'a chat that is null': '{"data":[{},null],"meta":{"total":2}}',
  'a chat that is a list': '{"data":[[]],"meta":{"total":1}}',
  'more chats than asked for': `{"data":[${Array(101).fill('{}')}],"meta":{"total":101}}`,
  'a page of HTML': '<!doctype html><h1>Bad Gateway</h1>',
  'a byte order mark': '\ufeff{"data":[],"meta":{"total":0}}',
  'invalid UTF-8': Buffer.from('{"data":[{"a":"\xff"}],"meta":{"total":1}}', 'latin1'),
  'UTF-16': Buffer.from('{"data":[],"meta":{"total":0}}', 'utf16le'),
  'a list cut off': '{"data":[{"id":1}',
  'two values': '{"data":[],"meta":{"total":0}}{}',
  'a comma too many': '{"data":[],"meta":{"total":0},}',
  'a comma too many in the list': '{"data":[{},],"meta":{"total":1}}',
  'single quotes': "{'data':[],'meta':{'total':0}}",
  'NaN as total': '{"data":[],"meta":{"total":NaN}}',
  'a number with a leading zero': '{"data":[],"meta":{"total":00}}',
  'a raw line end in a string': '{"data":[{"a":"\n"}],"meta":{"total":1}}',
  'a comment': '{"data":[],/**/"meta":{"total":0}}',
  'an unknown escape': '{"data":[{"a":"\\x41"}],"meta":{"total":1}}'
}

for (const [name, body] of Object.entries(wrongShapes)) {
  t.test(`a 200 with ${name} is refused as an invalid response`, async t => {
    t.throws(() => decode(body), { code: 'upstream_invalid_response', contact: 'answered' })
  })
}

t.test('a page at the end of the list may be short, one beyond it empty', async t => {
  const call = { ...firstPage, offset: 400 }
  t.equal(cuts(decode('{"data":[{}],"meta":{"total":401}}', call)).length, 1)
  t.equal(cuts(decode('{"data":[],"meta":{"total":7}}', call)).length, 0)
})

t.test('the evidence of a bad response holds nothing of its content', async t => {
  const secret = 'a-customer-wrote-this'
  const { evidence, message } = refused(`<p>${secret}</p>`, { contentType: 'text/html' })
  t.match(evidence, { status: 200, type: 'text/html', bytes: 28, sha256: /^[0-9a-f]{16}$/ })
  t.notMatch(JSON.stringify([evidence, message]), secret)
})

const codeByStatus = {
  400: 'upstream_rejected',
  401: 'upstream_unauthorized',
  403: 'upstream_unauthorized',
  404: 'upstream_error',
  418: 'upstream_error',
  429: 'upstream_rate_limited',
  500: 'upstream_error',
  502: 'upstream_error',
  503: 'upstream_error',
  599: 'upstream_error',
  201: 'upstream_invalid_response',
  204: 'upstream_invalid_response',
  206: 'upstream_invalid_response',
  301: 'upstream_invalid_response',
  304: 'upstream_invalid_response',
  600: 'upstream_invalid_response',
  999: 'upstream_invalid_response'
} as const

for (const [status, code] of Object.entries(codeByStatus)) {
  t.test(`a ${status} is ${code}, even with the body of a list`, async t => {
    const response = responseOf('{"data":[],"meta":{"total":0}}', { status: Number(status) })
    const expected = { code, contact: 'answered', upstreamStatus: Number(status) }
    t.throws(() => decodePage(response, firstPage), expected)
  })
}

for (const status of [429, 500, 502, 503]) {
  t.test(`a ${status} says when to come back if the upstream did`, async t => {
    t.equal(refused('', { status, retryAfterMs: 7000 }).retryAfterMs, 7000)
    t.equal(refused('', { status }).retryAfterMs, undefined)
  })
}

t.test('a 400 passes the entries of the upstream on, the specific ones first', async t => {
  const generic = { code: 'invalid_request', message: 'Invalid request' }
  const specific = { code: 'customer', message: 'This value should be of type numeric.' }
  const body = JSON.stringify({ errors: [generic, specific] })
  t.same(refused(body, { status: 400 }).entries, [specific, generic])
})

t.test('error bodies of another shape yield no entries', async t => {
  const bodies = ['', '<html>', 'null', '[]', '{}', '{"errors":{}}', '{"errors":"x"}']
  const strange = ['{"errors":[null,1,"x",[],{"code":1,"message":"a"},{"code":"a"}]}']
  t.same(
    [...bodies, ...strange].flatMap(body => errorEntries(Buffer.from(body))),
    []
  )
})

t.test('error entries are cut, counted and well-formed', async t => {
  const one = { code: `${'c'.repeat(499)}\ud83d\ude00`, message: 'm'.repeat(10_000) }
  const entries = errorEntries(Buffer.from(JSON.stringify({ errors: Array(50).fill(one) })))
  t.equal(entries.length, 20)
  t.ok(entries.every(({ code, message }) => code.length === 500 && message.length === 500))
  t.ok(entries.every(({ code }) => code.isWellFormed()))
})
