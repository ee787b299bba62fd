/**
 * Many callers, one question, one call. The clock stands still while they gather, so that all of
 * them wait for the same flight, however slow the machine is.
 */

import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Stack, startStack } from '../support/stack.ts'

const windowMs = 5_000

interface Gathering extends Stack {
  /** Asks so often, side by side, and resolves once all of these requests have arrived. */
  gather(count: number, path: string, init?: RequestInit): Promise<Promise<Response>[]>
  /** Lets time pass until these are answered. */
  settle(asked: readonly Promise<unknown>[]): Promise<void>
  readonly clock: FakeClock
}

/** A service whose only call of this window is spent, so that every further one waits. */
async function startGathering(t: Test, env: Record<string, string> = {}): Promise<Gathering> {
  const clock = new FakeClock()
  const stack = await startStack(t, {
    clock,
    env: {
      UPSTREAM_LIMIT: '1',
      UPSTREAM_WINDOW_SECONDS: `${windowMs / 1000}`,
      // The clock runs ahead of the network here.
      UPSTREAM_TIMEOUT_SECONDS: '36000',
      QUEUE_MAX_WAIT_SECONDS: '3600',
      ...env
    },
    upstream: { enforce: false }
  })
  await read(stack.get('/chats?sort=chats.closedAt&limit=1'))
  let arrived = 0
  stack.service.app.server.on('request', () => arrived++)
  return {
    ...stack,
    gather: async (count, path, init) => {
      const wanted = arrived + count
      const asked = Array.from({ length: count }, () => stack.get(path, init))
      for (const one of asked) one.catch(() => {})
      while (arrived < wanted) await turn()
      await read(fetch(`${stack.url}/healthz`))
      return asked
    },
    settle: async asked => {
      let settled = false
      Promise.allSettled(asked).then(() => {
        settled = true
      })
      while (!settled) {
        await clock.advance(100)
        await turn()
      }
    },
    clock
  }
}

t.test('1,000 callers with one cold question make one call and get the same bytes', async t => {
  const { gather, settle, simulator } = await startGathering(t)
  const asked = await gather(1_000, '/chats?limit=20')
  t.equal(simulator.hits(), 1, 'only the first, which was there before them')
  await settle(asked)
  const answers = await Promise.all(asked.map(read))
  t.equal(simulator.hits(), 2)
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.equal(new Set(answers.map(({ headers }) => headers.get('etag'))).size, 1)
  const outcomes = answers.map(({ headers }) => headers.get('cache-status') ?? '')
  const leader = 'helpcrunch-proxy; fwd=uri-miss; fwd-status=200; stored'
  t.equal(outcomes.filter(outcome => outcome === leader).length, 1)
  t.equal(outcomes.filter(outcome => outcome === `${leader}; collapsed`).length, 999)
})

t.test('other windows of the same page wait for the same call', async t => {
  const { gather, settle, simulator } = await startGathering(t)
  const paths = [
    '/chats',
    '/v1/chats?limit=5',
    '/chats?offset=7&limit=3',
    '/chats/?offset=99&limit=1'
  ]
  const asked = (await Promise.all(paths.map(path => gather(1, path)))).flat()
  await settle(asked)
  const answers = await Promise.all(asked.map(read))
  t.same(
    answers.map(({ body }) => JSON.parse(body).data.length),
    [100, 5, 3, 1]
  )
  t.equal(simulator.hits(), 2)
})

const reads: Record<string, [paths: readonly string[], init: RequestInit]> = {
  'a chat': [['/chats/100007', '/v1/chats/0100007/'], {}],
  messages: [['/chats/100007/messages', '/v1/chats/100007/messages/?limit=1'], {}],
  'a search': [['/chats/search', '/v1/chats/search/'], { method: 'POST', body: '{"filter":[]}' }]
}

for (const [name, [paths, init]] of Object.entries(reads)) {
  t.test(`callers who ask for ${name} at once wait for the same call`, async t => {
    const { gather, settle, simulator } = await startGathering(t)
    const asked = (await Promise.all(paths.map(path => gather(50, path, init)))).flat()
    t.equal(simulator.hits(), 1, 'only the first, which was there before them')
    await settle(asked)
    const answers = await Promise.all(asked.map(read))
    t.same([...new Set(answers.map(({ status }) => status))], [200])
    t.equal(simulator.hits(), 2)
    const outcomes = answers.map(({ headers }) => headers.get('cache-status') ?? '')
    const leader = 'helpcrunch-proxy; fwd=uri-miss; fwd-status=200; stored'
    t.equal(outcomes.filter(outcome => outcome === leader).length, 1)
    t.ok(outcomes.includes(`${leader}; collapsed`))
  })
}

