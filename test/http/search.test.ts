/**
 * `POST /chats/search`: JSON whatever its type is called, known by its meaning, in any window; what
 * is no search is refused before a call is spent. Group A21.
 */

import assert from 'node:assert/strict'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { orders, sorts } from '../../simulator/query.ts'
import { readSearch } from '../../simulator/search.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { besides, direct } from '../support/held.ts'
import { holds } from '../support/property.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
import { type StackOptions, startStack, tokens } from '../support/stack.ts'

const unlimited = {
  env: { UPSTREAM_LIMIT: '100000', TEAM_RATE_LIMIT: '0' },
  upstream: { enforce: false }
}

async function open(t: Test, options: StackOptions = unlimited) {
  const stack = await startStack(t, options)
  const search = (
    body: string | Buffer,
    headers: Record<string, string> = {},
    path = '/chats/search'
  ) =>
    read(
      stack.get(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : new Uint8Array(body),
        headers
      })
    )
  return { ...stack, search }
}

const isHit = ({ headers }: Answer) => /; hit; /.test(headers.get('cache-status') ?? '')

const great = { field: 'chats.rating', operator: '=', value: 'great' }
const late = { field: 'chats.createdAt', operator: '>', value: 1_700_000_500 }

const condition = fc.oneof(
  fc.constant(great),
  fc.constant(late),
  fc
    .constantFrom('closed', 'new', 'empty')
    .map(value => ({ field: 'chats.status', operator: '=', value })),
  fc.constantFrom(101, '102').map(value => ({ field: 'chats.agents', operator: '!=', value })),
  fc.constantFrom('vip', 'борг').map(name => ({
    field: 'chats.customer.tagsData',
    operator: '=',
    value: [{ name }]
  }))
)

const searches = fc.record(
  {
    filter: fc.array(condition, { maxLength: 2 }),
    comparison: fc.constantFrom('AND', 'OR'),
    sort: fc.constantFrom(...sorts),
    order: fc.constantFrom(...orders, 'DESC', 'Asc'),
    offset: fc.oneof(fc.nat(500), fc.constantFrom(0, 100, 435, 2 ** 40)),
    limit: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 100, 101, 1000))
  },
  { requiredKeys: ['filter'], noNullPrototype: true }
)

t.test('any window of any search holds the very bytes of what HelpCrunch finds', async t => {
  const skeletons = {
    plain: (total: number) => `{"data":[]"meta":{"total":${total}}}`,
    top: (total: number) => `{"data":[]"total":${total}}`,
    extended: (total: number) => `{"links":{}"meta":{"took":3"total":${total}}"data":[]}`
  }
  for (const searchEnvelope of ['plain', 'top', 'extended'] as const) {
    const upstream = { ...unlimited.upstream, searchEnvelope }
    const { search, simulator } = await open(t, { ...unlimited, upstream })
    const property = fc.asyncProperty(searches, async asked => {
      const { status, headers, body } = await search(JSON.stringify(asked))
      const { matches, query } = readSearch({ ...asked, limit: 100 })
      const { items, total } = simulator.store.search({
        query: { ...query, limit: asked.limit ?? 100 },
        matches
      })
      assert.equal(status, 200)
      assert.equal(besides(body, items), skeletons[searchEnvelope](total))
      assert.equal(JSON.parse(body).data.length, items.length)
      assert.equal(headers.get('x-total-count'), String(total))
      assert.equal(headers.get('link'), null, 'what could it lead to?')
    })
    await holds(t, property, { numRuns: 60 })
  }
})

t.test('an empty filter finds everything, to the byte', async t => {
  const { search, simulator } = await open(t)
  const body = '{"filter":[]}'
  const own = await direct(simulator, '/chats/search', { method: 'POST', body })
  t.equal((await search(body)).body, own.body)
  t.equal(JSON.parse(own.body).meta.total, 435)
})

t.test('a wide window costs one call a page, and is one moment of the list', async t => {
  const { search, simulator } = await open(t)
  const { body } = await search('{"filter":[],"offset":50,"limit":1000}')
  t.equal(JSON.parse(body).data.length, 385)
  t.same(
    simulator.requests().map(seen => seen.body),
    [0, 100, 200, 300, 400].map(offset => `{"filter":[],"offset":${offset},"limit":100}`)
  )
  t.ok(isHit(await search('{"filter":[],"offset":"120","limit":"7"}')))
  t.ok(isHit(await search('{"filter":[],"offset":7000}')), 'past the end')
  t.equal(simulator.hits(), 5)
})

/** One search. */
const spellings = [
  '{"filter":[{"field":"chats.rating","operator":"=","value":"great"}],"order":"desc","sort":"chats.closedAt"}',
  '{"sort":"chats.closedAt","order":"DESC","filter":[{"value":"great","operator":"=","field":"chats.rating"}]}',
  ' {\n"order" : "Desc",\t"filter":[ {"operator":"\\u003d","field":"chats\\u002Erating","value":"great"} ] ,"sort":"chats.closedAt","limit":100,"offset":0 }\r\n',
  '{"order":"asc","s\\u006frt":"chats.closedAt","limit":"100","filter":[{"field":"x","field":"chats.rating","operator":"=","value":"great"}],"order":"desc"}'
]

