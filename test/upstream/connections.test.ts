/**
 * One attempt at bare sockets: refused, broken and garbled connections, TLS, and what is left of a
 * connection for the attempts after it.
 */

import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { failureOf, firstPage, upstreamTo } from '../support/attempts.ts'
import { selfSigned } from '../support/certificate.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { garbled, headOf, listOf } from '../support/garbled-answers.ts'
import { emptyList, listen, rawResponse, startRawUpstream } from '../support/raw-upstream.ts'

/** An upstream that sends `bytes` to the first request and is well-behaved from then on. */
const afterSending = async (t: Test, bytes: string | Buffer, end = false) => {
  const raw = await startRawUpstream(t, (socket, index) => {
    if (index > 0) socket.write(rawResponse())
    else if (end) socket.end(bytes)
    else socket.write(bytes)
  })
  return { raw, upstream: upstreamTo(t, raw.url) }
}

for (const [name, [bytes, [code, contact]]] of Object.entries(garbled)) {
  t.test(`${name}: ${code}, ${contact}, on a connection that is not used again`, async t => {
    const { raw, upstream } = await afterSending(t, bytes)
    t.match(await failureOf(upstream.attempt(firstPage)), { code, contact })
    t.equal((await upstream.attempt(firstPage)).total, 0)
    t.equal(raw.sockets.length, 2)
  })
}

t.test('an answer that ends with its connection is taken if it is whole', async t => {
  const { upstream } = await afterSending(t, headOf('Connection: close') + emptyList, true)
  t.equal((await upstream.attempt(firstPage)).total, 0)
  const cut = await afterSending(t, headOf('Connection: close') + emptyList.slice(0, -1), true)
  t.match(await failureOf(cut.upstream.attempt(firstPage)), { code: 'upstream_invalid_response' })
})

t.test('what comes late after an answer never answers the next attempt', async t => {
  const { raw, upstream } = await afterSending(t, rawResponse())
  await upstream.attempt(firstPage)
  const [first] = raw.sockets
  const closed = once(first!, 'close')
  first?.write(rawResponse(listOf(666)))
  await closed
  t.equal((await upstream.attempt(firstPage)).total, 0)
})

t.test('line ends after an answer are nothing', async t => {
  const { upstream } = await afterSending(t, `${rawResponse()}\r\n`)
  t.equal((await upstream.attempt(firstPage)).total, 0)
})

t.test('repeated headers that say nothing contradictory do no harm', async t => {
  const headers = ['Content-Type: application/json', 'Content-Type: text/html', 'X: 1', 'X: 2']
  const { upstream } = await afterSending(t, rawResponse(emptyList, headers))
  t.equal((await upstream.attempt(firstPage)).total, 0)
  const wrong = await afterSending(t, rawResponse('<html>', headers))
  t.match((await failureOf(wrong.upstream.attempt(firstPage))).evidence, {
    type: 'other'
  })
})

t.test('a refused connection is unreachable, and was never used', async t => {
  const raw = await startRawUpstream(t, () => {})
  const closed = upstreamTo(t, 'http://127.0.0.1:1/v1')
  t.match(await failureOf(closed.attempt(firstPage)), {
    code: 'upstream_unreachable',
    contact: 'unsent',
    message: /refused/
  })
  t.same(raw.requests, [])
})

t.test('a name that does not exist is unreachable, and was never used', async t => {
  const upstream = upstreamTo(t, 'http://upstream.invalid/v1')
  t.match(await failureOf(upstream.attempt(firstPage)), {
    code: 'upstream_unreachable',
    contact: 'unsent',
    message: /its host name/
  })
})

t.test('a connection closed without an answer is unreachable, but may have been used', async t => {
  for (const end of [(socket: Socket) => socket.end(), (socket: Socket) => socket.destroy()]) {
    const raw = await startRawUpstream(t, end)
    t.match(await failureOf(upstreamTo(t, raw.url).attempt(firstPage)), {
      code: 'upstream_unreachable',
      contact: 'unanswered',
      message: /broke before a response began/
    })
  }
})

t.test('connections are used again', async t => {
  const raw = await startRawUpstream(t, socket => socket.write(rawResponse()))
  const upstream = upstreamTo(t, raw.url)
  for (let index = 0; index < 10; index++) await upstream.attempt(firstPage)
  t.equal(raw.requests.length, 10)
  t.ok(raw.sockets.length <= 2, `${raw.sockets.length} connections`)
})

