/**
 * Group D, last part (D5, D6, D8, D10, D19–D21, D23): answers that are no failure of the wire. What
 * HelpCrunch says to a caller is passed on and nothing else is; what it sends as a chat arrives to
 * the byte; and no text is taken for JSON that is none.
 */

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { checkProblem } from '../support/answers.ts'
import { until } from '../support/children.ts'
import { holds } from '../support/property.ts'
import { apiKey } from '../support/stack.ts'
import { get } from './requests.ts'
import { type ServiceProcess, startService } from './service-process.ts'
import { checkBooks } from './upstream-scenes.ts'

const service = await startService(t, {
  upstream: { chats: 10_000 },
  env: { CACHE_FRESH_SECONDS: '86400', CACHE_STALE_WHILE_REVALIDATE_SECONDS: '0' }
})
const { simulator } = service

let pages = 0

const lists = ['', '&order=asc', '&order=desc', '&sort=chats.createdAt']

/** Nobody has asked for it yet. */
function newPage(): string {
  const list = lists[Math.floor(pages / 100)]
  return `/chats?limit=3${list}&offset=${100 * (pages++ % 100)}`
}

/** What is answered to a question that HelpCrunch answers with these bytes, and then the right one. */
async function exchange(body: string | Buffer, headers: Record<string, string> = {}) {
  const page = newPage()
  simulator.fault({ kind: 'body', body, headers })
  const answer = await service.get(page)
  return { answer, next: await service.get(page) }
}

const invalid = { status: 502, code: 'upstream_invalid_response' }

/** A list as JSON with whatever in it, in pieces that can be damaged. */
const document = fc
  .array(fc.record({ id: fc.nat(), lastMessageText: fc.jsonValue() }), { maxLength: 4 })
  .map(data => JSON.stringify({ data, meta: { total: data.length } }))
const spoilers = [
  ...['"', "'", ',', ':', '{', '}', '[', ']', '\\', '\\u00g0', '\0', '\t', '\n', '\x1f', '\ufeff'],
  ...[
    'NaN',
    'Infinity',
    'undefined',
    'nul',
    'TRUE',
    '01',
    '1.',
    '.1',
    '+1',
    '0x1',
    '1e',
    '1e+',
    '--1'
  ],
  ...['/*x*/', '//', '<html>', '\u2028', ';', ')', 'a', '\x7f', '\xa0', "\\'", '\\x41', '#', '...']
]
const damage = fc.tuple(
  fc.nat(),
  fc.nat(8),
  fc.oneof(fc.constantFrom(...spoilers), fc.string({ maxLength: 4 }), fc.constant(''))
)
const isJson = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
const noJson = fc
  .tuple(document, fc.array(damage, { minLength: 1, maxLength: 3 }))
  .map(([text, damages]) =>
    damages.reduce((text, [place, length, put]) => {
      const at = place % (text.length + 1)
      return text.slice(0, at) + put + text.slice(at + length)
    }, text)
  )
  .filter(text => !isJson(text))

t.test('D5 (P1): no text is taken for JSON that is none', async t => {
  const refused = fc.asyncProperty(noJson, async text => {
    const { answer, next } = await exchange(text)
    checkProblem(t, answer, invalid)
    return answer.status === 502 && next.status === 200
  })
  await holds(t, refused, { numRuns: 190 })
})

t.test('D5 (P1): the log has length, type and digest of it, never the content', async t => {
  const content = 'CONTENT-canary <script>'
  const told = new RegExp(`"type":"[^"]+","bytes":${content.length},"sha256":"[0-9a-f]+"`)
  // Of refusals there are at most twenty lines a second, which those before may have had.
  await until(async () => {
    await exchange(content, { 'content-type': 'text/html' })
    return service.lines.some(line => told.test(line))
  })
  t.notMatch(service.lines.join('\n'), 'CONTENT-canary')
})

const odd = [
  '{"data":[{"id":1,"new":{"deep":[1,2.50,1e3]},"id":2}],"more":"\\u00e9","meta":{"total":1,"x":0}}',
  '{ "meta" : { "total" : 1 } , "data" : [ { "__proto__" : { "x" : 1 } , "constructor" : 1 } ] }',
  '{"data":[{"text":"</script><!-- \u2028\u2029 \\ud83d \\u0000 😀 é"}],"meta":{"total":1}}',
  '{"data":[{"big":12345678901234567890,"tiny":1e-400,"huge":1e400,"zero":-0.0}],"meta":{"total":1}}'
]

