/**
 * The estimate against what then happens, for queues that fast-check makes up: several teams and
 * classes, calls that take as long as they did before. Nothing else arrives while they wait.
 */

import fc from 'fast-check'
import t from 'tap'
import { unbounded } from '../../src/schedule/budget.ts'
import { estimateSendAt } from '../../src/schedule/estimate.ts'
import { FairQueue, type Queued } from '../../src/schedule/fair-queue.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { Shares } from '../../src/schedule/reserves.ts'
import { Sends } from '../../src/schedule/sends.ts'
import { rig } from '../support/schedule.ts'

const weights = new Map([
  ['blue', 1],
  ['green', 2],
  ['red', 5]
])

const asking = fc.record({
  team: fc.constantFrom(...weights.keys()),
  priority: fc.constantFrom('interactive', 'interactive', 'refresh', 'bulk') as fc.Arbitrary<
    Queued['priority']
  >,
  gapMs: fc.integer({ min: 0, max: 300 })
})

t.test('whoever honours Retry-After when nothing else arrives is served', async t => {
  let refused = 0
  for (const seed of Array.from({ length: 60 }, (_, at) => at)) {
    const { ask, clock, outcomes } = rig({
      limit: 20,
      windowMs: 10_000,
      latencyMs: 120,
      concurrency: 4,
      weights
    })
    const askings = fc.sample(asking, { numRuns: 40, seed })
    for (const [at, { team, priority, gapMs }] of askings.entries()) {
      await clock.advance(gapMs)
      ask(`before${at}`, { team, priority, waitMs: 60_000 })
    }
    ask('probe', { team: 'blue', waitMs: 0 })
    await clock.advance(0)
    const { code, retryAfterMs = 0 } = outcomes.get('probe') ?? {}
    if (code === undefined || code === 'ok') continue
    refused++
    t.equal(code, 'budget_exhausted')
    await clock.advance(Math.ceil(retryAfterMs / 1000) * 1000)
    // At once but for a connection: a call takes 120 ms.
    ask('again', { team: 'blue', waitMs: 240 })
    await clock.advance(500)
    t.equal(outcomes.get('again')?.code, 'ok', `seed ${seed}`)
  }
  t.ok(refused > 20, `${refused} were refused first`)
})

t.test(
  'over 1,000 waits the estimate is within half a second of the truth at the 95th percentile',
  async t => {
    const errors: number[] = []
    for (let seed = 0; seed < 1000; seed++) errors.push(await estimationError(seed))
    errors.sort((a, b) => a - b)
    const [p50 = Infinity, p95 = Infinity] = [errors[500], errors[950]]
    t.comment(`|estimate - actual|: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`)
    t.ok(p95 <= 500)
  }
)

/** |estimate - actual| of the last of a crowd that arrives within a moment; nothing comes after it. */
async function estimationError(seed: number): Promise<number> {
  const { ask, clock, arrived } = rig({
    limit: 20,
    windowMs: 10_000,
    latencyMs: () => 50 + ((seed * 7919 + arrived.length * 104_729) % 200),
    concurrency: 6,
    weights
  })
  const askings = fc.sample(asking, { numRuns: 30, seed })
  for (const [at, { team, priority }] of askings.entries()) ask(`call${at}`, { team, priority })
  await clock.advance(2000)
  const asked = clock.now()
  let sendAt = asked
  ask('last', {
    ...askings[0],
    onQueued: place => {
      sendAt = place.prospect().sendAt
    }
  })
  await clock.advance(40_000)
  return Math.abs(sendAt - (arrived.find(({ target }) => target === 'last')?.at ?? Infinity))
}

t.test('an empty house sends at once', async t => {
  const sends = new Sends({
    ...{ journal: noJournal, emit: () => {} },
    ...{ limit: 1, windowMs: 1000, concurrency: 1 }
  })
  const queue = new FairQueue<Queued>()
  const item: Queued = { teams: ['blue'], priority: 'interactive', arrivedAt: 0 }
  queue.push(item)
  const outlook = { now: 5, queue, sends, shares: new Shares(weights), budget: unbounded }
  t.equal(estimateSendAt(item, outlook, Infinity), 5)
})
