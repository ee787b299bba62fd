/** What the cache suite calls broken: each promise alone, and nothing if all are kept. */

import t from 'tap'
import { exact, rates, service } from '../../bench/cache/candidates.ts'
import type { Figures } from '../../bench/cache/replay.ts'
import { brokenBy, comparison, spending } from '../../bench/cache/report.ts'

const kept: Figures = {
  candidate: service.name,
  requestsPerSecond: 20,
  requests: 1000,
  refused: 0,
  callsPerMinute: 40,
  largestMinute: 120,
  largestMinuteEver: 120,
  percentAtOnce: 99.9,
  p99WaitMs: 0,
  meanTextStalenessMs: 400,
  meanPlaceStalenessMs: 5000,
  callsPerMinuteFor: { 'read ahead': 40 }
}
const { callsPerMinuteFor, ...model } = { ...kept, candidate: exact.name, callsPerMinute: 200 }

/** Both at every rate, ours with something else at one. */
function figuresWith(at: number, change: Partial<Figures>): Figures[] {
  return rates.flatMap(requestsPerSecond => [
    { ...model, largestMinute: 300, largestMinuteEver: 300, requestsPerSecond },
    { ...kept, requestsPerSecond, ...(requestsPerSecond === at && change) }
  ])
}

t.test('nothing is broken on the very edge', t => {
  t.strictSame(brokenBy(figuresWith(20, {})), [])
  t.end()
})

const cases: [rate: number, change: Partial<Figures>, line: RegExp][] = [
  [2, { largestMinuteEver: 121 }, /121 in a minute/],
  [20, { callsPerMinute: 40.1 }, /^at 20 requests.*40\.1 calls/],
  [200, { callsPerMinute: 40.1 }, /^at 200 requests.*40\.1 calls/],
  [500, { percentAtOnce: 99.89 }, /^at 500 requests.*99\.89 %/],
  [500, { meanTextStalenessMs: 410 }, /^at 500 requests.*0\.41 s stale, not 0\.40 s/]
]

t.test('each promise that the figures deny is one line', t => {
  for (const [rate, change, line] of cases) {
    const broken = brokenBy(figuresWith(rate, change))
    t.equal(broken.length, 1, JSON.stringify(change))
    t.match(broken[0], line)
  }
  t.end()
})

t.test('more calls than a fifth are no fault where no target says so', t => {
  t.strictSame(brokenBy(figuresWith(500, { callsPerMinute: 100 })), [])
  t.strictSame(brokenBy(figuresWith(4, { callsPerMinute: 100 })), [])
  t.end()
})

t.test('the tables show who is over the limit, and what only ours can tell', t => {
  const figures = figuresWith(20, {})
  t.match(comparison(figures), 'over: 300')
  t.notMatch(comparison(figures), 'over: 120')
  t.notMatch(spending(figures), exact.name)
  t.match(spending(figures), service.name)
  t.end()
})
