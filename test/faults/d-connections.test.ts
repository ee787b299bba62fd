/**
 * Group D, third part (D1, D2, D15–D17): an upstream that cannot be reached or trusted, or whose
 * connections end at the wrong moment, by bare sockets.
 */

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'
import { startSimulator } from '../../simulator/upstream.ts'
import { checkProblem } from '../support/answers.ts'
import { expired, ofAnotherHost, selfSigned } from '../support/certificate.ts'
import { emptyFolder, until } from '../support/children.ts'
import { emptyList, listen, rawResponse, startRawUpstream } from '../support/raw-upstream.ts'
import { apiKey } from '../support/stack.ts'
import { type ServiceOptions, type ServiceProcess, startService } from './service-process.ts'

t.jobs = 4
const aside = { buffered: true }

const unreachable = { status: 502, code: 'upstream_unreachable' }
const late = { status: 504, code: 'upstream_timeout' }

/** Calls that left, by our own books. */
const counted = async (service: ServiceProcess) => (await service.status()).upstream.calls

t.test('D1 (P1): a connection that is refused, until somebody listens', aside, async t => {
  const [port] = await freePorts('127.0.0.1', [0])
  const service = await startService(t, { baseUrl: `http://127.0.0.1:${port}/v1` })
  const { detail } = checkProblem(t, await service.get('/chats'), unreachable)
  t.match(detail, /HelpCrunch/)
  const simulator = await startSimulator({ port: port ?? 0, apiKey, chats: 10 })
  t.teardown(() => simulator.close())
  const answer = await service.get('/chats')
  t.same([answer.status, answer.headers.get('x-total-count')], [200, '10'])
  t.equal(await counted(service), 1, 'what never left is not counted')
  await service.checkEnd(t)
})

t.test('D2 (P1): an upstream that never answers', aside, async t => {
  const raw = await startRawUpstream(t, () => {})
  const env = { UPSTREAM_TIMEOUT_SECONDS: '1' }
  const service = await startService(t, { baseUrl: raw.url, env })
  const started = performance.now()
  checkProblem(t, await service.get('/chats'), late)
  t.ok(performance.now() - started >= 990, 'not before its time is over')
  await until(() => raw.sockets.every(socket => socket.destroyed))
  const { budget, upstream } = await service.status()
  t.same([budget.inFlight, budget.used, upstream.calls], [0, 1, 1], 'and the call counts')
  t.equal(raw.requests.length, 1)
})

t.test('D15 (P2): a name that does not exist', aside, async t => {
  const service = await startService(t, { baseUrl: 'http://upstream.invalid/v1' })
  const { detail } = checkProblem(t, await service.get('/chats'), unreachable)
  t.match(detail, /host name/)
  t.equal(await counted(service), 0)
})

/**
 * The name `upstream.test` is looked up as a file says that the test writes: an address, or an
 * error's code, and how long that takes. Everything else of the process is as it is.
 */
const lookup = (file: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`
    import dns from 'node:dns'
    import { readFileSync } from 'node:fs'
    const { lookup } = dns
    dns.lookup = (name, options, done) => {
      if (name !== 'upstream.test') return lookup(name, options, done)
      const [address, ms] = readFileSync('${file}', 'utf8').split(' ')
      const found = /^\\d/.test(address)
      const failure = found ? null : Object.assign(new Error(address), { code: address })
      const all = [{ address, family: 4 }]
      setTimeout(() => options.all ? done(failure, all) : done(failure, address, 4), Number(ms))
    }`)}`
})

t.test('D15 (P2): a name that is slow to be found, is gone, and is elsewhere', aside, async t => {
  const file = join(await emptyFolder(t), 'hosts')
  const found = (address: string, ms = 0) => writeFile(file, `${address} ${ms}`)
  await found('127.0.0.1')
  const answering = (total: number) => (socket: Socket) => {
    const chats = Array.from({ length: total }, (_, index) => `{"id":${index + 1}}`)
    const body = `{"data":[${chats}],"meta":{"total":${total}}}`
    socket.write(rawResponse(body, ['Connection: close']))
  }
  const here = await startRawUpstream(t, answering(1))
  const there = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', () => answering(2)(socket))
  })
  there.listen(here.port, '127.0.0.2')
  await once(there, 'listening')
  t.teardown(() => there.close())
  const service = await startService(t, {
    baseUrl: `http://upstream.test:${here.port}/v1`,
    env: { ...lookup(file), UPSTREAM_TIMEOUT_SECONDS: '2', CACHE_FRESH_SECONDS: '0' }
  })
  const lists = ['createdAt', 'closedAt', 'lastMessageAt', 'lastCustomerMessageAt']
  const ask = (list = 0) => service.get(`/chats?sort=chats.${lists[list]}&order=asc`)
  const total = async () => (await ask()).headers.get('x-total-count')
  t.equal(await total(), '1')
  await found('127.0.0.1', 30_000)
  checkProblem(t, await ask(1), late, 'a name that nobody tells in time')
  await found('EAI_AGAIN')
  checkProblem(t, await ask(2), unreachable, 'a name that cannot be told')
  t.equal(await counted(service), 1, 'what never left is not counted')
  await found('127.0.0.2', 100)
  await service.operator('/cache', { method: 'DELETE' })
  t.equal(await total(), '2')
  t.equal(here.requests.length, 1, 'the old address is not asked any more')
})

