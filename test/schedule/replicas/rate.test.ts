/**
 * Nothing of the budget is wasted: three saturated replicas use nearly all of it together, and do
 * so again within two windows of the end of whatever befell the store.
 */

import t, { type Test } from 'tap'
import { percentOfRate } from '../../../bench/replicas/rate.ts'
import { largestWindow } from '../../../simulator/arrivals.ts'
import { Random } from '../../../simulator/random.ts'
import { needsRedis } from '../../support/redis.ts'
import { openReplicas, type Replica, type Replicas } from '../../support/replicas.ts'

needsRedis(t)

const limit = 120
const windowMs = 6000
const meanLatencyMs = 200
/** More than a replica sends in a second. */
const waitingPerTeam = 20
const teams = new Map([
  ['blue', 1],
  ['green', 2],
  ['red', 3]
])

t.setTimeout(300_000)

interface House {
  readonly replicas: Replicas
  readonly all: Replica[]
}

async function openHouse(t: Test): Promise<House> {
  const random = new Random(1)
  const latencyMs = () => random.below(2 * meanLatencyMs)
  // As on a real clock: whoever read it twice for one decision used a twelfth less than there is.
  const readingMs = 1e-9
  const replicas = await openReplicas(t, { limit, windowMs, teams, latencyMs, readingMs })
  return { replicas, all: ['one', 'two', 'three'].map(name => replicas.start(name)) }
}

/** Time passes while every team has calls waiting at every replica. */
async function busy({ all, replicas }: House, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    for (const { ask, schedule } of all) {
      const { waiting } = schedule.report()
      for (const team of teams.keys()) {
        const { length } = waiting.filter(call => call.team === team)
        for (let count = length; count < waitingPerTeam; count++) ask({ team, waitMs: 60_000 })
      }
    }
    await replicas.clock.advance(500)
  }
}

/** Percent of what is possible, from now on. */
async function rateOver(house: House, turns: number): Promise<number> {
  const { clock, arrivals } = house.replicas
  const from = clock.now()
  const turnMs = windowMs + meanLatencyMs
  await busy(house, (turns + 1) * turnMs)
  return percentOfRate({ arrivals: arrivals.map(({ at }) => at), from, limit, turnMs, turns })
}

function mostInAnyWindow({ replicas }: House): number {
  return largestWindow(
    replicas.arrivals.map(({ at }) => at),
    windowMs
  )
}

t.test('three replicas use nearly all of it, in turns, and each team its part', async t => {
  const house = await openHouse(t)
  await busy(house, 2 * windowMs)
  const before = house.replicas.arrivals.length
  const percent = await rateOver(house, 9)
  const arrivals = house.replicas.arrivals.slice(before)
  t.ok(percent >= 98, `${percent.toFixed(1)} %`)
  t.equal(mostInAnyWindow(house), limit)
  for (const { name } of house.all) {
    const share = arrivals.filter(({ replica }) => replica === name).length / arrivals.length
    t.ok(Math.abs(share - 1 / 3) < 0.03, `${name} made ${share.toFixed(3)} of the calls`)
  }
  for (const [team, weight] of teams) {
    const share = arrivals.filter(arrival => arrival.team === team).length / arrivals.length
    t.ok(Math.abs(share - weight / 6) < 0.05, `${team} had ${share.toFixed(3)} of them`)
  }
})

const troubles: Record<string, (house: House) => Promise<void>> = {
  'was emptied': ({ replicas }) => replicas.server.empty(),
  'failed over to a copy that missed the last second': async ({ replicas }) => {
    await replicas.server.copy()
    await replicas.clock.advance(1000)
    await replicas.server.failOver(500)
  },
  'was away for long': async house => {
    house.replicas.server.isRunning = false
    await busy(house, 30_000)
    house.replicas.server.isRunning = true
  },
  'slept for 10 s': async house => {
    house.replicas.server.sleep()
    await busy(house, 10_000)
    house.replicas.server.wake()
  },
  'had its clock set': async ({ replicas }) => {
    replicas.server.skewMs = 3_600_000
  },
  'did not hear one replica': async house => {
    house.all[0]!.store.canAsk = false
    await busy(house, 20_000)
    house.all[0]!.store.canAsk = true
  },
  'was not heard by one replica': async house => {
    house.all[0]!.store.canHear = false
    await busy(house, 20_000)
    house.all[0]!.store.canHear = true
  },
  'saw one replica stand still for 10 s': async house => {
    house.all[0]!.process.suspend()
    await busy(house, 10_000)
    house.all[0]!.process.resume()
  }
}

for (const [name, befall] of Object.entries(troubles)) {
  t.test(`full rate again within two windows after the store ${name}`, async t => {
    const house = await openHouse(t)
    await busy(house, 3 * windowMs)
    await befall(house)
    await busy(house, 2 * windowMs)
    const percent = await rateOver(house, 3)
    t.ok(percent >= 98, `${percent.toFixed(1)} %`)
    t.ok(mostInAnyWindow(house) <= limit)
  })
}
