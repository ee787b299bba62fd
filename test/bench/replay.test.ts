/** Whole runs of the cache bench: repeatable, and calibrated to what the first model said. */

import t from 'tap'
import { alignedPages, exactUrls } from '../../bench/cache/models.ts'
import { ours } from '../../bench/cache/ours.ts'
import { replay } from '../../bench/cache/replay.ts'
import type { Candidate, Subject } from '../../bench/cache/subject.ts'
import { quantile } from '../../bench/cache/tally.ts'
import { ServiceError } from '../../src/errors.ts'

const service = ours({ name: 'ours', webhooks: true })

t.test('the same seed gives the same figures, another one others', async t => {
  for (const candidate of [exactUrls, service]) {
    const run = (seed: number) => replay(candidate, { seed, requestsPerSecond: 20, minutes: 1 })
    const first = await run(5)
    t.strictSame(await run(5), first)
    t.not((await run(6)).meanTextStalenessMs, first.meanTextStalenessMs)
  }
})

t.test('the models need the calls that the first model said', async t => {
  const callsOf = async (candidate: Candidate, requestsPerSecond: number) => {
    const figures = await replay(candidate, { seed: 1, requestsPerSecond, minutes: 10 })
    return figures.callsPerMinute
  }
  const isAbout = (calls: number, expected: number) =>
    t.ok(Math.abs(calls / expected - 1) < 0.05, `${calls} for ${expected}`)
  isAbout(await callsOf(exactUrls, 20), 220)
  isAbout(await callsOf(alignedPages, 20), 49)
  isAbout(await callsOf(alignedPages, 200), 85)
  const { largestMinute } = await replay(exactUrls, { seed: 1, requestsPerSecond: 4, minutes: 10 })
  t.ok(largestMinute > 120, `${largestMinute} in a minute`)
})

t.test('what our calls were made for adds up to all of them', async t => {
  const figures = await replay(service, { seed: 1, requestsPerSecond: 20, minutes: 2 })
  const sum = Object.values(figures.callsPerMinuteFor ?? {}).reduce((all, calls) => all + calls, 0)
  // A call is counted when it leaves, and arrives a moment later.
  t.ok(Math.abs(sum - figures.callsPerMinute) <= 4, `${sum} of ${figures.callsPerMinute}`)
  t.ok(figures.largestMinuteEver <= 120)
})

const oneRun = { seed: 1, requestsPerSecond: 2, minutes: 1 }

t.test('who refuses is counted as one who does not answer at once', async t => {
  const refuse = async () => {
    throw new ServiceError('budget_exhausted', 'none left')
  }
  const figures = await replay(candidateOf(refuse), oneRun)
  t.equal(figures.refused, figures.requests)
  t.equal(figures.percentAtOnce, 0)
})

t.test('a subject that breaks or never answers ends the run', async t => {
  const breaks = async () => {
    throw new TypeError('broken')
  }
  await t.rejects(replay(candidateOf(breaks), oneRun), /broken/)
  const neverAnswers = () => new Promise<never>(() => {})
  await t.rejects(replay(candidateOf(neverAnswers), oneRun), /never answered/)
})

t.test('a quantile is the least value that enough others do not exceed', t => {
  t.equal(quantile([], 0.99), 0)
  t.equal(quantile([3], 0.99), 3)
  t.equal(quantile([4, 1, 3, 2], 0.5), 2)
  t.equal(quantile([3, 1, 2], 0.5), 2)
  t.equal(
    quantile(
      Array.from({ length: 1000 }, (_, index) => 1000 - index),
      0.99
    ),
    990
  )
  t.end()
})

function candidateOf(ask: Subject['ask']): Candidate {
  return { name: 'fake', enter: () => ({ ask }) }
}