t.test('that there is no such chat reaches all who wait for it', async t => {
  const { gather, settle, simulator } = await startGathering(t)
  const asked = await gather(50, '/chats/7')
  await settle(asked)
  const answers = await Promise.all(asked.map(read))
  for (const answer of answers) checkProblem(t, answer, { status: 404, code: 'chat_not_found' })
  t.equal(simulator.hits(), 2)
})

t.test('a leader that leaves takes nobody with it', async t => {
  const { gather, settle, simulator } = await startGathering(t)
  const leaving = new AbortController()
  const [leader] = await gather(1, '/chats?limit=1', { signal: leaving.signal })
  const others = await gather(20, '/chats?limit=1')
  leaving.abort()
  await t.rejects(leader as Promise<Response>)
  await settle(others)
  const answers = await Promise.all(others.map(read))
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(simulator.hits(), 2)
})

t.test('when the last one has left, no call is made', async t => {
  const { gather, settle, clock, simulator, service } = await startGathering(t)
  const leaving = new AbortController()
  const closed: Promise<unknown>[] = []
  service.app.server.on('request', (_, response) => closed.push(once(response, 'close')))
  const asked = await gather(50, '/chats?limit=1', { signal: leaving.signal })
  leaving.abort()
  for (const one of asked) await t.rejects(one)
  await Promise.all(closed)
  await clock.advance(windowMs + 1_000)
  t.equal(simulator.hits(), 1)
  const next = await gather(1, '/chats?limit=1')
  await settle(next)
  t.equal((await read(next[0] as Promise<Response>)).status, 200, 'and who comes later is served')
  t.equal(simulator.hits(), 2)
})

/** What is answered to one question, and how often that is asked. */
const failures = { 500: 1, 503: 2 }

for (const [status, calls] of Object.entries(failures)) {
  t.test(`a ${status} is shared by those who wait, and tried again for the next`, async t => {
    const { gather, settle, simulator } = await startGathering(t)
    simulator.faultAll({ kind: 'status', status: Number(status) })
    const asked = await gather(50, '/chats?limit=1')
    await settle(asked)
    const answers = await Promise.all(asked.map(read))
    for (const answer of answers) checkProblem(t, answer, { status: 502, code: 'upstream_error' })
    t.equal(simulator.hits() - 1, calls, 'calls for one question of 50')

    simulator.faultAll(undefined)
    const next = await gather(1, '/chats?limit=1')
    await settle(next)
    t.equal((await read(next[0] as Promise<Response>)).status, 200)
    t.equal(simulator.hits() - 1, calls + 1)
  })
}

const windows = { 'one that may be shown while it is refreshed': '60', 'one that may not': '0' }

for (const [name, seconds] of Object.entries(windows)) {
  t.test(`200 callers of a page that is over, ${name}, make one call`, async t => {
    const clock = new FakeClock()
    const env = { CACHE_STALE_WHILE_REVALIDATE_SECONDS: seconds, CACHE_REFRESH_AHEAD: 'false' }
    const { get, simulator } = await startStack(t, { clock, env })
    const old = await read(get('/chats?limit=20'))
    await clock.advance(31_000)
    simulator.store.create()
    simulator.fault({ kind: 'delay', ms: 500 })
    const asked = Array.from({ length: 200 }, () => read(get('/chats?limit=20')))
    const answers = await Promise.all(asked)
    t.same([...new Set(answers.map(({ status }) => status))], [200])
    const bodies = [...new Set(answers.map(({ body }) => body))]
    if (seconds === '0') t.equal(bodies.includes(old.body), false, 'all waited for the new one')
    else t.equal(bodies[0], old.body, 'nobody waits')
    t.ok(bodies.length <= 2)
    t.equal(simulator.hits(), 2)
  })
}

t.test('different questions do not wait for each other', async t => {
  const { get, simulator } = await startStack(t, { upstream: { latencyMs: 20 } })
  const paths = ['?order=asc', '?order=desc', '?sort=chats.closedAt', '?offset=100', '?offset=400']
  const answers = await Promise.all(paths.map(path => read(get(`/chats${path}`))))
  t.equal(new Set(answers.map(({ body }) => body)).size, paths.length)
  t.equal(simulator.hits(), paths.length)
})