t.test('D6, D20, S15 (P1): whatever a chat holds arrives to the byte', async t => {
  const sorts = ['createdAt', 'closedAt', 'lastMessageAt', 'lastCustomerMessageAt']
  for (const [index, text] of odd.entries()) {
    simulator.fault({ kind: 'body', body: text })
    const { body, status } = await service.get(`/chats?sort=chats.${sorts[index]}&order=asc`)
    t.equal(status, 200)
    t.same(JSON.parse(body), JSON.parse(text))
    const chat = /\{[^{]*("new|"__proto__"|"text"|"big").*\}(?=\s*\])/s.exec(text)?.[0] ?? 'none'
    t.ok(body.includes(chat), 'as it was')
  }
  t.equal(Object.hasOwn(Object.prototype, 'x'), false)
})

t.test('D20 (P2): bytes that are no UTF-8 are refused, not mended', async t => {
  const text = (bytes: readonly number[]) =>
    Buffer.concat([
      Buffer.from('{"data":[{"text":"'),
      Buffer.from(bytes),
      Buffer.from('"}],"meta":{"total":1}}')
    ])
  const bad = [[0xe9], [0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]
  for (const bytes of bad) {
    const { answer, next } = await exchange(text(bytes))
    checkProblem(t, answer, invalid)
    t.equal(next.status, 200)
  }
  const { answer } = await exchange(Buffer.from('\ufeff{"data":[],"meta":{"total":0}}'))
  checkProblem(t, answer, invalid, 'a mark is no JSON either (RFC 8259 section 8.1)')
})

t.test('D8 (P1): a rejection is passed on with its entries, and never kept', async t => {
  const body = '{"errors":[{"code":"customer","message":"This value should be numeric."}]}'
  const page = newPage()
  simulator.fault({ kind: 'status', status: 400, body })
  const rejected = { status: 400, code: 'upstream_rejected' }
  const { errors } = checkProblem(t, await service.get(page), rejected)
  t.same(errors, [{ code: 'customer', message: 'This value should be numeric.' }])
  const stored = await service.get(page)
  t.equal(stored.status, 200, 'it was not kept')
  await service.operator('/cache', { method: 'DELETE' })
  simulator.fault({ kind: 'status', status: 400, body })
  checkProblem(t, await service.get(page), rejected, 'also where something stale is there')
  const kept = { headers: { 'cache-control': 'only-if-cached' } }
  t.equal((await service.get(page, kept)).body, stored.body, 'which it did not remove')
})

t.test('D10 (P1): only a single thing that is not there is a 404', async t => {
  const missing = { status: 404, code: 'chat_not_found' }
  checkProblem(t, await service.get('/chats/1'), missing)
  checkProblem(t, await service.get('/v1/chats/1/messages'), missing)
  simulator.fault({ kind: 'status', status: 404 })
  checkProblem(t, await service.get(newPage()), { status: 502, code: 'upstream_error' })
})

const leaky = {
  'set-cookie': `key=${apiKey}`,
  'x-leak': apiKey,
  server: 'nginx/1.0',
  via: '1.1 upstream',
  'cache-control': 'public, max-age=31536000',
  etag: '"theirs"',
  age: '99999999',
  date: 'Thu, 01 Jan 1970 00:00:00 GMT',
  'content-disposition': 'attachment',
  'x-powered-by': 'PHP',
  vary: '*',
  location: 'https://evil.example',
  'access-control-allow-origin': '*'
}

const allowed = [
  ...['age', 'cache-control', 'cache-status', 'connection', 'content-length', 'content-type'],
  ...['date', 'etag', 'keep-alive', 'link', 'server-timing', 'vary', 'x-content-type-options'],
  ...['x-request-id', 'x-total-count', 'ratelimit', 'ratelimit-policy', 'content-encoding']
]

t.test('D19, D23 (P2): of its headers nothing is passed on or believed', async t => {
  const page = newPage()
  simulator.fault({ kind: 'headers', headers: leaky })
  for (const expected of ['fwd=uri-miss', 'hit']) {
    const { headers, status } = await service.get(page)
    t.equal(status, 200)
    t.same(
      [...headers.keys()].filter(name => !allowed.includes(name)),
      []
    )
    t.match(headers.get('cache-status'), expected)
    t.ok(Number(headers.get('age')) < 3_600, 'by our own clock')
    t.match(headers.get('cache-control'), /^private, max-age=\d+$/)
    t.not(headers.get('etag'), leaky.etag)
    t.not(headers.get('vary'), '*')
    t.ok(Date.parse(headers.get('date') ?? '') > 1e12)
  }
})

/** D21: more connections than `fetch` would like to open, and the bytes as they come. */
async function crowd(t: Test, service: ServiceProcess): Promise<void> {
  const { bytes } = get(newPage())
  simulator.fault({ kind: 'delay', ms: 1_500 })
  const calls = service.calls()
  const heard = await Promise.all(Array.from({ length: 50 }, () => service.send(bytes)))
  const answers = heard.flatMap(({ answers }) => answers)
  t.same([answers.length, new Set(answers.map(({ status }) => status))], [50, new Set([200])])
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.equal(service.calls() - calls, 1)
}

t.test('D21 (P1): fifty who wait for a slow answer get the same bytes from one call', t =>
  crowd(t, service)
)

t.test('S1 (P1): no secret in anything that it wrote', async t => {
  await checkBooks(t, service)
  await service.checkEnd(t)
})
