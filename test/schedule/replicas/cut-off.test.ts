/**
 * A replica without the store: what it spends and when, what the others are granted meanwhile, and
 * that both together keep the limit at every moment of the change.
 */

import t, { type Test } from 'tap'
import { largestWindow } from '../../../simulator/arrivals.ts'
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

/** Time passes while both have more to ask than they may. */
async function busy({ one, replicas, two }: House, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    for (const { ask, schedule } of [one, two]) {
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
  house.one.store.canAsk = false
  await busy(house, untilAloneMs + windowMs)
  house.one.store.canHear = false
  house.one.store.canAsk = true
  await busy(house, 1000)
  // It does not even know that it is down yet; by now it has asked to come back.
  house.one.store.canHear = true
  const { clock } = house.replicas
  await busy(house, 700)
  house.one.store.canHear = false
  const from = clock.now()
  await busy(house, untilAloneMs + 4 * windowMs)
  t.ok(mostInAnyWindow(house) <= limit)
  const soon = callsOf('one', house).filter(at => at > from + 1500 && at < from + untilAloneMs)
  t.same(soon, [])
})

t.test('what the store had in its buffers while it slept changes nothing', async t => {
  const house = await openHouse(t)
  const { server } = house.replicas
  await busy(house, 2 * windowMs)
  server.sleep()
  // Its last words lie there; then nothing comes from it any more.
  await busy(house, 1200)
  house.one.store.canAsk = false
  await busy(house, untilAloneMs + 500)
  const alone = callsOf('one', house).length
  server.wake()
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