t.test('there are never more connections than calls allowed in flight', async t => {
  const raw = await startRawUpstream(t, socket => socket.write(rawResponse()))
  const upstream = upstreamTo(t, raw.url, { concurrency: 3 })
  await Promise.all(Array.from({ length: 20 }, () => upstream.attempt(firstPage)))
  t.equal(raw.requests.length, 20)
  t.equal(raw.sockets.length, 3)
})

t.test('a connection that breaks as it is used again fails the attempt, unrepeated', async t => {
  const raw = await startRawUpstream(t, (socket, index) => {
    if (index === 1) socket.resetAndDestroy()
    else socket.write(rawResponse())
  })
  const upstream = upstreamTo(t, raw.url)
  await upstream.attempt(firstPage)
  t.match(await failureOf(upstream.attempt(firstPage)), {
    code: 'upstream_unreachable',
    contact: 'unanswered'
  })
  t.equal(raw.requests.length, 2)
  t.equal((await upstream.attempt(firstPage)).total, 0)
})

t.test('a connection that was closed while idle is replaced', async t => {
  const raw = await startRawUpstream(t, socket => socket.end(rawResponse()))
  const upstream = upstreamTo(t, raw.url)
  await upstream.attempt(firstPage)
  await once(raw.sockets[0]!, 'close')
  t.equal((await upstream.attempt(firstPage)).total, 0)
  t.equal(raw.sockets.length, 2)
})

/** An upstream that never answers, and a clock that says when that has lasted long enough. */
const silent = async (t: Test, timeoutMs = 10_000) => {
  const asked = Promise.withResolvers<Socket>()
  const raw = await startRawUpstream(t, socket => asked.resolve(socket))
  const clock = new FakeClock()
  const upstream = upstreamTo(t, raw.url, { clock, timeoutMs, concurrency: 1 })
  return { raw, clock, upstream, asked: asked.promise }
}

t.test('an attempt ends at its time limit, and its connection with it', async t => {
  const { clock, upstream, asked } = await silent(t)
  const failure = failureOf(upstream.attempt(firstPage))
  const closed = once(await asked, 'close')
  await clock.advance(9_999)
  t.equal(clock.pending, 1)
  // One turn of the event loop late, for a reply that lies buffered.
  await clock.advance(2)
  t.match(await failure, { code: 'upstream_timeout', contact: 'unanswered' })
  await closed
  t.equal(clock.pending, 0)
})

t.test('an answer leaves no timer behind', async t => {
  const raw = await startRawUpstream(t, socket => socket.write(rawResponse()))
  const clock = new FakeClock()
  await upstreamTo(t, raw.url, { clock }).attempt(firstPage)
  t.equal(clock.pending, 0)
})

t.test('closing fails what is in flight and what waits, and says how far each got', async t => {
  const { upstream, asked } = await silent(t)
  const inFlight = failureOf(upstream.attempt(firstPage))
  await asked
  const waiting = failureOf(upstream.attempt(firstPage))
  await upstream.close()
  t.match(await inFlight, { code: 'upstream_unreachable', contact: 'unanswered' })
  t.match(await waiting, { code: 'upstream_unreachable', contact: 'unsent' })
  t.match(await failureOf(upstream.attempt(firstPage)), { contact: 'unsent' })
})

t.test('a TLS handshake that stalls is a timeout, and nothing was sent', async t => {
  const connected = Promise.withResolvers<void>()
  const server = createServer(() => connected.resolve())
  const clock = new FakeClock()
  const upstream = upstreamTo(t, `https://127.0.0.1:${await listen(t, server)}/v1`, { clock })
  const failure = failureOf(upstream.attempt(firstPage))
  await connected.promise
  await clock.advance(5001)
  t.match(await failure, { code: 'upstream_timeout', contact: 'unsent' })
})

t.test('a server that answers TLS with plain HTTP is named as such', async t => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end(rawResponse('', [], '400 Bad Request'))
  })
  const upstream = upstreamTo(t, `https://127.0.0.1:${await listen(t, server)}/v1`)
  t.match(await failureOf(upstream.attempt(firstPage)), {
    code: 'upstream_unreachable',
    contact: 'unsent',
    message: /TLS failed/
  })
})

t.test('a certificate that nobody vouches for is refused before the key is sent', async t => {
  let received = 0
  const server = createTlsServer(selfSigned, socket => socket.on('data', () => received++))
  server.on('tlsClientError', () => {})
  const upstream = upstreamTo(t, `https://127.0.0.1:${await listen(t, server)}/v1`)
  t.match(await failureOf(upstream.attempt(firstPage)), {
    code: 'upstream_unreachable',
    contact: 'unsent',
    message: /TLS failed \(DEPTH_ZERO_SELF_SIGNED_CERT\)/
  })
  t.equal(received, 0)
})
