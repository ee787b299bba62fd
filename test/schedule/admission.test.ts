/**
 * Who is let into the line: the short cuts agree with playing the line forward, for ledgers and
 * lines that fast-check makes up, and a long line makes nobody wait for the verdict.
 */

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { canMake } from '../../src/schedule/admission.ts'
import { unbounded } from '../../src/schedule/budget.ts'
import { estimateSendAt } from '../../src/schedule/estimate.ts'
import { FairQueue, type Queued } from '../../src/schedule/fair-queue.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { Shares } from '../../src/schedule/reserves.ts'
import { Sends } from '../../src/schedule/sends.ts'
import { holds } from '../support/property.ts'
import { rig } from '../support/schedule.ts'

const weights = new Map([
  ['blue', 1],
  ['green', 2],
  ['red', 5]
])
const windowMs = 10_000
const priorities: readonly Queued['priority'][] = ['interactive', 'refresh', 'bulk']

const teamSets = fc.subarray([...weights.keys()], { minLength: 1 })
const line = fc.array(fc.record({ teams: teamSets, priority: fc.constantFrom(...priorities) }), {
  minLength: 1,
  maxLength: 60
})
const earlier = fc.array(
  fc.record({
    team: fc.constantFrom(...weights.keys()),
    gapMs: fc.integer({ min: 0, max: 800 }),
    tookMs: fc.integer({ min: 1, max: 3000 }),
    ending: fc.constantFrom('ok', 'ok', 'ok', 'flying', 'error')
  }),
  { maxLength: 30 }
)
const house = fc.record({
  limit: fc.integer({ min: 1, max: 24 }),
  concurrency: fc.integer({ min: 1, max: 8 }),
  earlier,
  line,
  waitMs: fc.integer({ min: 0, max: 60_000 })
})

t.test('the verdict is what playing the line forward says', async t => {
  const verdicts = { yes: 0, no: 0 }
  await holds(
    t,
    fc.property(house, ({ concurrency, earlier, limit, line, waitMs }) => {
      const limits = { limit, concurrency }
      const sends = new Sends({ journal: noJournal, emit: () => {}, windowMs, ...limits })
      let now = 0
      for (const { ending, gapMs, team, tookMs } of earlier) {
        now += gapMs
        if (sends.ledger.used(now) >= limit || sends.ledger.inFlight >= concurrency) continue
        const sent = sends.begin({ team, priority: 'interactive', level: 1 }, now)
        if (ending === 'ok') sends.succeeded(sent, now + tookMs)
        if (ending === 'error') sends.failed(sent, now + tookMs, new Error('lost'))
        now += ending === 'flying' ? 0 : tookMs
      }
      const queue = new FairQueue<Queued>()
      const items = line.map((one, arrivedAt) => ({ ...one, arrivedAt }))
      for (const item of items) queue.push(item)
      const item = items.at(-1)!
      const outlook = { now, queue, sends, shares: new Shares(weights), budget: unbounded }
      const deadline = now + waitMs
      const exact = estimateSendAt(item, outlook, deadline) <= deadline
      verdicts[exact ? 'yes' : 'no']++
      return canMake(item, outlook, deadline, limits) === exact
    }),
    { numRuns: 3000 }
  )
  t.ok(verdicts.yes > 100 && verdicts.no > 100, JSON.stringify(verdicts))
})

/** How often the line was played forward: it is copied for that. */
function countClones(t: Test): () => number {
  const { clone } = FairQueue.prototype
  let clones = 0
  FairQueue.prototype.clone = function (this: FairQueue<Queued>) {
    clones++
    return clone.call(this) as FairQueue<Queued>
  } as typeof clone
  t.teardown(() => {
    FairQueue.prototype.clone = clone
  })
  return () => clones
}

t.test('10,000 calls that have time are let in without playing the line forward', async t => {
  const clones = countClones(t)
  const { ask, outcomes, schedule } = rig({ weights, limit: 120, maxLength: 20_000 })
  const teams = [...weights.keys()]
  for (let call = 0; call < 10_000; call++) {
    ask(`call${call}`, { team: teams[call % 3]!, waitMs: 24 * 3_600_000 })
  }
  t.equal(schedule.report().waiting.length + schedule.report().inFlight, 10_000)
  t.equal(outcomes.size, 0)
  t.equal(clones(), 0)
})

t.test('a crowd whose time is over together is refused with one look ahead', async t => {
  const clones = countClones(t)
  // The upstream never answers, so nobody of those who could all have been sent is.
  const { ask, clock, outcomes } = rig({ limit: 100, concurrency: 1, maxLength: 20_000 })
  for (let call = 0; call < 2000; call++) ask(`call${call}`, { waitMs: 2e6 + call / 1000 })
  t.equal(outcomes.size, 0)
  await clock.advance(2e6 + 1000)
  const refused = [...outcomes.values()].filter(({ code }) => code === 'budget_exhausted')
  t.equal(refused.length, 1999)
  t.ok(clones() > 0 && clones() <= 3, `${clones()}`)
})
