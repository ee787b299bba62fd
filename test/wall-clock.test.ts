/**
 * The wall clock is set forward, back or by years while the service runs, in front of the simulator
 * on real sockets: nothing that is counted, kept or promised notices.
 */

import t, { type Test } from 'tap'
import { checkProblem, read } from './support/answers.ts'
import { FakeClock } from './support/fake-clock.ts'
import { startStack } from './support/stack.ts'

const hourMs = 3_600_000

class WallClock extends FakeClock {
  stepMs = 0

  override wall(): number {
    return super.wall() + this.stepMs
  }
}

const steps = { '+1 h': hourMs, '-1 h': -hourMs, '+10 y': 10 * 365 * 24 * hourMs }

async function startStepping(t: Test, env: Record<string, string> = {}) {
  const clock = new WallClock()
  const stack = await startStack(t, { clock, env })
  const budget = async () => (await stack.service.admin.inject('/status')).json().budget
  /** What the headers say of freshness, and whether their date is the machine's. */
  const freshness = async (path: string) => {
    const { status, headers } = await read(stack.get(path))
    const dateMs = Date.parse(headers.get('date') ?? '')
    const hasDate = Math.abs(dateMs - Date.now()) < 60_000
    const [ttl] = headers.get('cache-status')?.match(/ttl=-?\d+/) ?? []
    return { status, age: headers.get('age'), ttl, hasDate }
  }
  return { ...stack, clock, budget, freshness }
}

for (const [name, stepMs] of Object.entries(steps)) {
  t.test(`${name}: pages age and budgets recover as if nothing had happened`, async t => {
    const { get, clock, budget, freshness } = await startStepping(t, { UPSTREAM_LIMIT: '3' })
    const page = (age: string, ttl?: string) => ({ status: 200, age, ttl, hasDate: true })
    t.same(await freshness('/chats'), page('0'))
    await clock.advance(5000)
    clock.stepMs = stepMs
    t.same(await freshness('/chats'), page('5', 'ttl=25'), 'kept, and no younger or older')
    t.same(await freshness('/chats?offset=100'), page('0'))
    t.same(await freshness('/chats?offset=200'), page('0'))
    t.match(await budget(), { used: 3, maxInAnyWindow: 3, mode: 'open', pausedUntil: null })
    const refused = await read(get('/chats?offset=300'))
    const { retryAfter = 0 } = checkProblem(t, refused, { status: 503, code: 'budget_exhausted' })
    t.ok(retryAfter >= 55 && retryAfter <= 66, `${retryAfter} s`)
    await clock.advance(25_000)
    t.same(await freshness('/chats'), page('30', 'ttl=0'), 'fresh for its lifetime, no longer')
    clock.stepMs = 0
    await clock.advance(60_000)
    t.equal((await read(get('/chats?offset=300'))).status, 200)
    const { used, maxInAnyWindow } = await budget()
    t.ok(used <= 3 && maxInAnyWindow <= 3, 'whatever was refreshed meanwhile')
  })

  t.test(`${name}: a date in Retry-After is obeyed within bounds`, async t => {
    const { get, clock, simulator, budget } = await startStepping(t)
    const inHalfAMinute = new Date(clock.wall() + 30_000).toUTCString()
    simulator.fault({ kind: 'status', status: 429, headers: { 'retry-after': inHalfAMinute } })
    clock.stepMs = stepMs
    const answer = read(get('/chats'))
    if (stepMs > 0) {
      // A date gone by: tried again, but no herd.
      while (simulator.hits() < 2) await clock.advance(100)
      t.equal((await answer).status, 200)
    } else {
      const { retryAfter = 0 } = checkProblem(t, await answer, {
        ...{ status: 503, code: 'upstream_rate_limited' }
      })
      t.ok(retryAfter >= 300 && retryAfter <= 330, `${retryAfter} s`)
      const { pausedUntil } = await budget()
      t.equal(Date.parse(pausedUntil) - clock.wall(), 300_000, 'by the clock that operators see')
    }
  })
}
