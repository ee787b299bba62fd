/** The bench's callers: who they are is random, what they are like on the whole is not. */

import t from 'tap'
import { lists, pageSizes, teams } from '../../bench/cache/conditions.ts'
import { pickWeighted, type Request, workload } from '../../bench/cache/workload.ts'
import { Random } from '../../simulator/random.ts'

const durationMs = 300_000

function requestsOf(seed: number, requestsPerSecond = 50): Request[] {
  return workload({ random: new Random(seed), requestsPerSecond, durationMs })
}

t.test('the same seed makes the same requests, another one others', t => {
  t.strictSame(requestsOf(7), requestsOf(7))
  t.not(requestsOf(7)[0]!.at, requestsOf(8)[0]!.at)
  t.end()
})

t.test('requests come in order, within the time, about as many as asked for', t => {
  for (const rate of [2, 50, 200]) {
    const requests = requestsOf(1, rate)
    const expected = (rate * durationMs) / 1000
    t.ok(Math.abs(requests.length / expected - 1) < 0.1, `${requests.length} of ${expected}`)
    t.ok(requests.every(({ at }, index) => at >= (requests[index - 1]?.at ?? 0)))
    t.ok(requests.every(({ at }) => at >= 0 && at < durationMs))
  }
  t.end()
})

t.test('every team, list and page size is there, and six in ten are first pages', t => {
  const requests = requestsOf(1)
  const different = (values: readonly unknown[]) => new Set(values).size
  t.equal(different(requests.map(request => request.team)), teams.length)
  t.equal(different(requests.map(request => request.list)), lists.length)
  t.equal(different(requests.map(request => request.limit)), pageSizes.length)
  const first = requests.filter(({ offset }) => offset === 0).length / requests.length
  t.ok(Math.abs(first - 0.6) < 0.02, `${first}`)
  t.end()
})

t.test('a window starts where a window of the same size can have ended', t => {
  t.ok(requestsOf(1).every(({ limit, offset }) => offset % limit === 0))
  t.end()
})

t.test('an index is picked as often as its weight says', t => {
  const random = new Random(1)
  const counts = [0, 0, 0]
  for (let pick = 0; pick < 10_000; pick++) counts[pickWeighted(random, [1, 0, 3])]!++
  t.equal(counts[1], 0)
  t.ok(Math.abs(counts[2]! / counts[0]! - 3) < 0.2, counts.join())
  t.end()
})
