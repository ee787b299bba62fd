/**
 * Every kind of fault, as bytes on a socket; and how faults find the requests they are meant for.
 */

import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { startSimulator } from '../../simulator/upstream.ts'
import { type Received, receive } from './wire.ts'

const simulator = await startSimulator({ chats: 20, limit: 1_000 })
t.teardown(() => simulator.close())

const target = '/v1/chats?limit=2'
const right = await receive(simulator.port, { target })
const half = right.body.subarray(0, right.body.length >> 1)

const got = (fault: Fault, waitMs?: number): Promise<Received> => {
  simulator.fault(fault)
  return receive(simulator.port, waitMs === undefined ? {} : { waitMs })
}

t.test('status answers with the given status, headers and body', async t => {
  const headers = { 'Retry-After': '7', 'set-cookie': ['a=1', 'b=2'] }
  const { head, body } = await got({ kind: 'status', status: 503, headers, body: 'busy' })
  t.match(head, /^http\/1.1 503 service unavailable/)
  t.match(head, /retry-after: 7/)
  t.match(head, /set-cookie: a=1\r\nset-cookie: b=2/)
  t.equal(body.toString(), 'busy')
})

t.test('a header replaces the one of its name, however it is spelled', async t => {
  const headers = { 'Content-TYPE': 'text/plain', 'Content-Length': '1' }
  const { head, body } = await got({ kind: 'body', body: '[]', headers })
  t.same(head.match(/content-type.*|content-length.*/g), [
    'content-length: 1',
    'content-type: text/plain'
  ])
  t.equal(body.toString(), '[]')
})

t.test('status without a body answers an error in the shape of the upstream', async t => {
  const { body } = await got({ kind: 'status', status: 500 })
  t.match(JSON.parse(body.toString()), { errors: [{ code: String, message: String }] })
})

t.test('a 204 has neither a body nor a length', async t => {
  const { head, body } = await got({ kind: 'status', status: 204 })
  t.notMatch(head, /content-length|transfer-encoding/)
  t.equal(body.length, 0)
})

t.test('html answers a page, under 200 or the given status', async t => {
  t.match((await got({ kind: 'html' })).head, /^http\/1.1 200[\s\S]*content-type: text\/html/)
  const { head, text } = await got({ kind: 'html', status: 502 })
  t.match(head, /^http\/1.1 502/)
  t.match(text, /<h1>/)
})

t.test('empty200 answers nothing, as JSON', async t => {
  const { head, body } = await got({ kind: 'empty200' })
  t.match(head, /^http\/1.1 200[\s\S]*content-length: 0/)
  t.equal(body.length, 0)
})

t.test('invalidJson is complete by its length, and no JSON', async t => {
  const { head, body } = await got({ kind: 'invalidJson' })
  t.match(head, `content-length: ${body.length}`)
  t.throws(() => JSON.parse(body.toString()))
})

t.test('body answers the given bytes', async t => {
  t.equal((await got({ kind: 'body', body: '[]' })).body.toString(), '[]')
  const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0xff, 0x7d])
  t.same((await got({ kind: 'body', body: bytes })).body, bytes)
})

t.test('headers adds to the right answer', async t => {
  const { head, body } = await got({ kind: 'headers', headers: { server: 'leaky' } })
  t.match(head, /server: leaky/)
  t.same(body, right.body)
})

