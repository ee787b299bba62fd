/**
 * More connections than the system lets the real process open: it goes on, and nobody who asks is
 * left without an answer.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { startSimulator } from '../simulator/upstream.ts'
import { read } from './support/answers.ts'
import { startLimitedChild, until } from './support/children.ts'
import { apiKey, tokens } from './support/stack.ts'

async function start(t: Test, openFiles: number) {
  const simulator = await startSimulator({ apiKey, chats: 1000, latencyMs: 0 })
  t.teardown(() => simulator.close())
  const env = {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue}`,
    LOG_LEVEL: 'warn'
  }
  const child = await startLimitedChild(t, env, openFiles)
  const get = (path: string) =>
    read(fetch(child.url + path, { headers: { authorization: `Bearer ${tokens.blue}` } }))
  return { child, get }
}

/** Connections that say nothing; some may be hung up on. */
async function openIdle(t: Test, url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url)
  const sockets = Array.from({ length: count }, () => connect(Number(port), hostname))
  t.teardown(() => sockets.forEach(socket => void socket.destroy()))
  for (const socket of sockets) socket.on('error', () => {})
  await Promise.all(
    sockets.map(socket => Promise.race([once(socket, 'connect'), once(socket, 'close')]))
  )
  return sockets
}

t.test('with 256 open files, 600 idle connections cost those idle longest', async t => {
  const { child, get } = await start(t, 256)
  const idle = await openIdle(t, child.url, 600)
  const isOpen = (socket: Socket) => !socket.destroyed && !socket.readableEnded
  for (const socket of idle) socket.resume()
  await until(() => idle.filter(isOpen).length < 256)
  for (const offset of [0, 100, 200]) {
    t.equal((await get(`/chats?offset=${offset}`)).status, 200, 'a miss opens files of its own')
    t.equal((await get('/healthz')).status, 200)
  }
  const left = idle.filter(isOpen).length
  t.ok(left > 100, `${left} of them are still there`)
  t.equal(child.process.exitCode, null)
  t.equal(child.stderr(), '')
})

t.test('where there are too few even for that, it survives and recovers', async t => {
  // It has about 26 open by itself, takes ten callers, and makes up to eight connections.
  const { child, get } = await start(t, 40)
  for (let round = 0; round < 3; round++) {
    const idle = await openIdle(t, child.url, 200)
    await Promise.allSettled([0, 1, 2, 3, 4].map(page => get(`/chats?offset=${page * 100}`)))
    for (const socket of idle) socket.destroy()
    await until(async () => (await get('/chats').catch(() => undefined))?.status === 200)
    t.equal((await get('/healthz')).status, 200)
  }
  t.equal(child.process.exitCode, null)
  t.equal(child.stderr(), '')
})
