/**
 * Group E, as far as it takes a real process (E5, E6, E8, E14): one team asks for more than there
 * is, leaves, or is refused by the hundred, and what becomes of the others. Fairness and estimates
 * to the millisecond are in test/schedule, in virtual time.
 */

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { checkProblem } from '../support/answers.ts'
import { until } from '../support/children.ts'
import { dial } from '../support/raw-socket.ts'
import { tokens } from '../support/stack.ts'
import { known } from './requests.ts'
import { type ServiceProcess, startService } from './service-process.ts'

const upstream = { chats: 100_000 }
const asGreen = { headers: { authorization: `Bearer ${tokens.green}` } }
const exhausted = { status: 503, code: 'budget_exhausted' }

const page = (number: number) => `/chats?limit=1&offset=${100 * number}`

/** As many connections, each with a request for a page that nobody asked for. */
async function crowd(t: Test, { url }: ServiceProcess, count: number, from: number) {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const socket = await dial(url)
      t.teardown(() => socket.destroy())
      socket.on('error', () => {})
      socket.write(`GET ${page(from + index)} HTTP/1.1\r\n${known}\r\n`)
      return socket
    })
  )
}

const waiting = async (service: ServiceProcess) => (await service.status()).queue.length

t.test('E5 (P1): a team that floods neither takes the reserve nor all places', async t => {
  const env = {
    UPSTREAM_LIMIT: '24',
    UPSTREAM_WINDOW_SECONDS: '600',
    QUEUE_MAX_WAIT_SECONDS: '6000',
    QUEUE_MAX_LENGTH: '100'
  }
  const service = await startService(t, { upstream, env })
  await crowd(t, service, 30, 0)
  // Once these are answered, nothing that waits is sent before the window is over.
  await until(async () => {
    const { budget, queue } = await service.status()
    return queue.length === 8 && budget.inFlight === 0
  })
  t.equal(service.calls(), 22, 'a twelfth is kept for newcomers')
  await crowd(t, service, 270, 30)
  await until(async () => (await service.status()).teams.blue?.refused === 300 - 22 - 90)
  t.equal(await waiting(service), 90, 'and ten places')
  for (const number of [400, 401]) {
    t.equal((await service.get(page(number), asGreen)).status, 200, 'a newcomer is served')
  }
  t.equal(service.calls(), 24)
  const blue = await service.get(page(500))
  const { detail, retryAfter = 0 } = checkProblem(t, blue, exhausted, 'E6: no place')
  t.match(detail, /90/, 'and how many wait')
  // 91 calls at 24 in each window: none before the third further one is over.
  t.ok(retryAfter > 3 * 600, `E6: ${retryAfter} s are no less than it takes`)
  checkProblem(t, await service.get(`/v1${page(500)}`), { ...exhausted, status: 429 }, 'E6: /v1')
})

t.test('E8 (P1): who leaves the line costs nothing, and the others move up', async t => {
  const env = {
    UPSTREAM_LIMIT: '20',
    // Long enough for all of them to come, and most to go, before the first slot is free.
    UPSTREAM_WINDOW_SECONDS: '12',
    QUEUE_MAX_WAIT_SECONDS: '600',
    TEAM_TOKENS: `blue=${tokens.blue}`
  }
  const service = await startService(t, { upstream, env })
  for (let number = 0; number < 20; number++) await service.get(page(number))
  const sockets = await crowd(t, service, 200, 100)
  await until(async () => (await waiting(service)) === 200)
  const stayed = sockets.filter((_, index) => index % 10 === 9)
  for (const socket of sockets) if (!stayed.includes(socket)) socket.destroy()
  await until(async () => (await waiting(service)) <= stayed.length)
  const heard = await Promise.all(stayed.map(socket => once(socket, 'data')))
  t.same(new Set(heard.map(([bytes]) => `${bytes}`.slice(9, 12))), new Set(['200']))
  t.equal(service.calls(), 20 + stayed.length, 'each of them one call, and nobody else')
})

t.test('E14 (P2): who is refused together is not told to come back together', async t => {
  const env = { UPSTREAM_LIMIT: '1', UPSTREAM_WINDOW_SECONDS: '300', TEAM_RATE_LIMIT: '300' }
  const service = await startService(t, { upstream, env })
  await service.get(page(0))
  const refusals = async (count: number, wanted: typeof exhausted) => {
    const told: number[] = []
    for (let number = 1; number <= count; number++) {
      const answer = await service.get(page(number))
      const { retryAfter = 0 } = checkProblem(t, answer, wanted)
      told.push(retryAfter)
    }
    return told
  }
  const times = await refusals(100, exhausted)
  t.ok(new Set(times).size > 10, `${new Set(times).size} different times`)
  t.ok(
    Math.max(...times) - Math.min(...times) >= 15,
    'spread over a twentieth of the wait at least'
  )
})
