/** The count of arrivals: one too many in any window is seen, however the news of them comes in. */

import fc from 'fast-check'
import t from 'tap'
import { largestWindow } from '../../simulator/arrivals.ts'
import { Arrivals } from '../../soak/arrivals.ts'
import { limit, windowMs } from '../../soak/conditions.ts'
import { holds } from '../support/property.ts'

/** So many, evenly over a span. */
const over = (count: number, from: number, spanMs: number) =>
  Array.from({ length: count }, (_, index) => from + (index * spanMs) / count)

const told = (ours: readonly number[]) => ({ ours, all: ours })

t.test('the limit in one window is the law kept', async t => {
  const arrivals = new Arrivals()
  arrivals.add(told(over(limit, 0, windowMs)))
  arrivals.add(told(over(limit, windowMs, windowMs)))
  t.equal(arrivals.largest, limit)
  t.equal(arrivals.broken, undefined)
})

t.test('one more is the law broken, also if the window spans two reports', async t => {
  const arrivals = new Arrivals()
  arrivals.add(told(over(60, 0, 3000)))
  arrivals.add(told(over(61, 3000, windowMs - 3001)))
  t.equal(arrivals.largest, limit + 1)
  t.match(arrivals.broken, /121 calls arrived in one window/)
})

t.test('whatever the reports are, the count is that of all arrivals together', async t => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 })
  const property = fc.property(gaps, fc.array(fc.nat(300)), (gaps, cuts) => {
    let at = 0
    const times = gaps.map(gap => (at += gap))
    const arrivals = new Arrivals()
    const places = [...cuts, times.length].sort((a, b) => a - b)
    for (const [index, place] of places.entries()) {
      arrivals.add(told(times.slice(places[index - 1] ?? 0, place)))
    }
    return arrivals.largest === largestWindow(times, windowMs)
  })
  await holds(t, property)
})

t.test('what somebody else sends is not ours, but fills the window', async t => {
  const arrivals = new Arrivals()
  arrivals.add({ ours: over(20, 0, windowMs), all: over(200, 0, windowMs) })
  t.equal(arrivals.largest, 20)
  t.ok(arrivals.wasBusy(windowMs, windowMs + 10))
  t.notOk(arrivals.wasBusy(3 * windowMs, 3 * windowMs + 10))
})
