/**
 * The budget of calls, seen by callers: what is asked for beyond it waits for its turn, what cannot
 * make its deadline is refused at once with an honest `Retry-After`, and the upstream never sees
 * more than its limit in any window.
 */

import t from 'tap'
import { sorts } from '../../src/chats/query.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startStack, tokens } from '../support/stack.ts'

/** Each needs a call of its own. */
const pages = [undefined, ...sorts].flatMap(sort =>
  ['asc', 'desc'].flatMap(order =>
    [0, 100, 200, 300, 400].map(
      offset => `/chats?${sort ? `sort=${sort}&` : ''}order=${order}&offset=${offset}&limit=10`
    )
  )
)

const exhausted = { status: 503, code: 'budget_exhausted' }

t.test(
  '50 cold pages at once on a budget of 20 a second are all answered, within the law',
  async t => {
    const { get, simulator } = await startStack(t, {
      env: { UPSTREAM_LIMIT: '20', UPSTREAM_WINDOW_SECONDS: '1', QUEUE_MAX_WAIT_SECONDS: '60' },
      upstream: { limit: 20, windowSeconds: 1, latencyMs: 5, jitterMs: 40 }
    })
    const asked = pages.map(path => read(get(path)))
    const answers = await Promise.all(asked)
    t.same([...new Set(answers.map(({ status }) => status))], [200])
    t.ok(simulator.largestWindow() <= 20, `${simulator.largestWindow()} in one window`)
    t.same(
      simulator.arrivals().filter(({ status }) => status !== 200),
      [],
      'none was one too many'
    )
    const waited = answers.filter(
      ({ headers }) => !/queue;dur=0\.0/.test(headers.get('server-timing') ?? '')
    )
    t.ok(waited.length > 0, 'Server-Timing says who waited')
  }
)

/** One call in a minute, and it is spent. */
async function startSpent(t: Parameters<typeof startStack>[0], env: Record<string, string> = {}) {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: { UPSTREAM_LIMIT: '1', ...env } })
  await read(env.TEAM_TOKENS === '' ? fetch(`${stack.url}/chats`) : stack.get('/chats'))
  return { ...stack, clock }
}

t.test('who cannot make the deadline is refused at once and told when to come back', async t => {
  const { get, simulator, clock } = await startSpent(t)
  await clock.advance(10_000)
  // The clock stands still: only an answer without any wait can arrive.
  const refused = await read(get('/chats?offset=100'))
  const { retryAfter = 0 } = checkProblem(t, refused, exhausted)
  t.ok(retryAfter >= 50 && retryAfter <= 60, `${retryAfter} s: not before, and not much later`)
  t.equal(refused.headers.get('cache-status')?.includes('hit') ?? false, false)
  t.equal(simulator.hits(), 1)
  await clock.advance(retryAfter * 1000)
  t.equal((await read(get('/chats?offset=100'))).status, 200, 'it is worth coming back then')
})

t.test('what is stored is served without any budget', async t => {
  const { get, simulator, clock } = await startSpent(t)
  await clock.advance(20_000)
  const { status, headers } = await read(get('/chats?offset=3&limit=7'))
  t.same([status, headers.get('age')], [200, '20'])
  t.equal(simulator.hits(), 1)
})

const preferences = [
  { prefer: 'wait=1', refused: true },
  { prefer: 'respond-async, WAIT=2', refused: true },
  { prefer: 'wait="3"', refused: true },
  { prefer: 'wait=0.3', refused: true },
  { prefer: 'wait="4.999999"', refused: true },
  { prefer: 'wait=7', refused: false },
  { prefer: 'wait=5.5', refused: false },
  { prefer: 'wait=.3', refused: false },
  { prefer: 'wait=0.3.1', refused: false },
  { prefer: 'wait=3e-1', refused: false },
  { prefer: 'wait=100', refused: false },
  { prefer: 'wait=banana', refused: false },
  { prefer: 'wait=-1', refused: false },
  { prefer: 'return=minimal', refused: false }
]

