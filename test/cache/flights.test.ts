// Flights: one for everybody who asks for the same, whatever the order of joining, leaving and
// landing.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Flights } from '../../src/cache/flights.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Need } from '../../src/ports.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { holds } from '../support/property.ts'

const key = '/chats?offset=0&limit=100'
const left = new Error('the caller has left')

/** A next room whose calls end when the test says so. */
class Sends {
  readonly started: { need: Need; landing: PromiseWithResolvers<string> }[] = []

  readonly start = (need: Need): Promise<string> => {
    const landing = Promise.withResolvers<string>()
    need.signal.addEventListener('abort', () => landing.reject(need.signal.reason))
    this.started.push({ need, landing })
    return landing.promise
  }

  get last() {
    return this.started.at(-1)!
  }
}

/** A caller who may leave. */
const callerOf = (flights: Flights<string>, sends: Sends, about: Partial<Need> = {}) => {
  const controller = new AbortController()
  const need = needOf({ signal: controller.signal, ...about })
  const result = flights.join(key, need, sends.start)
  result.catch(() => {})
  return { result, leave: () => controller.abort(left) }
}

t.test('who asks for the same while a flight is under way shares it', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const callers = [1, 2, 3].map(() => callerOf(flights, sends))
  t.ok(flights.has(key))
  sends.last.landing.resolve('landed')
  t.same(await Promise.all(callers.map(caller => caller.result)), Array(3).fill('landed'))
  t.equal(sends.started.length, 1)
  t.notOk(flights.has(key))
})

t.test('other keys have flights of their own', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const others = ['a', 'b'].map(other => flights.join(other, needOf(), sends.start))
  for (const { landing } of sends.started) landing.resolve('landed')
  t.same(await Promise.all(others), ['landed', 'landed'])
  t.equal(sends.started.length, 2)
})

t.test('who leaves is rejected alone', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const [first, second] = [callerOf(flights, sends), callerOf(flights, sends)]
  first.leave()
  await t.rejects(first.result, left)
  t.notOk(sends.last.need.signal.aborted)
  sends.last.landing.resolve('landed')
  t.equal(await second.result, 'landed')
})

t.test('when the last one leaves, an unsent flight is cancelled and nobody boards it', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const callers = [callerOf(flights, sends), callerOf(flights, sends)]
  for (const caller of callers) caller.leave()
  t.ok(sends.last.need.signal.aborted)
  t.notOk(flights.has(key))
  const next = callerOf(flights, sends)
  t.equal(sends.started.length, 2)
  await settled()
  t.ok(flights.has(key), 'the end of the cancelled flight does not end its successor')
  sends.last.landing.resolve('landed')
  t.equal(await next.result, 'landed')
})

t.test('a sent flight goes on when everybody has left, and who comes joins it', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const first = callerOf(flights, sends)
  sends.last.need.onSent?.()
  first.leave()
  await t.rejects(first.result, left)
  t.notOk(sends.last.need.signal.aborted)
  const second = callerOf(flights, sends)
  sends.last.landing.resolve('landed')
  t.equal(await second.result, 'landed')
  t.equal(sends.started.length, 1)
})

t.test('a failure is shared by those who wait and by nobody after them', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const failure = new Error('the upstream failed')
  const callers = [callerOf(flights, sends), callerOf(flights, sends)]
  sends.last.landing.reject(failure)
  for (const caller of callers) await t.rejects(caller.result, failure)
  const next = callerOf(flights, sends)
  t.equal(sends.started.length, 2)
  sends.last.landing.resolve('landed')
  t.equal(await next.result, 'landed')
})

t.test('a start that throws is a failure like any other', async t => {
  const failure = new Error('broken')
  const flights = new Flights<string>(new FakeClock())
  const fail = () => {
    throw failure
  }
  await t.rejects(flights.join(key, needOf(), fail), failure)
  t.notOk(flights.has(key))
})

t.test('a caller who left before asking starts nothing and disturbs nobody', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const gone = needOf({ signal: AbortSignal.abort(left) })
  await t.rejects(flights.join(key, gone, sends.start), left)
  t.equal(sends.started.length, 0)
  t.notOk(flights.has(key))
  const caller = callerOf(flights, sends)
  await t.rejects(flights.join(key, gone, sends.start), left)
  sends.last.landing.resolve('landed')
  t.equal(await caller.result, 'landed')
})

t.test('a flight may be sent while any of its waiters still has time', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  callerOf(flights, sends, { deadline: 10 })
  const { need } = sends.last
  t.equal(need.deadline, 10)
  const patient = callerOf(flights, sends, { deadline: 30 })
  callerOf(flights, sends, { deadline: 20 })
  t.equal(need.deadline, 30)
  patient.leave()
  t.equal(need.deadline, 30, 'and whoever sleeps until then is not woken earlier')
})

/** What the schedule says to a flight that stands in line. */
const prospectOf = (sendAt: number) => {
  const refusal = new ServiceError('budget_exhausted', 'for the test', { retryAfterMs: 7 })
  const prospect = () => ({ sendAt, refusal: () => refusal })
  return { refusal, place: { prospect, join: () => {} } }
}

