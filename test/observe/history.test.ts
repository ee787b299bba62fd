/** The last half hour: what it remembers, what it forgets, and whom it gives which points. */

import fc from 'fast-check'
import t from 'tap'
import { History, historySeconds } from '../../src/observe/history.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'

function observed(used: number) {
  return { budget: { used, workingLimit: 120 }, queue: { length: used % 7 } }
}

t.test('a point every five seconds, the first at once, until it is stopped', async t => {
  const clock = new FakeClock()
  let used = 0
  const history = new History(clock, () => observed(used++))
  const startedAt = clock.wall()
  history.start()
  await clock.advance(12_000)
  const seconds = history.since(0).map(point => (point.at - startedAt) / 1000)
  t.same(seconds, [0, 5, 10])
  history.stop()
  await clock.advance(60_000)
  t.equal(history.taken, 3)
  t.equal(clock.pending, 0)
})

t.test('counters and latencies are kept as they stand, and left out where there are none', t => {
  const cache = { hits: 4, stale: 3, collapsed: 2, misses: 1 }
  const upstream = { latencyP50: 0.1, latencyP99: null }
  const clock = new FakeClock()
  const history = new History(clock, () => ({ ...observed(9), cache, upstream }))
  history.start()
  history.stop()
  const point = { at: clock.wall(), used: 9, workingLimit: 120, waiting: 2, ...cache, ...upstream }
  t.same(history.since(0), [point])
  const bare = new History(clock, () => observed(9))
  bare.start()
  bare.stop()
  t.notOk('hits' in (bare.since(0)[0] ?? {}))
  t.end()
})

t.test('whoever asks for what came since gets exactly that, as far as half an hour', async t => {
  const longest = historySeconds.span / historySeconds.every + 1
  const reads = fc.array(fc.nat(2 * longest), { minLength: 1, maxLength: 5 })
  const property = fc.asyncProperty(reads, async pauses => {
    const clock = new FakeClock()
    let used = 0
    const history = new History(clock, () => observed(used++))
    history.start()
    let seen = 0
    for (const points of pauses) {
      const missed = history.taken - seen
      const got = history.since(seen).map(point => point.used)
      const first = history.taken - Math.min(missed, longest)
      if (got.length !== Math.min(missed, longest) || got.some((at, i) => at !== first + i)) {
        return false
      }
      seen = history.taken
      await clock.advance(points * historySeconds.every * 1000)
    }
    return history.since(history.taken).length === 0
  })
  await holds(t, property)
})
