/** Instants moved between two clocks by way of a third: never younger, and not much older. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { StoreClock } from '../src/store-clock.ts'
import { holds } from './support/property.ts'

/** How far the store's clock is ahead of a replica's. */
const offset = fc.integer({ min: -1e12, max: 1e12 })
/** How long each exchange takes on its way there and back. */
const trips = fc.array(fc.tuple(fc.nat(250), fc.nat(250)), { minLength: 1, maxLength: 20 })
/** Both ends are told in whole milliseconds, and that with a margin. */
const roundingMs = 6

type Trip = readonly [there: number, back: number]

/** A replica's idea of the store's clock after some exchanges, the last one at `now` of its own. */
function learnt(offsetMs: number, exchanges: readonly Trip[]) {
  const clock = new StoreClock()
  let now = 1000.25
  let agreed = true
  for (const [there, back] of exchanges) {
    const time = Math.floor(now + there + offsetMs)
    agreed &&= clock.observe({ askedAt: now, heardAt: now + there + back, time })
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
    const last = (trips: readonly Trip[]) => trips.at(-1)!.reduce((sum, ms) => sum + ms)
    assert(seenAt <= truth + 1e-3, 'younger than it is')
    assert(seenAt >= truth - last(ours) - last(theirs) - roundingMs, 'much older than it is')
    assert(reader.clock.latestHere(storedAt + here) >= truth - 1e-3, 'news from the past')
  })
  await holds(t, property)
})

t.test('every reading narrows the span, however long the last one took', async t => {
  const narrow = fc.integer({ min: 0, max: 19 })
  const property = fc.property(offset, trips, narrow, (offsetMs, trips, index) => {
    const quick = trips.map((trip, at): Trip => (at === index % trips.length ? [0, 0] : trip))
    const { agreed, clock, now } = learnt(offsetMs, quick)
    assert(agreed)
    const span = now + offsetMs - clock.toStore(now)
    // Since then the rates of the clocks may have parted them a little.
    assert(span <= roundingMs / 2 + 600 * trips.length * 300e-6, `${span} ms`)
  })
  await holds(t, property)
})

t.test('a clock that was set is noticed at the next exchange, one that drifts is not', async t => {
  const jump = fc.integer({ min: 1000, max: 1e9 })
  const property = fc.property(jump, fc.boolean(), trips, (by, isBack, trips) => {
    const { clock, now } = learnt(5e8, trips)
    const time = Math.floor(now + 5e8 + (isBack ? -by : by))
    assert.equal(clock.observe({ askedAt: now, heardAt: now + 1, time }), false)
    const next = { askedAt: now + 2, heardAt: now + 3, time: time + 2 }
    assert.equal(clock.observe(next), true, 'the new time is learnt')
  })
  await holds(t, property)
  const { clock, now } = learnt(0, [[1, 1]])
  const hourMs = 3_600_000
  const drifted = { askedAt: now + hourMs, heardAt: now + hourMs + 1 }
  t.equal(clock.observe({ ...drifted, time: Math.floor(now + hourMs * 1.0002) }), true)
})

t.test('nothing is known before the first reading, nor after it was forgotten', async t => {
  const clock = new StoreClock()
  t.equal(clock.isKnown, false)
  clock.observe({ askedAt: 1, heardAt: 2, time: 5000 })
  t.equal(clock.isKnown, true)
  clock.forget()
  t.equal(clock.isKnown, false)
  t.equal(clock.observe({ askedAt: 3, heardAt: 4, time: 1 }), true, 'it may show anything')
})
