/** A listener's connections, on real sockets and a clock that is moved by hand. */

import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  CallerLeftError,
  Connections,
  type ConnectionsOptions
} from '../../src/http/connections.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { dial, listen } from '../support/raw-socket.ts'

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

/** A listener whose requests wait until the test answers them. */
async function rig(
  t: Test,
  { most = 100, handle, ...limits }: Partial<ConnectionsOptions> & { handle?: RequestListener } = {}
) {
  const clock = new FakeClock()
  const waiting: ServerResponse[] = []
  const server = createServer(handle ?? ((_, response) => void waiting.push(response)))
  const connections = new Connections({ server, clock, most, ...limits })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  t.teardown(() => {
    connections.cut()
    server.close()
  })
  const accepted: Socket[] = []
  server.on('connection', socket => accepted.push(socket))
  /** A connection that the listener has accepted, and on which it has read what was sent. */
  const connect = async (bytes = '') => {
    const before = accepted.length
    const socket = await dial(url)
    socket.on('error', () => {})
    while (accepted.length === before) await turn()
    if (bytes !== '') await say(socket, bytes)
    return socket
  }
  const say = async (socket: Socket, bytes: string) => {
    const before = waiting.length
    socket.write(bytes)
    const requests = bytes.split('\r\n\r\n').length - 1
    while (waiting.length < before + requests) await turn()
  }
  return { accepted, clock, server, connections, waiting, connect, say }
}

const isClosed = async (socket: Socket) => {
  for (let left = 50; left > 0 && !socket.closed; left--) await turn()
  return socket.closed
}

t.test(
  'draining ends what is owed nothing a moment later: silent, idle, half a request',
  async t => {
    const { accepted, clock, connections, server, waiting, connect } = await rig(t)
    const silent = await connect()
    const idle = await connect(request)
    const heard = once(idle, 'data')
    waiting[0]?.end('answer')
    await heard
    const half = await connect()
    half.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    while (accepted[2]?.bytesRead === 0) await turn()
    const ends = [silent, idle, half].map(socket => listen(socket))
    const drained = connections.drain()
    t.notOk(server.listening)
    await clock.advance(249)
    t.same(
      accepted.map(({ destroyed }) => destroyed),
      [false, false, false]
    )
    await clock.advance(1)
    await drained
    for (const { end } of await Promise.all(ends)) t.equal(end, 'closed', 'and not by a reset')
    t.equal(clock.pending, 0)
  }
)

t.test('a request that was on its way when the door closed is answered', async t => {
  const { clock, connections, waiting, connect, say } = await rig(t)
  const [used, fresh] = [await connect(request), await connect()]
  const before = once(used, 'data')
  waiting[0]?.end('before')
  await before
  const drained = connections.drain()
  const heard = [used, fresh].map(socket => listen(socket))
  for (const socket of [used, fresh]) await say(socket, request)
  await clock.advance(1000)
  for (const response of waiting.slice(1)) response.end('after')
  for (const { answers, end } of await Promise.all(heard)) {
    t.same([answers.map(({ body }) => body), end], [['after'], 'closed'])
  }
  await t.resolves(drained)
})

t.test('draining leaves each connection its answers, then ends it', async t => {
  const { clock, connections, waiting, connect } = await rig(t)
  const heard = listen(await connect(request + request))
  let isDrained = false
  const drained = connections.drain().then(() => {
    isDrained = true
  })
  await clock.advance(1000)
  waiting[1]?.end('second')
  await turn()
  t.notOk(isDrained)
  waiting[0]?.end('first')
  const { answers, end } = await heard
  t.same([answers.map(({ body }) => body), end], [['first', 'second'], 'closed'])
  await t.resolves(drained)
})

t.test('nobody is waited for if nobody is there', async t => {
  const { clock, connections } = await rig(t)
  await t.resolves(connections.drain())
  t.equal(clock.pending, 0)
})

t.test('of several requests on one connection the latest is known', async t => {
  const { connections, waiting, connect } = await rig(t)
  await connect(request + request)
  const [first, second] = waiting
  t.same(
    [first, second].map(response => connections.isLatest(response!.req)),
    [false, true]
  )
})

t.test('whoever works on an answer is told to give up, and why', async t => {
  const { connections, waiting, connect } = await rig(t)
  await connect(request + request)
  const [first, second] = waiting
  const signals = [connections.signalOf(first!.req)]
  t.equal(connections.abandonedFor, undefined)
  const reason = new Error('no time left')
  connections.abandon(reason)
  // Or comes to work on it only then.
  signals.push(connections.signalOf(second!.req))
  t.same(
    signals.map(signal => signal.reason),
    [reason, reason]
  )
  t.equal(connections.abandonedFor, reason)
})

t.test('whoever works on an answer is told that its caller has left', async t => {
  const { accepted, connections, waiting, connect } = await rig(t)
  const socket = await connect(request + request + request)
  const [first, second, third] = waiting
  const heard = once(socket, 'data')
  const signals = [first, second].map(response => connections.signalOf(response!.req))
  first?.end('answer')
  await heard
  const closed = new Promise(resolve => accepted[0]?.once('close', resolve))
  socket.resetAndDestroy()
  await closed
  // Or comes to work on it only then.
  signals.push(connections.signalOf(third!.req))
  t.same(
    signals.map(({ reason }) => reason instanceof CallerLeftError),
    [false, true, true],
    'also of those that were behind another one, and not of what was sent'
  )
})

