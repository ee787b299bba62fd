/**
 * Group C, second part (C1, C2): who sends or reads too slowly, all of them at once, because the
 * process has its own time limits of 10 and 20 seconds. They are told so and hung up on; meanwhile
 * everybody else is served, and what they do not read is not kept in memory.
 */

import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { checkProblem } from '../support/answers.ts'
import { type Conversation, dial, listen } from '../support/raw-socket.ts'
import { known } from './requests.ts'
import { only } from './runner.ts'
import { type ServiceProcess, startService } from './service-process.ts'

const list = `GET /chats?limit=3 HTTP/1.1\r\n${known}`
const search = `POST /chats/search HTTP/1.1\r\n${known}Content-Length: 1000\r\n\r\n{"filter":`
const event = `POST /webhooks/helpcrunch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`

/** What is sent, and what is sent after it, bit by bit. */
const slow: readonly (readonly [bytes: string, drip: string])[] = [
  ['', ''],
  ['GET /cha', ''],
  ['GET /cha', 'a'],
  [list, ''],
  [`${list}X-Slow: `, 'a'],
  [list, 'X-Slow: a\r\n'],
  [search, ''],
  [search, ' '],
  [event, ' ']
]
/** More than the limits and the time that Node takes to notice. */
const patienceMs = 90_000

interface Slow {
  readonly socket: Socket
  readonly heard: Promise<Conversation>
}

async function openSlow(url: string, bytes: string): Promise<Slow> {
  const socket = await dial(url)
  const heard = listen(socket, { patienceMs })
  socket.write(bytes)
  return { socket, heard }
}

/** Asks for something and reads none of it. */
async function openIdle(t: Test, { url }: ServiceProcess, target: string): Promise<Socket> {
  const socket = await dial(url)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET ${target} HTTP/1.1\r\n${known}\r\n`)
  return socket
}

/** Once no more calls are made for a while. */
async function atRest(service: ServiceProcess): Promise<number> {
  for (let calls = service.calls(), quiet = 0; ; ) {
    await sleep(100)
    quiet = service.calls() === calls ? quiet + 1 : 0
    calls = service.calls()
    if (quiet === 10) return calls
  }
}

const chats = 30_000

t.test('C1, C2 (P1): who sends too slowly is told so, and keeps nobody waiting', async t => {
  const service = await startService(t)
  await service.get('/chats?limit=3')
  const calls = service.calls()
  const many = Array.from({ length: 10 }, () => slow).flat()
  const all = await Promise.all(many.map(([bytes]) => openSlow(service.url, bytes)))
  const drip = setInterval(() => {
    for (const [index, { socket }] of all.entries()) {
      const [, bit = ''] = many[index] ?? []
      if (socket.writable && bit) socket.write(bit)
    }
  }, 500)
  t.teardown(() => clearInterval(drip))
  let isOver = false
  const ends = Promise.all(all.map(({ heard }) => heard)).finally(() => {
    isOver = true
  })
  while (!isOver) {
    const answer = await service.get('/chats?limit=3')
    t.equal(answer.status, 200, 'others are served')
    await sleep(250)
  }
  for (const [index, heard] of (await ends).entries()) {
    const name = JSON.stringify(many[index]).slice(0, 60)
    const answer = only(t, heard, name)
    checkProblem(t, answer, { status: 408, code: 'request_timeout' }, name)
    t.equal(heard.end, 'closed', name)
    service.heard(heard.bytes)
  }
  t.equal(service.calls(), calls, 'without a call')
  await service.checkEnd(t)
})

t.test('C2 (P1): what nobody reads is neither fetched nor kept', async t => {
  const service = await startService(t, { upstream: { chats } })
  const page = await service.get('/chats?limit=1000')
  t.ok(page.body.length > 500_000, `${page.body.length} bytes`)
  const before = await service.restPeak()
  await Promise.all(Array.from({ length: 100 }, () => openIdle(t, service, '/chats?limit=1000')))
  await openIdle(t, service, '/chats/export')
  const calls = await atRest(service)
  t.ok(calls < chats / 100, `${calls} calls for an export that nobody reads`)
  const peak = await service.peak()
  t.ok(peak - before < 80, `${before} MB became ${peak} MB`)
  t.equal((await service.get('/chats?limit=3')).status, 200, 'others are served')
  const { exports } = await service.status()
  t.equal(exports.length, 1, 'it has not come to its end')
})
