/**
 * The wall clock of the real process is set forward, back and by years while it runs (libfaketime;
 * the monotonic clock stays real): budget, ages, freshness and dates, in front of the simulator.
 */

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startSimulator } from '../simulator/upstream.ts'
import { checkProblem, read } from './support/answers.ts'
import { emptyFolder, startReadyChild, until } from './support/children.ts'
import { apiKey, tokens } from './support/stack.ts'
import { libfaketime, WallClock } from './support/wall-clock.ts'

const library = libfaketime()
const missing = 'libfaketime is not installed (Debian: apt-get install libfaketime)'
if (!library) t.test('the wall clock of the real process', { skip: missing }, () => {})

/** What can be tested with it only; one line says so for all of them where it is missing. */
function test(name: string, run: (t: Test) => Promise<void>): void {
  if (library) t.test(name, run)
}

const limit = 20
const windowSeconds = 1
const hourMs = 3_600_000
const steps = {
  '+1h': hourMs,
  '-1h': -hourMs,
  '+10y': 10 * 365 * 24 * hourMs,
  '+0': 0
}

/** The service, with a wall clock that is set by writing a file. */
async function startStepping(t: Test, env: Record<string, string>) {
  const simulator = await startSimulator({
    ...{ apiKey, chats: 10_000, limit, windowSeconds, enforce: false, latencyMs: 5, jitterMs: 50 }
  })
  t.teardown(() => simulator.close())
  const clock = new WallClock(library ?? '', join(await emptyFolder(t), 'clock'))
  const set = (step: string) => clock.set(step)
  const child = await startReadyChild(t, {
    ...clock.environment,
    FAKETIME_NO_CACHE: '1',
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue}`,
    UPSTREAM_LIMIT: String(limit),
    UPSTREAM_WINDOW_SECONDS: String(windowSeconds),
    CACHE_ADAPTIVE: 'false',
    CACHE_REFRESH_AHEAD: 'false',
    CACHE_READ_AHEAD: 'false',
    LOG_LEVEL: 'warn',
    ...env
  })
  const headers = { authorization: `Bearer ${tokens.blue}` }
  const get = (path: string) => read(fetch(child.url + path, { headers }))
  /** How far the service's dates are from where they are to be. */
  const skewMs = async (stepMs: number) => {
    const date = Date.parse((await get('/chats')).headers.get('date') ?? '')
    return Math.abs(date - Date.now() - stepMs)
  }
  return { child, get, set, simulator, skewMs }
}

const ageOf = (headers: Headers) => Number(headers.get('age') ?? Number.NaN)

test('however the wall clock jumps, the budget is neither exceeded nor lost', async t => {
  const { get, set, simulator } = await startStepping(t, {})
  let going = true
  const lanes = Array.from({ length: 20 }, async (_, lane) => {
    for (let turn = 0; going; turn++) await get(`/chats/${100_000 + 20 * turn + lane}`)
  })
  for (const step of Object.keys(steps)) {
    const before = simulator.hits()
    await until(() => simulator.hits() >= before + limit)
    await set(step)
    // A budget that waited for the other clock would wait for an hour.
    const since = simulator.hits()
    await until(() => simulator.hits() >= since + 1.5 * limit)
  }
  going = false
  await Promise.all(lanes)
  t.ok(simulator.largestWindow() <= limit, `${simulator.largestWindow()} in the fullest window`)
})

test('pages grow neither younger nor older by a jump, and dates follow it', async t => {
  const { get, set, simulator, skewMs } = await startStepping(t, { CACHE_FRESH_SECONDS: '600' })
  await get('/chats')
  const hits = simulator.hits()
  const startedAt = performance.now()
  for (const [step, stepMs] of Object.entries(steps)) {
    await set(step)
    await until(async () => (await skewMs(stepMs)) < 30_000)
    const { status, headers } = await get('/chats')
    const age = ageOf(headers)
    const passed = (performance.now() - startedAt) / 1000
    t.equal(status, 200)
    t.ok(age >= 0 && age <= passed + 1, `${step}: ${age} s after ${passed.toFixed(1)} s`)
    t.match(headers.get('cache-status'), /hit; ttl=5\d\d/, 'neither immortal nor expired')
  }
  t.equal(simulator.hits(), hits)
})

test('a page expires after its lifetime, whatever the wall clock says', async t => {
  const env = { CACHE_FRESH_SECONDS: '1', CACHE_STALE_WHILE_REVALIDATE_SECONDS: '0' }
  const { get, set, simulator } = await startStepping(t, env)
  for (const [index, step] of Object.keys(steps).entries()) {
    const path = `/chats?offset=${index * 100}`
    t.equal((await get(path)).status, 200, step)
    await set(step)
    const before = simulator.hits()
    // Every reader is answered, and soon one of them by a new call.
    const others = new Set<number | string>()
    await until(async () => {
      const { status, body } = await get(path)
      if (status !== 200) others.add(body)
      return simulator.hits() > before
    })
    t.same([...others], [])
  }
})

test('a date in Retry-After is obeyed within bounds, whoever is wrong', async t => {
  const { get, set, simulator } = await startStepping(t, {})
  const inASecond = () => ({ 'retry-after': new Date(Date.now() + 1000).toUTCString() })
  await set('+10y')
  simulator.fault({ kind: 'status', status: 429, headers: inASecond() })
  t.equal((await get('/chats')).status, 200, 'a date gone by: tried again')
  await set('-1h')
  // Until the pause of the first one is over.
  await until(async () => (await get('/chats?offset=100')).status === 200)
  simulator.fault({ kind: 'status', status: 429, headers: inASecond() })
  const refused = await get('/chats?offset=200')
  const { retryAfter = 0 } = checkProblem(t, refused, {
    ...{ status: 503, code: 'upstream_rate_limited' }
  })
  t.ok(retryAfter <= 330, `${retryAfter} s, and not an hour`)
})
