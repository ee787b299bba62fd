/** What the replicas suite calls the rate: the same wherever bursts lie, and less at a standstill. */

import t from 'tap'
import { meanLatencyBetween, percentOfRate } from '../../bench/replicas/rate.ts'

const limit = 120
const turnMs = 6200
const turns = 3

/** Each turn's calls within so many milliseconds of its begin. */
function arrivalsWithin(withinMs: number): number[] {
  return Array.from({ length: 8 * limit }, (_, call) => {
    const turn = Math.floor(call / limit)
    return turn * turnMs + ((call % limit) * withinMs) / limit
  })
}

for (const [name, withinMs] of [
  ['in bursts', 10],
  ['evenly', turnMs]
] as const) {
  t.test(`who uses every slot ${name} has the whole rate, wherever one begins`, async t => {
    const arrivals = arrivalsWithin(withinMs)
    const starts = Array.from({ length: 100 }, (_, step) => turnMs + (step * turnMs) / 50)
    const percents = starts.map(from => percentOfRate({ arrivals, from, limit, turnMs, turns }))
    t.ok(percents.every(percent => Math.abs(percent - 100) < 0.5))
  })
}

t.test('what was not sent is missing', async t => {
  const arrivals = arrivalsWithin(turnMs)
  const [stillFrom, stillMs] = [3 * turnMs, turnMs / 2]
  const sent = arrivals.filter(at => at < stillFrom || at >= stillFrom + stillMs)
  const percent = percentOfRate({ arrivals: sent, from: turnMs, limit, turnMs, turns })
  t.ok(Math.abs(percent - (100 * (turns - 1 / 2)) / turns) < 0.01, `${percent} %`)
})

t.test('calls before and after do not count', async t => {
  const arrivals = arrivalsWithin(turnMs)
  const span = { from: 2 * turnMs, limit, turnMs, turns }
  const within = arrivals.filter(at => at >= 2 * turnMs && at <= 6 * turnMs)
  t.equal(percentOfRate({ arrivals, ...span }), percentOfRate({ arrivals: within, ...span }))
})

t.test('how long answers took at first does not count later', async t => {
  const [before, after] = [
    { answered: 10, meanLatencyMs: 900 },
    { answered: 30, meanLatencyMs: 500 }
  ]
  t.equal(meanLatencyBetween(before, after), 300)
  t.equal(meanLatencyBetween(before, before), 0)
})
