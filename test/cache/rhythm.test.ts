/** How often a page is worth a call, learnt from whether it came back changed. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type Looks, nextPeriodMs } from '../../src/cache/rhythm.ts'
import { holds } from '../support/property.ts'

const lifetimes = { freshMs: 30_000, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 0 }

/** The period after these looks, each a whole period after the one before. */
const after = (...same: boolean[]) =>
  same.reduce(
    (periodMs, isSame) => nextPeriodMs(periodMs, { elapsedMs: periodMs, isSame }, lifetimes),
    lifetimes.freshMs
  )

t.test('a page that keeps changing is worth a call sooner, down to a third', async t => {
  t.equal(after(false), 15_000)
  t.equal(after(false, false, false, false), 10_000)
})

t.test(
  'a page that keeps coming back the same is worth one later, up to two lifetimes',
  async t => {
    t.equal(after(true), 45_000)
    t.equal(after(true, true, true, true), 60_000)
  }
)

t.test('one change is enough to look more often again', async t => {
  t.equal(after(true, true, true, false), 30_000)
})

t.test('a look soon after another says little about a page that did not change', async t => {
  const soon = nextPeriodMs(30_000, { elapsedMs: 3000, isSame: true }, lifetimes)
  t.ok(soon > 30_000 && soon < 32_000, String(soon))
})

t.test('with a short window behind freshness nobody is made to wait for the rhythm', async t => {
  const short = { ...lifetimes, staleWhileRevalidateMs: 4000 }
  t.equal(nextPeriodMs(30_000, { elapsedMs: 30_000, isSame: true }, short), 33_000)
})

t.test('whatever is seen, the period is a number within its bounds', async t => {
  const ms = fc.nat(200_000)
  const all = fc.record({ freshMs: ms, staleWhileRevalidateMs: ms, staleIfErrorMs: ms })
  const looks: fc.Arbitrary<Looks> = fc.record({ elapsedMs: ms, isSame: fc.boolean() })
  const property = fc.property(all, fc.array(looks), (lifetimes, seen) => {
    const { freshMs, staleWhileRevalidateMs } = lifetimes
    let periodMs = freshMs
    for (const look of seen) {
      periodMs = nextPeriodMs(periodMs, look, lifetimes)
      assert(periodMs > freshMs / 3 - 1 && periodMs <= 2 * freshMs, `${periodMs} of ${freshMs}`)
      assert(periodMs <= freshMs + staleWhileRevalidateMs)
    }
  })
  await holds(t, property)
})