/** What the service says of a server with this certificate, if it is told to trust it or not. */
async function meet(t: Test, identity: typeof selfSigned, isTrusted: boolean) {
  let received = 0
  const server = createTlsServer(identity, socket => {
    socket.on('error', () => {})
    socket.on('data', () => {
      received++
      socket.write(rawResponse())
    })
  })
  server.on('tlsClientError', () => {})
  const port = await listen(t, server)
  const file = join(await emptyFolder(t), 'authority.pem')
  await writeFile(file, identity.cert)
  const options: ServiceOptions = { baseUrl: `https://127.0.0.1:${port}/v1` }
  const env = isTrusted ? { NODE_EXTRA_CA_CERTS: file } : {}
  const service = await startService(t, { ...options, env })
  return { answer: await service.get('/chats'), service, received: () => received }
}

const untrusted: readonly (readonly [string, typeof selfSigned, boolean, string])[] = [
  ['of nobody', selfSigned, false, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['that is over', expired, true, 'CERT_HAS_EXPIRED'],
  ['of another host', ofAnotherHost, true, 'ERR_TLS_CERT_ALTNAME_INVALID']
]

for (const [name, identity, isTrusted, reason] of untrusted) {
  t.test(`D16 (P1): a certificate ${name}`, aside, async t => {
    const { answer, received, service } = await meet(t, identity, isTrusted)
    const { detail } = checkProblem(t, answer, unreachable)
    t.match(detail, `TLS failed (${reason})`)
    t.equal(received(), 0, 'the key was not sent')
    await service.checkEnd(t)
  })
}

t.test('D16 (P1): a certificate that is trusted', aside, async t => {
  const { answer } = await meet(t, selfSigned, true)
  t.same([answer.status, answer.body], [200, emptyList])
})

t.test('D16 (P1): a handshake that stalls', aside, async t => {
  const port = await listen(t, createServer())
  const env = { UPSTREAM_TIMEOUT_SECONDS: '1' }
  const service = await startService(t, { baseUrl: `https://127.0.0.1:${port}/v1`, env })
  checkProblem(t, await service.get('/chats'), late)
  t.equal(await counted(service), 0, 'nothing was sent')
})

t.test('D17 (P1): a connection that is closed as it is used again', aside, async t => {
  const raw = await startRawUpstream(t, (socket, index) => {
    if (index === 1) socket.destroy()
    else socket.write(rawResponse())
  })
  const service = await startService(t, { baseUrl: raw.url })
  t.equal((await service.get('/chats?order=asc')).status, 200)
  t.equal((await service.get('/chats?order=desc')).status, 200, 'nobody notices')
  t.equal(raw.requests.length, 3)
  t.equal(raw.sockets.length, 2, 'on a fresh connection')
  const { budget, upstream } = await service.status()
  t.same([budget.used, upstream.calls], [3, 3], 'and all of them count')
})

t.test('D17 (P1): a connection that was closed while it was idle', aside, async t => {
  const raw = await startRawUpstream(t, socket => {
    socket.write(rawResponse())
  })
  const service = await startService(t, { baseUrl: raw.url })
  const lists = ['createdAt', 'closedAt', 'lastMessageAt', 'lastCustomerMessageAt'].flatMap(sort =>
    ['asc', 'desc'].map(order => `/chats?sort=chats.${sort}&order=${order}`)
  )
  for (const [index, list] of lists.entries()) {
    t.equal((await service.get(list)).status, 200)
    const socket = raw.sockets.at(-1)
    const closed = once(socket!, 'close')
    if (index % 2) socket?.resetAndDestroy()
    else socket?.end()
    await closed
  }
  const { upstream } = await service.status()
  t.equal(upstream.calls, raw.requests.length, 'each was counted')
})
