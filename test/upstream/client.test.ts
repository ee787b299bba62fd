/**
 * One attempt at a real HTTP server: what is sent, and what every right or wrong answer becomes.
 */

import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { startSimulator } from '../../simulator/upstream.ts'
import type { Contact, ErrorCode } from '../../src/errors.ts'
import { failureOf, firstPage, maxBodyBytes, upstreamTo } from '../support/attempts.ts'
import { apiKey } from '../support/stack.ts'

const simulator = await startSimulator({ chats: 250, apiKey, enforce: false })
t.teardown(() => simulator.close())
const upstream = upstreamTo(t, simulator.baseUrl)

const attempt = () => upstream.attempt(firstPage)

t.test('a right answer becomes a page of its very bytes', async t => {
  const { bytes, spans, total } = await attempt()
  const headers = { authorization: `Bearer ${apiKey}` }
  const direct = await fetch(simulator.baseUrl + firstPage.target, { headers })
  t.equal(bytes.toString(), await direct.text())
  t.same([spans.length, total], [200, 250])
})

t.test('the upstream sees the target, our key and nothing of anybody else', async t => {
  await attempt()
  const { method, target, rawHeaders } = simulator.requests().at(-1)!
  t.equal(method, 'GET')
  t.equal(target, '/v1/chats?offset=0&limit=100')
  t.same(Object.fromEntries(pairs(rawHeaders)), {
    host: `127.0.0.1:${simulator.port}`,
    connection: 'keep-alive',
    authorization: `Bearer ${apiKey}`,
    accept: 'application/json',
    'accept-encoding': 'gzip, br',
    'user-agent': 'helpcrunch-proxy'
  })
})

function pairs(rawHeaders: readonly string[]): [string, string][] {
  return rawHeaders.flatMap((name, at) =>
    at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1]!] as [string, string]] : []
  )
}

t.test('cookies of the upstream are not kept', async t => {
  simulator.fault({ kind: 'headers', headers: { 'set-cookie': 'session=1' } })
  await attempt()
  await attempt()
  t.equal(simulator.requests().at(-1)?.headers.cookie, undefined)
})

const text = '{"data":[],"meta":{"total":0},"note":"é"}'

const encodings: Record<string, Buffer> = {
  gzip: gzipSync(text),
  'x-gzip': gzipSync(text),
  ' GZIP ': gzipSync(text),
  br: brotliCompressSync(text),
  deflate: deflateSync(text),
  identity: Buffer.from(text)
}

for (const [encoding, body] of Object.entries(encodings)) {
  t.test(`content encoded as "${encoding}" is decoded`, async t => {
    simulator.fault({ kind: 'body', body, headers: { 'content-encoding': encoding } })
    t.equal((await attempt()).bytes.toString(), text)
  })
}

t.test('a body of the largest size is taken, plain or packed', async t => {
  simulator.fault({ kind: 'bodyOfBytes', bytes: maxBodyBytes })
  t.equal((await attempt()).bytes.length, maxBodyBytes)
  simulator.fault({ kind: 'gzipBomb', bytes: maxBodyBytes })
  t.equal((await attempt()).bytes.length, maxBodyBytes)
})

type Verdict = readonly [ErrorCode, Contact]

const unreachable: Verdict = ['upstream_unreachable', 'unanswered']
const invalid: Verdict = ['upstream_invalid_response', 'answered']
const failed: Verdict = ['upstream_error', 'answered']

const list = (members: string) => Buffer.from(`{${members}}`)

const wrongAnswers: Record<string, readonly [Fault, Verdict]> = {
  'a reset before any byte': [{ kind: 'resetBeforeBytes' }, unreachable],
  'a body shorter than its length': [{ kind: 'truncated', framing: 'length' }, invalid],
  'chunks without an end': [{ kind: 'truncated', framing: 'chunked' }, invalid],
  'a reset in the middle of the body': [{ kind: 'resetMidBody' }, invalid],
  'a page of HTML': [{ kind: 'html' }, invalid],
  'a 502 page of HTML': [{ kind: 'html', status: 502 }, failed],
  'an empty 200': [{ kind: 'empty200' }, invalid],
  'invalid JSON': [{ kind: 'invalidJson' }, invalid],
  null: [{ kind: 'body', body: 'null' }, invalid],
  'a bare list': [{ kind: 'body', body: '[]' }, invalid],
  'data that is an object': [{ kind: 'body', body: list('"data":{},"total":0') }, invalid],
  'a list without a total': [{ kind: 'body', body: list('"data":[]') }, invalid],
  'a byte order mark': [{ kind: 'body', body: `\ufeff${text}` }, invalid],
  'invalid UTF-8': [{ kind: 'body', body: Buffer.from(text, 'latin1') }, invalid],
  'JSON as deep as the limit allows': [{ kind: 'body', body: '['.repeat(200_000) }, invalid],
  'a list above the limit': [{ kind: 'bodyOfBytes', bytes: maxBodyBytes + 1 }, invalid],
  '64 MiB of junk': [{ kind: 'bodyOfBytes', bytes: 64 * 2 ** 20, content: 'junk' }, invalid],
  'a packed list above the limit': [{ kind: 'gzipBomb', bytes: maxBodyBytes + 1 }, invalid],
  'a gzip bomb': [{ kind: 'gzipBomb' }, invalid],
  'damaged gzip': [{ kind: 'corruptGzip' }, invalid],
  'an unknown encoding': [{ kind: 'unknownEncoding' }, invalid],
  'gzip that is none': [{ kind: 'unknownEncoding', encoding: 'gzip' }, invalid],
  'an encoding named like a property': [
    { kind: 'unknownEncoding', encoding: 'constructor' },
    invalid
  ],
  'six encodings': [{ kind: 'unknownEncoding', encoding: Array(6).fill('gzip').join() }, invalid],
  'two encoding headers': [
    { kind: 'headers', headers: { 'content-encoding': ['gzip', 'gzip'] } },
    invalid
  ],
  'a redirect to itself': [{ kind: 'redirect', to: firstPage.target, status: 301 }, invalid],
  'a redirect to a file': [{ kind: 'redirect', to: 'file:///etc/passwd' }, invalid]
}