t.test('Prefer: wait shortens the deadline, and nothing else moves it', async t => {
  for (const { prefer, refused } of preferences) {
    const { get, clock, service } = await startSpent(t, { UPSTREAM_WINDOW_SECONDS: '5' })
    let arrived = false
    service.app.server.on('request', () => {
      arrived = true
    })
    const asked = read(get('/chats?offset=100', { headers: { prefer } }))
    while (!arrived) await clock.advance(0)
    if (!refused) {
      await read(get('/healthz'))
      await clock.advance(6_000)
    }
    t.equal((await asked).status, refused ? 503 : 200, prefer)
  }
})

t.test(
  'who joins a call and cannot wait as long as it will have to is refused at once',
  async t => {
    const { get, clock, simulator, service } = await startSpent(t, { UPSTREAM_WINDOW_SECONDS: '5' })
    let arrived = 0
    service.app.server.on('request', () => {
      arrived++
    })
    const path = '/chats?offset=100'
    const patient = read(get(path))
    while (arrived === 0) await clock.advance(0)
    // The clock stands still: only an answer without any wait can arrive.
    const refused = await read(get(path, { headers: { prefer: 'wait=2' } }))
    const { retryAfter = 0 } = checkProblem(t, refused, exhausted)
    t.ok(retryAfter >= 5 && retryAfter <= 7, `${retryAfter} s`)
    await clock.advance(retryAfter * 1000)
    t.equal((await patient).status, 200)
    t.equal((await read(get(path, { headers: { prefer: 'wait=0' } }))).status, 200)
    t.equal(simulator.hits(), 2)
  }
)

t.test('who will not wait at all is still served while a slot is free', async t => {
  const { get } = await startStack(t)
  t.equal((await get('/chats', { headers: { prefer: 'wait=0' } })).status, 200)
  const impatient = await startStack(t, { env: { QUEUE_MAX_WAIT_SECONDS: '0' } })
  t.equal((await impatient.get('/chats')).status, 200)
})

t.test('a full queue refuses at once, whoever asks', async t => {
  const { url, simulator, clock } = await startSpent(t, {
    TEAM_TOKENS: '',
    QUEUE_MAX_LENGTH: '3',
    QUEUE_MAX_WAIT_SECONDS: '3600',
    // The clock runs ahead of the network here.
    UPSTREAM_TIMEOUT_SECONDS: '36000'
  })
  const asked = pages.slice(0, 4).map(path => read(fetch(url + path)))
  const refused = await Promise.race(asked)
  const { retryAfter = 0 } = checkProblem(t, refused, exhausted)
  t.ok(retryAfter >= 4 * 60 - 1, `${retryAfter} s: not before all who wait`)
  let settled = false
  const all = Promise.all(asked).finally(() => {
    settled = true
  })
  while (!settled) await clock.advance(1_000)
  const statuses = (await all).map(({ status }) => status)
  t.same(statuses.sort(), [200, 200, 200, 503])
  t.equal(simulator.hits(), 4)
})

t.test('calls that fail are counted like any other', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock, env: { UPSTREAM_LIMIT: '3' } })
  simulator.faultAll({ kind: 'status', status: 500 })
  const answers = await Promise.all(pages.slice(0, 6).map(path => read(get(path))))
  t.equal(simulator.hits(), 3)
  const last = await read(get('/chats?order=desc&offset=400'))
  checkProblem(t, last, exhausted)
  t.same(
    answers.filter(({ status }) => status !== 502 && status !== 503),
    []
  )
})

t.test('the budget is one, whichever team spends it', async t => {
  const { url, simulator } = await startSpent(t)
  for (const token of Object.values(tokens)) {
    const headers = { authorization: `Bearer ${token}` }
    checkProblem(t, await read(fetch(`${url}/chats?offset=100`, { headers })), exhausted)
  }
  t.equal(simulator.hits(), 1)
})
