/**
 * A replica without the store: what it spends and when, what the others are granted meanwhile, and
 * that both together keep the limit at every moment of the change.
 */

import t, { type Test } from 'tap'
import { largestWindow } from '../../../simulator/arrivals.ts'
import { ServiceError } from '../../../src/errors.ts'
import { needsRedis } from '../../support/redis.ts'
import { openReplicas, type Replica, type Replicas } from '../../support/replicas.ts'

needsRedis(t)

const limit = 12
const windowMs = 6000
const timeoutMs = 3000
const graceMs = 20_000
/** What membership.ts waits for before it spends alone, after the last time it tried. */
const [answerMs, silentMs, leaseMs, guardMs] = [250, 4000, 1000 + timeoutMs + 1000, 20]
const untilAloneMs = answerMs + silentMs + leaseMs + windowMs + guardMs

interface House {
  readonly replicas: Replicas
  readonly one: Replica
  readonly two: Replica
}

/** Two replicas that have agreed on their shares, and an upstream that takes its time. */
async function openHouse(t: Test): Promise<House> {
  const latencyMs = () => timeoutMs - 100
  const replicas = await openReplicas(t, { limit, windowMs, timeoutMs, graceMs, latencyMs })
  const [one, two] = [replicas.start('one'), replicas.start('two')]
  await replicas.clock.advance(6000)
  t.equal(one.budget.report().members.find(({ id }) => id === 'one')?.share, limit / 2)
  return { replicas, one, two }
}

/** Time passes while both, or these, have more to ask than they may. */
async function busy(house: House, ms: number, who = [house.one, house.two]): Promise<void> {
  const { replicas } = house
  for (let passed = 0; passed < ms; passed += 250) {
    for (const { ask, schedule } of who) {
      for (let count = schedule.report().waiting.length; count < limit; count++) ask()
    }
    await replicas.clock.advance(250)
  }
}

function callsOf(name: string, { replicas }: House): number[] {
  return replicas.arrivals.filter(({ replica }) => replica === name).map(({ at }) => at)
}

function mostInAnyWindow({ replicas }: House): number {
  return largestWindow(
    replicas.arrivals.map(({ at }) => at),
    windowMs
  )
}

t.test('it waits until its share is set aside, spends that, and stops after its grace', async t => {
  const house = await openHouse(t)
  const { clock } = house.replicas
  await busy(house, 2 * windowMs)
  house.one.store.canAsk = false
  const cutAt = clock.now()
  await busy(house, untilAloneMs + graceMs + 4 * windowMs)
  // It last tried up to a heartbeat before or after.
  const alone = callsOf('one', house).filter(at => at > cutAt + 1500)
  const lateMs = alone[0]! - cutAt - untilAloneMs
  t.ok(Math.abs(lateMs) < 1500, `the first ${lateMs} ms after the earliest`)
  const last = alone.at(-1)! - cutAt
  const stopMs = untilAloneMs + graceMs
  t.ok(last < stopMs && last > stopMs - windowMs - timeoutMs, `the last after ${last} ms`)
  t.equal(largestWindow(alone, windowMs), limit / 2)
  t.ok(mostInAnyWindow(house) <= limit)
})

t.test('the others get the whole when its grace is certainly over', async t => {
  const house = await openHouse(t)
  house.one.store.canAsk = false
  await busy(house, untilAloneMs + windowMs)
  const meanwhile = callsOf('two', house).filter(at => at > house.replicas.clock.now() - windowMs)
  t.ok(meanwhile.length <= limit / 2, `${meanwhile.length} while it may be spending`)
  await busy(house, graceMs + 2 * (leaseMs + windowMs) + 10_000)
  const since = house.replicas.clock.now() - 2 * (windowMs + timeoutMs)
  const later = callsOf('two', house).filter(at => at > since)
  t.equal(largestWindow(later, windowMs), limit)
  t.ok(mostInAnyWindow(house) <= limit)
})