const byStatus: Record<number, Verdict> = {
  204: invalid,
  206: invalid,
  304: invalid,
  400: ['upstream_rejected', 'answered'],
  401: ['upstream_unauthorized', 'answered'],
  403: ['upstream_unauthorized', 'answered'],
  404: failed,
  418: failed,
  429: ['upstream_rate_limited', 'answered'],
  500: failed,
  503: failed,
  999: invalid
}

for (const [name, [fault, [code, contact]]] of Object.entries(wrongAnswers)) {
  t.test(`${name}: ${code}, ${contact}, and the next attempt is clean`, async t => {
    simulator.fault(fault)
    t.match(await failureOf(attempt()), { code, contact })
    t.equal((await attempt()).total, 250)
  })
}

for (const [status, [code, contact]] of Object.entries(byStatus)) {
  t.test(`a ${status}: ${code}, and the next attempt is clean`, async t => {
    simulator.fault({ kind: 'status', status: Number(status) })
    const expected = { code, contact, upstreamStatus: Number(status) }
    t.match(await failureOf(attempt()), expected)
    t.equal((await attempt()).total, 250)
  })
}

t.test('an error is recognised even if its body is not', async t => {
  for (const encoding of ['gzip', 'rot13']) {
    simulator.fault({ kind: 'status', status: 503, headers: { 'content-encoding': encoding } })
    t.match(await failureOf(attempt()), { code: 'upstream_error', upstreamStatus: 503 })
  }
})

t.test('a packed 400 has its entries', async t => {
  const entry = { code: 'limit', message: 'This value should be of type numeric.' }
  simulator.fault({
    kind: 'status',
    status: 400,
    body: JSON.stringify({ errors: [entry] })
  })
  t.same((await failureOf(attempt())).entries, [entry])
})

t.test('a 429 tells when to come back, in either form, if it says so clearly', async t => {
  const told = async (value: string | string[]) => {
    simulator.fault({ kind: 'status', status: 429, headers: { 'Retry-After': value } })
    const { code, retryAfterMs } = await failureOf(attempt())
    t.equal(code, 'upstream_rate_limited')
    return retryAfterMs
  }
  t.equal(await told('7'), 7000)
  t.equal(await told('soon'), undefined)
  t.equal(await told(['7', '9']), undefined)
  const dated = await told(new Date(Date.now() + 60_000).toUTCString())
  t.ok(dated !== undefined && dated > 50_000 && dated <= 60_000, String(dated))
})

t.test('a redirect is not followed, and no other host sees the key', async t => {
  const other = await startSimulator({ apiKey })
  t.teardown(() => other.close())
  const before = simulator.hits()
  simulator.fault({ kind: 'redirect', to: `${other.baseUrl}${firstPage.target}` })
  await failureOf(attempt())
  t.equal(other.hits(), 0)
  t.equal(simulator.hits(), before + 1)
})

t.test('no attempt is made twice, whatever comes of it', async t => {
  const faults: Fault[] = [
    { kind: 'resetBeforeBytes' },
    { kind: 'resetMidBody' },
    { kind: 'status', status: 503 },
    { kind: 'status', status: 429 },
    { kind: 'truncated', framing: 'length' }
  ]
  const before = simulator.hits()
  simulator.fault(...faults)
  for (const _ of faults) await failureOf(attempt())
  t.equal(simulator.hits(), before + faults.length)
})

t.test('no failure repeats the key or what the upstream wrote', async t => {
  const written = 'a-customer-wrote-this'
  const body = `<h1>${written} ${apiKey}</h1>`
  for (const status of [200, 401, 404, 500]) {
    simulator.fault({ kind: 'status', status, body })
    const { message, entries, evidence } = await failureOf(attempt())
    t.notMatch(JSON.stringify([message, entries, evidence]), new RegExp(`${written}|${apiKey}`))
  }
})

const slowFaults: Record<string, readonly [Fault, Contact]> = {
  'no answer at all': [{ kind: 'hang' }, 'unanswered'],
  'headers that drip': [{ kind: 'dripHeaders' }, 'unanswered'],
  'a body that drips': [{ kind: 'dripBody' }, 'answered'],
  'a body that stalls': [{ kind: 'stallMidBody' }, 'answered']
}

for (const [name, [fault, contact]] of Object.entries(slowFaults)) {
  t.test(`${name}: upstream_timeout, ${contact}, after the time that was promised`, async t => {
    const impatient = upstreamTo(t, simulator.baseUrl, { timeoutMs: 200 })
    simulator.fault(fault)
    const started = performance.now()
    const failure = await failureOf(impatient.attempt(firstPage))
    const elapsedMs = performance.now() - started
    t.match(failure, { code: 'upstream_timeout', contact, message: /within 0\.2 seconds/ })
    t.ok(elapsedMs > 190 && elapsedMs < 2000, `${elapsedMs} ms`)
    t.equal((await impatient.attempt(firstPage)).total, 250)
  })
}

t.test('what drips, but in time, is an answer', async t => {
  simulator.fault({ kind: 'dripHeaders', everyMs: 0 })
  t.equal((await attempt()).total, 250)
  simulator.fault({ kind: 'delay', ms: 30 })
  t.equal((await attempt()).total, 250)
})