t.test('a body that is cut off is visibly incomplete', async t => {
  for (const headers of [{}, { 'content-length': 1000 }]) {
    const { connections, waiting, connect, say } = await rig(t)
    const socket = await connect()
    const heard = listen(socket)
    await say(socket, request)
    const begun = once(socket, 'data')
    waiting[0]?.writeHead(200, headers).write('half')
    await begun
    const drained = connections.drain()
    connections.cut()
    await drained
    const { answers, rest } = await heard
    t.same(answers, [], 'no whole answer')
    t.match(rest, 'half')
  }
})

t.test('one connection too many costs the one that was idle longest', async t => {
  const { connect, waiting } = await rig(t, { most: 3 })
  const busy = await connect(request)
  const used = await connect(request)
  const silent = await connect()
  const heard = once(used, 'data')
  waiting[1]?.end()
  await heard
  const fourth = await connect()
  t.ok(await isClosed(silent), 'silent for longer than the other is idle')
  t.notOk(used.closed)
  await connect()
  t.ok(await isClosed(used))
  t.same([busy.closed, fourth.closed], [false, false])
})

t.test('if all are busy, the newcomer is the one too many', async t => {
  const { connect, waiting } = await rig(t, { most: 3 })
  const busy = [await connect(request), await connect(request), await connect(request)]
  const newcomer = await connect()
  t.ok(await isClosed(newcomer))
  t.same(
    busy.map(({ closed }) => closed),
    [false, false, false]
  )
  const heard = once(busy[0]!, 'data')
  waiting[0]?.end()
  await heard
  const next = await connect(request)
  t.notOk(await isClosed(next), 'there is room again')
})

const megabytes = Buffer.alloc(32 * 2 ** 20)

t.test('who does not read an answer is hung up on after a minute', async t => {
  const { clock, connect, server } = await rig(t, {
    handle: (_, response) => void response.end(megabytes)
  })
  const socket = await connect()
  socket.pause()
  const asked = once(server, 'request')
  socket.write(request)
  await asked
  await clock.advance(60_000)
  t.equal(await connectionsOf(server), 1, 'not yet')
  await clock.advance(20_000)
  while ((await connectionsOf(server)) > 0) await turn()
  t.equal(clock.pending, 0, 'and nobody is looked after any more')
})

const connectionsOf = (server: ReturnType<typeof createServer>) =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  )

t.test('who waits for an answer, or reads a stream as it comes, is left alone', async t => {
  const { clock, waiting, connect } = await rig(t)
  const patient = await connect(request)
  const reader = await connect(request)
  waiting[1]?.write('begin')
  for (let minute = 0; minute < 5; minute++) {
    const heard = once(reader, 'data')
    waiting[1]?.write('more')
    await heard
    await clock.advance(60_000)
  }
  await clock.advance(600_000)
  t.same([patient.closed, reader.closed], [false, false])
})

/** Resolves once the whole of a large answer was read. */
function readMegabytes(socket: Socket): Promise<void> {
  let left = megabytes.length
  return new Promise(resolve =>
    socket.on('data', chunk => {
      left -= chunk.length
      if (left < 0) resolve()
    })
  )
}

t.test('more unread answers than there is memory for cost those begun longest ago', async t => {
  const { accepted, connections, connect, waiting } = await rig(t, {
    mostUnsentBytes: 3 * megabytes.length
  })
  const answer = (response: ServerResponse | undefined) => {
    const body = Buffer.alloc(megabytes.length)
    connections.sending(response!, body)
    response?.end(body)
  }
  const quick = await connect(request)
  answer(waiting[0])
  await t.resolves(readMegabytes(quick))
  for (let index = 1; index <= 4; index++) {
    const slow = await connect(request)
    slow.pause()
    answer(waiting[index])
  }
  t.same(
    accepted.map(({ destroyed }) => destroyed),
    [false, true, false, false, false],
    'what was read does not count'
  )
})

t.test('an answer larger than that is sent all the same', async t => {
  const { connections, connect, waiting } = await rig(t, { mostUnsentBytes: 1 })
  const socket = await connect(request)
  connections.sending(waiting[0]!, megabytes)
  waiting[0]?.end(megabytes)
  await t.resolves(readMegabytes(socket))
})

t.test('answers that share their bytes cost no more than one', async t => {
  const mostUnsentBytes = megabytes.length
  const { accepted, connections, connect, waiting } = await rig(t, { mostUnsentBytes })
  const send = (index: number, body: Buffer) => {
    connections.sending(waiting[index]!, body)
    waiting[index]?.end(body)
  }
  for (let index = 0; index < 5; index++) {
    const slow = await connect(request)
    slow.pause()
    send(index, megabytes)
  }
  const destroyed = () => accepted.filter(({ destroyed }) => destroyed).length
  t.equal(destroyed(), 0)
  await connect(request)
  send(5, Buffer.alloc(megabytes.length))
  t.equal(destroyed(), 5, 'its memory is free when the last of them is given up')
})