t.test('the others use all that is not set aside, whichever teams its calls were of', async t => {
  const teams = new Map([
    ['blue', 1],
    ['green', 1]
  ])
  const replicas = await openReplicas(t, { limit: 48, windowMs, teams })
  const [one, two] = [replicas.start('one'), replicas.start('two')]
  const ask = (replica: Replica, count: number) => {
    for (const team of teams.keys()) for (let call = 0; call < count; call++) replica.ask({ team })
  }
  await replicas.clock.advance(windowMs)
  ask(one, 12)
  await replicas.clock.advance(1500)
  one.store.canAsk = false
  // Silent, and the calls that it had made are out of the window.
  await replicas.clock.advance(silentMs + leaseMs + windowMs)
  ask(two, 48)
  await replicas.clock.advance(1000)
  t.equal(replicas.arrivals.filter(({ replica }) => replica === 'two').length, 24)
})

t.test('it returns to the others at once when the store is back', async t => {
  const house = await openHouse(t)
  house.one.store.canAsk = false
  await busy(house, untilAloneMs + 2 * windowMs)
  house.one.store.canAsk = true
  await busy(house, 4 * (windowMs + timeoutMs))
  t.equal(house.one.budget.report().mode, 'joined')
  t.equal(mostInAnyWindow(house), limit)
})

t.test('one whose return may have been heard, without an answer, sends nothing', async t => {
  const house = await openHouse(t)
  const { store } = house.one
  store.canAsk = false
  await busy(house, untilAloneMs + windowMs, [house.two])
  // The store is there, so it asks to come back, and is cut off before it hears the answer.
  store.canAsk = true
  await untilAsked(house)
  store.canHear = false
  await busy(house, 500, [house.two])
  store.canAsk = false
  const from = house.replicas.clock.now()
  await busy(house, untilAloneMs + 4 * windowMs)
  const soon = callsOf('one', house).filter(at => at > from && at < from + untilAloneMs - 1500)
  t.same(soon, [])
  t.ok(mostInAnyWindow(house) <= limit, `${mostInAnyWindow(house)} of ${limit}`)
})

/** Until one has been told that the store is there, and before it is told anything else. */
async function untilAsked({ one, replicas }: House): Promise<void> {
  for (let steps = 0; steps < 10_000 && !one.store.isUp; steps++) await replicas.clock.advance(0.1)
  // The time of day is asked before.
  await replicas.clock.advance(0.5)
}

t.test('what arrives when it has begun to spend alone changes nothing', async t => {
  const house = await openHouse(t)
  const { store } = house.one
  // Its last words are on their way for long; then nothing comes from it any more.
  store.lagMs = untilAloneMs + 2000
  await busy(house, 1200, [house.two])
  store.canAsk = false
  await busy(house, untilAloneMs - 2000, [house.two])
  await busy(house, 2500)
  const alone = callsOf('one', house).length
  await busy(house, 3 * windowMs)
  t.ok(callsOf('one', house).length > alone, 'it goes on alone')
  t.ok(mostInAnyWindow(house) <= limit, `${mostInAnyWindow(house)} of ${limit}`)
})

t.test('one that slept past its grace comes back to nothing of its own', async t => {
  const house = await openHouse(t)
  await busy(house, windowMs)
  house.one.process.suspend()
  await busy(house, untilAloneMs + graceMs + 2 * (leaseMs + windowMs) + 10_000)
  house.one.store.canAsk = false
  house.one.process.resume()
  const from = house.replicas.clock.now()
  await busy(house, untilAloneMs + 3 * windowMs)
  t.same(
    callsOf('one', house).filter(at => at > from + 100),
    []
  )
  t.ok(mostInAnyWindow(house) <= limit)
})

t.test('it says that it is cut off, also where the upstream failed before', async t => {
  const fail = () => Promise.reject(new ServiceError('upstream_error', 'broken'))
  const replicas = await openReplicas(t, { limit: 60, windowMs, timeoutMs, fate: fail })
  const one = replicas.start('one')
  await replicas.clock.advance(6000)
  for (let call = 0; call < 30; call++) one.ask({ waitMs: 3000 })
  await replicas.clock.advance(3000)
  t.equal(one.schedule.report().mode, 'failing')
  one.store.canAsk = false
  await replicas.clock.advance(2000)
  const before = one.outcomes.length
  one.ask({ waitMs: 1000 })
  await replicas.clock.advance(1000)
  t.equal(one.schedule.report().mode, 'cut-off')
  t.same(one.outcomes.slice(before), ['budget_exhausted'])
})