t.test('one search in many spellings is one call, and the same bytes', async t => {
  const { search, simulator } = await open(t)
  const [first = '', ...others] = spellings
  const wanted = await search(first)
  t.equal(wanted.status, 200)
  for (const other of others) {
    const answer = await search(other)
    t.same([answer.body, isHit(answer)], [wanted.body, true], other)
    t.equal(answer.headers.get('etag'), wanted.headers.get('etag'))
  }
  t.equal(simulator.hits(), 1)
  const [{ body } = {}] = simulator.requests()
  t.equal(
    body,
    '{"filter":[{"field":"chats.rating","operator":"=","value":"great"}],"order":"desc","sort":"chats.closedAt","offset":0,"limit":100}'
  )
})

t.test(
  'values arrive upstream as they were written, more digits than a double included',
  async t => {
    const { search, simulator } = await open(t)
    const values = [
      '12345678901234567890',
      '12345678901234567891',
      '1.0',
      '1e0',
      '"1"',
      '"Ґ😀\\ud83d"',
      '-0'
    ]
    for (const value of values) {
      await search(`{"filter":[{"field":"chats.customer","operator":"=","value":${value}}]}`)
      const { body = '' } = simulator.requests().at(-1) ?? {}
      t.ok(body.includes(`"value":${value}}`), `${value} in ${body}`)
    }
    t.equal(simulator.hits(), values.length)
    await search('{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"filter":[]}')
    const { body } = simulator.requests().at(-1) ?? {}
    t.match(body, '"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}')
    t.equal(({} as { x?: unknown }).x, undefined)
  }
)

const types = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json; charset=latin1',
  'APPLICATION/JSON;charset=UTF-16',
  'text/plain',
  'text/plain;charset=UTF-8',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  'text/html',
  'json',
  '*/*',
  'application/json, text/plain',
  ';;;',
  'é/\u00ff',
  'x'.repeat(2000)
]

/** The body as it is, and no header that was not asked for. */
async function post(url: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const authorization = `Bearer ${tokens.blue}`
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  const sent = request(url, { method: 'POST', headers: { authorization, ...headers } }, answer => {
    text(answer).then(body => resolve({ status: answer.statusCode ?? 0, body }), reject)
  })
  sent.on('error', reject).end(body)
  return promise
}

t.test('JSON is JSON, whatever its type is called, or if it has none', async t => {
  const { url, simulator } = await open(t)
  const wanted = await post(`${url}/chats/search`, '{"filter":[]}')
  t.equal(wanted.status, 200)
  for (const path of ['/chats/search', '/v1/chats/search/']) {
    for (const type of types) {
      const answer = await post(url + path, '{"filter":[]}', { 'content-type': type })
      t.same(answer, wanted, `${path} ${type.slice(0, 60)}`)
    }
  }
  const chunked = await post(`${url}/chats/search`, '{"filter":[]}', {
    'transfer-encoding': 'chunked'
  })
  t.same(chunked, wanted)
  t.equal(simulator.hits(), 1)
})

const notUtf8 = { 'content-type': 'application/json; charset=latin1' }

t.test('a charset does not make other bytes of the body', async t => {
  const { search, simulator } = await open(t)
  const refused = await search(Buffer.from('{"filter":[{"value":"é"}]}', 'latin1'), notUtf8)
  checkProblem(t, refused, { status: 400, code: 'invalid_body' })
  t.equal(simulator.hits(), 0)
  const asked = '{"filter":[{"field":"chats.status","operator":"=","value":"é"}]}'
  t.equal((await search(asked, notUtf8)).status, 200)
  t.match(simulator.requests()[0]?.body, '"value":"é"')
})

const deep = (open: string, close: string, times: number) =>
  open.repeat(times) + close.repeat(times)

/** A21: what is sent, and the entries that name what is wrong with it. */
const faults: Record<string, [body: string | Buffer, entries?: readonly string[]]> = {
  nothing: [''],
  'white space': ['  \n'],
  'an object cut off': ['{"filter":[{"field":"chats.status"'],
  'a list': ['[]'],
  'a number': ['5'],
  'a byte order mark': ['\ufeff{"filter":[]}'],
  'UTF-16': [Buffer.from('{"filter":[]}', 'utf16le')],
  'UTF-16 with a mark': [Buffer.from('\ufeff{"filter":[]}', 'utf16le')],
  NaN: ['{"filter":[],"limit":NaN}'],
  '1e400': ['{"filter":[{"value":1e400}]}'],
  'a form': ['filter=&limit=5'],
  'the wrong type': ['{"filter":{},"order":1}', ['filter', 'order']],
  'a filter of texts': ['{"filter":["closed"]}', ['filter']],
  'a bad window': ['{"filter":[],"limit":0,"offset":-1}', ['limit', 'offset']],
  'a limit too large': ['{"filter":[],"limit":1001}', ['limit']],
  'an offset beyond all numbers': ['{"offset":9007199254740993}', ['offset']],
  'a limit given twice, the last one wrong': ['{"limit":5,"limit":"x"}', ['limit']],
  'brackets to the limit': ['['.repeat(65_536)],
  'brackets in pairs': [deep('[', ']', 32_768)],
  'objects to the limit': ['{"a":'.repeat(13_000)],
  'objects in pairs': [deep('{"a":', '}', 10_000).replace(':}', ':1}')]
}