t.test('who cannot wait as long as the flight will have to is refused at once', async t => {
  const clock = new FakeClock(0)
  const [flights, sends] = [new Flights<string>(clock), new Sends()]
  const patient = callerOf(flights, sends, { deadline: 1000 })
  const { refusal, place } = prospectOf(500)
  sends.last.need.onQueued?.(place)
  await t.rejects(callerOf(flights, sends, { deadline: 400 }).result, refusal)
  const inTime = callerOf(flights, sends, { deadline: 600 })
  const later = prospectOf(700)
  sends.last.need.onQueued?.(later.place)
  await t.rejects(inTime.result, later.refusal, 'also if it stands in line once more')
  sends.last.need.onSent?.()
  const afterwards = callerOf(flights, sends, { deadline: 100 })
  sends.last.landing.resolve('landed')
  t.same(await Promise.all([patient.result, afterwards.result]), ['landed', 'landed'])
  t.equal(clock.pending, 0)
})

t.test('the most patient is left to the schedule, though its timer be early', async t => {
  const clock = new FakeClock(0)
  const [flights, sends] = [new Flights<string>(clock), new Sends()]
  const after = clock.after.bind(clock)
  clock.after = (delayMs, run) => after(delayMs - 1, run)
  const patient = callerOf(flights, sends, { deadline: 1000 })
  await clock.advance(999.5)
  sends.last.landing.resolve('landed')
  t.equal(await patient.result, 'landed')
})

t.test('a hasty caller taken over by a flight with a patient one is refused at once', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock(0)), new Sends()]
  const refresh = callerOf(flights, sends, { priority: 'refresh', deadline: 60_000 })
  const hasty = callerOf(flights, sends, { deadline: 1000 })
  t.equal(sends.started.length, 2)
  const { refusal, place } = prospectOf(5000)
  sends.last.need.onQueued?.(place)
  await t.rejects(hasty.result, refusal)
  sends.last.landing.resolve('landed')
  t.equal(await refresh.result, 'landed')
})

t.test('a flight bears the team and priority of who started it', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  callerOf(flights, sends, { team: 'green', priority: 'bulk' })
  t.match(sends.last.need, { team: 'green', priority: 'bulk' })
})

t.test('a landed flight leaves no listener with its callers', async t => {
  const [flights, sends] = [new Flights<string>(new FakeClock()), new Sends()]
  const caller = callerOf(flights, sends)
  sends.last.landing.resolve('landed')
  await caller.result
  caller.leave()
  await settled()
  t.equal(await caller.result, 'landed')
  t.notOk(sends.last.need.signal.aborted)
})

interface CallerPlan {
  readonly leaves: boolean
}

type Outcome = 'landed' | 'failed' | 'left'

/** How a flight is doing, and who waits for it. */
interface FlightRecord {
  readonly waiting: Set<number>
  sent: boolean
  over: boolean
  cancelled: boolean
}

t.test('in any order of events, everybody gets one answer and no flight is wasted', async t => {
  const plan = fc.record({
    callers: fc.array(fc.record({ leaves: fc.boolean() }), { minLength: 1, maxLength: 6 }),
    fails: fc.boolean()
  })
  const property = fc.asyncProperty(fc.scheduler(), plan, async (scheduler, plan) => {
    const { answers, flights } = await interleave(scheduler, plan)
    for (const [index, settlements] of answers.entries()) {
      assert.equal(settlements.length, 1, 'each settles exactly once')
      const wanted = plan.fails ? 'failed' : 'landed'
      if (settlements[0] !== wanted)
        assert(settlements[0] === 'left' && plan.callers[index]!.leaves)
    }
    for (const { cancelled, sent, over } of flights) {
      assert(sent !== cancelled, 'sent unless it was cancelled, and never both')
      assert(over !== cancelled, 'flown to its end unless it was cancelled')
    }
  })
  await holds(t, property, { numRuns: 300 })
})

/** Lets callers join and leave, and flights be sent and land, in the order the scheduler likes. */
async function interleave(
  scheduler: fc.Scheduler,
  { callers, fails }: { callers: readonly CallerPlan[]; fails: boolean }
) {
  const flights = new Flights<string>(new FakeClock())
  const records: FlightRecord[] = []
  const answers: Outcome[][] = callers.map(() => [])
  const turn = (label: string) => scheduler.schedule(Promise.resolve(), label)

  const start = async (need: Need): Promise<string> => {
    assert(
      records.every(({ over, cancelled }) => over || cancelled),
      'one flight at a time'
    )
    const record = { waiting: new Set<number>(), sent: false, over: false, cancelled: false }
    records.push(record)
    need.signal.addEventListener('abort', () => {
      record.cancelled = true
    })
    await turn('a slot is free')
    if (need.signal.aborted) throw need.signal.reason
    record.sent = true
    need.onSent?.()
    await turn('the upstream answers')
    record.over = true
    if (fails) throw new Error('failed')
    return 'landed'
  }

  const live = async ({ leaves }: CallerPlan, index: number) => {
    await turn(`caller ${index} asks`)
    const controller = new AbortController()
    const result = flights.join(key, needOf({ signal: controller.signal }), start)
    const record = records.at(-1)!
    record.waiting.add(index)
    const answered = result.then(
      () => answers[index]!.push('landed'),
      error => answers[index]!.push(error === left ? 'left' : 'failed')
    )
    if (leaves) {
      await turn(`caller ${index} leaves`)
      record.waiting.delete(index)
      controller.abort(left)
      const forNobody = record.waiting.size === 0 && !record.sent
      assert.equal(record.cancelled, forNobody, 'cancelled by the last one, if it is unsent')
    }
    await answered
  }

  await scheduler.waitFor(Promise.all(callers.map(live)))
  await scheduler.waitIdle()
  await settled()
  return { answers, flights: records }
}
