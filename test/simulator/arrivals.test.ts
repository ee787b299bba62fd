/** The judge of the law, against brute force: the largest window, and the strict limit. */

import fc from 'fast-check'
import t from 'tap'
import { Arrivals, largestWindow } from '../../simulator/arrivals.ts'

const WINDOW = 10

/** Ascending times in which gaps of nothing and of exactly a window are frequent. */
const anyTimes = fc
  .array(fc.oneof(fc.nat(12), fc.constantFrom(0, WINDOW - 1, WINDOW, WINDOW + 1)))
  .map(gaps => gaps.map((_, index) => gaps.slice(0, index + 1).reduce((sum, gap) => sum + gap, 0)))

function bruteForce(times: readonly number[]): number {
  const sizes = times.map(start => times.filter(at => at >= start && at < start + WINDOW).length)
  return Math.max(0, ...sizes)
}

function arrive(arrivals: Arrivals, at: number): void {
  const head = { method: 'GET', target: '/' }
  arrivals.record({ at, status: 0, ...head }, { headers: {}, rawHeaders: [], body: '', ...head })
}

t.test('the largest window is the one that brute force finds', async t => {
  const property = fc.property(
    anyTimes,
    times => largestWindow(times, WINDOW) === bruteForce(times)
  )
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }))
})

t.test('an arrival is over the limit if it makes some window hold too many', async t => {
  const property = fc.property(anyTimes, fc.integer({ min: 0, max: 4 }), (times, limit) => {
    const arrivals = new Arrivals(WINDOW)
    return times.every((at, index) => {
      arrive(arrivals, at)
      const inWindow = times.slice(0, index + 1).filter(other => at - other < WINDOW).length
      return arrivals.overLimit(limit) === inWindow > limit
    })
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }))
})

t.test(
  'the next arrival after the announced wait is within the limit, one before is not',
  async t => {
    const property = fc.property(anyTimes, fc.integer({ min: 1, max: 4 }), (times, limit) => {
      const outcome = (later: number) => {
        const arrivals = new Arrivals(WINDOW)
        for (const at of times) arrive(arrivals, at)
        const wait = arrivals.freeInMs(limit)
        arrive(arrivals, (times.at(-1) ?? 0) + wait + later)
        return { wait, over: arrivals.overLimit(limit) }
      }
      return !outcome(0).over && (outcome(0).wait === 0 || outcome(-1).over)
    })
    t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }))
  }
)

t.test('memory is bounded, the count of hits is not', async t => {
  const arrivals = new Arrivals(WINDOW)
  for (let at = 0; at < 450_000; at += 1) arrive(arrivals, at)
  t.equal(arrivals.hits, 450_000)
  t.equal(arrivals.list().length, 200_000)
  t.equal(arrivals.list().at(-1)?.at, 449_999)
  t.equal(arrivals.requests().length, 1_000)
  t.equal(arrivals.largestWindow(), WINDOW)
})

t.test('a list handed out does not change afterwards', async t => {
  const arrivals = new Arrivals(WINDOW)
  arrive(arrivals, 1)
  const list = arrivals.list()
  arrivals.list()[0]!.status = 500
  arrive(arrivals, 2)
  t.match(list, [{ at: 1, status: 0 }])
  t.equal(list.length, 1)
})
