/** Instants moved between two clocks by way of a third: never younger, and not much older. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { StoreClock } from '../../src/cache/store-clock.ts'
import { holds } from '../support/property.ts'

/** How far the store's clock is ahead of a replica's. */
const offset = fc.integer({ min: -1e12, max: 1e12 })
/** How long each exchange takes on its way there and back. */
const trips = fc.array(fc.tuple(fc.nat(250), fc.nat(250)), { minLength: 1, maxLength: 20 })

/** A replica's idea of the store's clock after some exchanges, the last one at `end` of its own. */
function learnt(offsetMs: number, exchanges: readonly (readonly [number, number])[]) {
  const clock = new StoreClock()
  let now = 1000.25
  let agreed = true
  for (const [there, back] of exchanges) {
    const storeNow = Math.floor(now + there + offsetMs)
    agreed &&= clock.learn(now, now + there + back, storeNow)
    now += there + back + 100
  }
  return { clock, now, agreed }
}

t.test('what one replica stored never looks younger to another than it is', async t => {
  const property = fc.property(offset, trips, offset, trips, (here, ours, there, theirs) => {
    const writer = learnt(here, ours)
    const reader = learnt(there, theirs)
    assert(writer.agreed && reader.agreed)
    // The moment of storing, by the clocks of the writer, the store and the reader.
    const storedAt = writer.now
    const seenAt = reader.clock.earliestHere(writer.clock.toStore(storedAt))
    const truth = storedAt + here - there
    const trip = (trips: readonly (readonly [number, number])[]) =>
      Math.max(...trips.map(([out, back]) => out + back))
    assert(seenAt <= truth + 1e-3, 'younger than it is')
    assert(seenAt >= truth - trip(ours) - trip(theirs) - 3, 'much older than it is')
    assert(reader.clock.latestHere(storedAt + here) >= truth - 1e-3, 'news from the past')
  })
  await holds(t, property)
})

t.test('a clock that jumps is noticed at the next exchange, one that drifts is not', async t => {
  const jump = fc.integer({ min: 1000, max: 1e9 })
  const property = fc.property(jump, fc.boolean(), trips, (by, isBack, trips) => {
    const { clock, now } = learnt(5e8, trips)
    const jumped = Math.floor(now + 5e8 + (isBack ? -by : by))
    assert.equal(clock.learn(now, now + 1, jumped), false)
    assert.equal(clock.learn(now + 2, now + 3, jumped + 2), true, 'the new time is learnt')
  })
  await holds(t, property)
  const { clock, now } = learnt(0, [[1, 1]])
  const hour = 3_600_000
  t.equal(clock.learn(now + hour, now + hour + 1, Math.floor(now + hour * 1.0002)), true)
})