t.test('redirect points elsewhere', async t => {
  const { head } = await got({ kind: 'redirect', to: 'http://elsewhere.test/', status: 301 })
  t.match(head, /^http\/1.1 301[\s\S]*location: http:\/\/elsewhere.test\//)
})

t.test('gzip is the right answer, compressed', async t => {
  const { head, body } = await got({ kind: 'gzip' })
  t.match(head, /content-encoding: gzip/)
  t.same(gunzipSync(body), right.body)
})

t.test('corruptGzip begins like gzip and cannot be unpacked', async t => {
  const { body } = await got({ kind: 'corruptGzip' })
  t.same([...body.subarray(0, 2)], [0x1f, 0x8b])
  t.throws(() => gunzipSync(body))
})

t.test('unknownEncoding names an encoding that nobody asked for', async t => {
  t.match((await got({ kind: 'unknownEncoding' })).head, /content-encoding: rot13/)
  const encoding = 'gzip, gzip, gzip'
  t.match((await got({ kind: 'unknownEncoding', encoding })).head, `encoding: ${encoding}`)
})

t.test('truncated by length closes after half of what it promised', async t => {
  const { head, body, end } = await got({ kind: 'truncated', framing: 'length' })
  t.match(head, `content-length: ${right.body.length}`)
  t.same(body, half)
  t.equal(end, 'closed')
})

t.test('truncated in chunks closes without the last chunk', async t => {
  const { head, body, end } = await got({ kind: 'truncated', framing: 'chunked' })
  t.match(head, /transfer-encoding: chunked/)
  t.notMatch(head, /content-length/)
  t.equal(body.toString(), `${right.body.length.toString(16)}\r\n${right.body}\r\n`)
  t.equal(end, 'closed')
})

t.test('resetBeforeBytes sends nothing but a reset', async t => {
  const { bytes, end } = await got({ kind: 'resetBeforeBytes' })
  t.same([bytes.length, end], [0, 'reset'])
})

t.test('resetMidBody sends half and then resets', async t => {
  const { body, end } = await got({ kind: 'resetMidBody' })
  t.same(body, half)
  t.equal(end, 'reset')
})

t.test('hang accepts and says nothing', async t => {
  const { bytes, end } = await got({ kind: 'hang' }, 50)
  t.same([bytes.length, end], [0, 'open'])
})

t.test('stallMidBody stops after half', async t => {
  const { body, end } = await got({ kind: 'stallMidBody' }, 50)
  t.same(body, half)
  t.equal(end, 'open')
})

t.test('dripHeaders sends the head byte by byte, and in the end the right answer', async t => {
  const slow = await got({ kind: 'dripHeaders' }, 50)
  t.ok(slow.bytes.length < 5 && slow.end === 'open', slow.text)
  const { chunks, body, head } = await got({ kind: 'dripHeaders', everyMs: 1 })
  t.ok(chunks > head.length / 2, `${chunks} chunks`)
  t.same(body, right.body)
})

t.test('dripBody sends the head at once and the body byte by byte', async t => {
  const { head, body, end } = await got({ kind: 'dripBody', everyMs: 5 }, 100)
  t.match(head, `content-length: ${right.body.length}`)
  t.ok(body.length > 2 && body.length < 25, `${body.length} bytes`)
  t.same(body, right.body.subarray(0, body.length))
  t.equal(end, 'open')
})

t.test('bodyOfBytes is as long as asked for, as a list or as junk', async t => {
  const bytes = 300_000
  const url = `${simulator.baseUrl}/chats`
  const headers = { authorization: 'Bearer demo-key' }
  simulator.fault({ kind: 'bodyOfBytes', bytes }, { kind: 'bodyOfBytes', bytes, content: 'junk' })
  const list = await fetch(url, { headers })
  t.equal(list.headers.get('content-length'), null)
  const text = await list.text()
  t.equal(text.length, bytes)
  t.match(JSON.parse(text), { data: [], meta: { total: 0 } })
  t.equal(await (await fetch(url, { headers })).text(), ' '.repeat(bytes))
})

t.test('gzipBomb is small on the wire and large unpacked', async t => {
  const bytes = 4_000_000
  simulator.fault({ kind: 'gzipBomb', bytes }, { kind: 'gzipBomb', bytes })
  const { body } = await receive(simulator.port)
  t.ok(body.length < bytes / 100, `${body.length} bytes`)
  const headers = { authorization: 'Bearer demo-key' }
  const unpacked = await (await fetch(`${simulator.baseUrl}/chats`, { headers })).arrayBuffer()
  t.equal(unpacked.byteLength, bytes)
})

t.test('raw sends its bytes as they are, and closes or not', async t => {
  const bytes = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}'
  t.match(await got({ kind: 'raw', bytes }), { text: bytes, end: 'closed' })
  t.match(await got({ kind: 'raw', bytes, close: false }, 50), { text: bytes, end: 'open' })
})

t.test('delay gives the right answer later', async t => {
  const from = performance.now()
  const { body } = await got({ kind: 'delay', ms: 60 })
  t.ok(performance.now() - from >= 59)
  t.same(body, right.body)
})

t.test('queued faults are taken one by one, in order, and then all is well', async t => {
  simulator.fault({ kind: 'status', status: 500 }, { kind: 'status', status: 502 })
  const statuses = []
  for (let call = 0; call < 3; call += 1) statuses.push((await receive(simulator.port)).head)
  t.match(statuses, [/1.1 500/, /1.1 502/, /1.1 200/])
})

t.test('a fault waits for a request that it matches', async t => {
  simulator.fault({ kind: 'empty200', match: asked => asked.includes('offset=1') })
  t.same((await receive(simulator.port)).body, right.body)
  const faulty = await receive(simulator.port, { target: `${target}&offset=1` })
  t.equal(faulty.body.length, 0)
})

t.test('a standing fault meets all that take no queued one, until it is cleared', async t => {
  simulator.faultAll({ kind: 'status', status: 503, match: asked => asked.includes('/chats') })
  simulator.fault({ kind: 'status', status: 500 })
  t.match((await receive(simulator.port)).head, /1.1 500/)
  t.match((await receive(simulator.port)).head, /1.1 503/)
  t.match((await receive(simulator.port, { target: '/v1/other' })).head, /1.1 404/)
  simulator.faultAll(undefined)
  t.same((await receive(simulator.port)).body, right.body)
})

t.test('the arrivals tell what was answered, and 0 where nothing was', async t => {
  simulator.reset()
  for (const kind of ['truncated', 'hang', 'resetBeforeBytes', 'html'] as const)
    await got({ kind, framing: 'length' }, 50)
  t.same(
    simulator.arrivals().map(arrival => arrival.status),
    [200, 0, 0, 200]
  )
})