t.test('what is no search is 400 invalid_body by name, and costs no call', async t => {
  const { search, simulator } = await open(t)
  for (const [name, [body, entries = ['invalid_body']]] of Object.entries(faults)) {
    for (const path of ['/chats/search', '/v1/chats/search']) {
      const problem = checkProblem(
        t,
        await search(body, {}, path),
        { status: 400, code: 'invalid_body' },
        name
      )
      t.same(problem.errors.map(({ code }) => code).sort(), entries, name)
    }
  }
  t.equal((await search('{"filter":[]}')).status, 200, 'and the next one is fine')
  t.equal(simulator.hits(), 1)
})

t.test('no body at all is 400, as one without a length', async t => {
  const { url, simulator } = await open(t)
  for (const framing of ['', 'Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n']) {
    const fields = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\nConnection: close\r\n${framing}`
    const body = framing.startsWith('T') ? '0\r\n\r\n' : ''
    const { answers } = await converse(url, `POST /chats/search HTTP/1.1\r\n${fields}\r\n${body}`)
    checkProblem(t, answers[0]!, { status: 400, code: 'invalid_body' }, framing)
  }
  t.equal(simulator.hits(), 0)
})

const longest = 64 * 1024

t.test('a byte more than 64 kB is 413', async t => {
  const { search, url, simulator } = await open(t)
  const bodyOf = (length: number) => `{"filter":[]}${' '.repeat(length - 13)}`
  t.equal((await search(bodyOf(longest))).status, 200)
  const tooLarge = { status: 413, code: 'body_too_large' }
  checkProblem(t, await search(bodyOf(longest + 1)), tooLarge)
  for (const bytes of ['['.repeat(200_000), '{"a":'.repeat(200_000)]) {
    checkProblem(t, await search(bytes), tooLarge)
  }
  const chunked = await post(`${url}/chats/search`, bodyOf(longest + 1), {
    'transfer-encoding': 'chunked'
  })
  t.equal(chunked.status, 413)
  t.equal(simulator.hits(), 1)
})

t.test('a coded body is 415, and is not unpacked', async t => {
  const { search, simulator } = await open(t)
  const plain = '{"filter":[]}'
  const refused = { status: 415, code: 'unsupported_media_type' }
  for (const coding of ['gzip', 'br', 'deflate', 'GZIP', 'gzip, gzip', 'identity, gzip', 'rot13']) {
    for (const body of [gzipSync(plain), plain]) {
      checkProblem(t, await search(body, { 'content-encoding': coding }), refused, coding)
    }
  }
  checkProblem(t, await search(gzipSync(' '.repeat(1e7)), { 'content-encoding': 'gzip' }), refused)
  t.equal(simulator.hits(), 0)
  for (const coding of ['identity', 'Identity', '']) {
    t.equal((await search(plain, { 'content-encoding': coding })).status, 200, coding)
  }
})

t.test('what only HelpCrunch can judge it does, and its entries are passed on', async t => {
  for (const errorShape of ['new', 'old'] as const) {
    const { search, simulator } = await open(t, { upstream: { errorShape } })
    const asked =
      '{"filter":[{"operator":"=","value":1},{"field":"chats.mood","operator":"?","value":1}]}'
    for (const calls of [1, 2]) {
      const problem = checkProblem(t, await search(asked), {
        status: 400,
        code: 'upstream_rejected'
      })
      t.same(
        problem.errors.map(({ code }) => code),
        errorShape === 'old'
          ? ['invalid_chat_value']
          : ['filter[0].field', 'filter[1].field', 'invalid_request']
      )
      t.equal(simulator.hits(), calls, 'never kept')
    }
  }
})

t.test('a 404 of a search is no answer', async t => {
  const { search, simulator } = await open(t)
  simulator.faultAll({ kind: 'status', status: 404 })
  checkProblem(t, await search('{"filter":[]}'), { status: 502, code: 'upstream_error' })
})

t.test('searches of another meaning share nothing', async t => {
  const clock = new FakeClock()
  const { search, simulator } = await open(t, { ...unlimited, clock })
  const bodies = [
    '{"filter":[]}',
    '{"filter":[],"order":"asc"}',
    '{"filter":[],"order":"desc"}',
    '{"filter":[],"sort":"chats.closedAt"}',
    '{"filter":[],"comparison":"AND"}',
    '{"filter":[],"note":1}',
    '{"filter":[],"note":"1"}',
    '{"filter":[],"note":null}',
    '{"filter":[],"note":[1,2]}',
    '{"filter":[],"note":[2,1]}'
  ]
  for (const body of bodies) t.equal(isHit(await search(body)), false, body)
  for (const body of bodies) t.equal(isHit(await search(body)), true, body)
  t.equal(simulator.hits(), bodies.length)
})
