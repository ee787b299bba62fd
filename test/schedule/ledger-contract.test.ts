/**
 * What a ledger promises to those who send, the same whether it is this process's own or one that
 * replicas share in a store.
 */

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { largestWindow } from '../../simulator/arrivals.ts'
import { ServiceError } from '../../src/errors.ts'
import { giveUpMarginMs, guardMs } from '../../src/schedule/ledger.ts'
import type { Schedule } from '../../src/schedule/schedule.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { needsRedis } from '../support/redis.ts'
import { openReplicas } from '../support/replicas.ts'
import { type Rig, rig } from '../support/schedule.ts'

needsRedis(t)
t.setTimeout(120_000)

const windowMs = 6000

/** One call: how long until it arrives and until its answer is back, and how it ends. */
interface Fate {
  readonly outMs: number
  readonly backMs: number
  readonly ending: 'answer' | 'lost' | 'unsent'
}

const answered: Fate = { outMs: 10, backMs: 10, ending: 'answer' }

interface House {
  readonly clock: FakeClock
  ask(options?: Parameters<Rig['ask']>[1]): AbortController
  /** When calls arrived. */
  readonly arrivals: number[]
  readonly schedule: Schedule
  /** What becomes of the next calls; then they are all answered. */
  readonly fates: Fate[]
}

interface HouseOptions {
  readonly limit: number
  readonly teams?: ReadonlyMap<string, number>
}

type Open = (t: Test, options: HouseOptions) => Promise<House>

/** Carries a call to its end. */
function carrying(clock: () => FakeClock, { arrivals, fates }: Pick<House, 'arrivals' | 'fates'>) {
  const after = (ms: number) => new Promise<void>(resolve => clock().after(ms, resolve))
  return async () => {
    const { backMs, ending, outMs } = fates.shift() ?? answered
    if (ending !== 'unsent') arrivals.push(clock().now() + outMs)
    await after(outMs)
    if (ending === 'answer') return after(backMs)
    const contact = ending === 'unsent' ? 'unsent' : 'unanswered'
    throw new ServiceError('upstream_unreachable', 'the network', { contact })
  }
}

const own: Open = async (_, { limit, teams = new Map([['blue', 1]]) }) => {
  const kept = { arrivals: [] as number[], fates: [] as Fate[] }
  const carry = carrying(() => house.clock, kept)
  const house: Rig = rig({
    ...{ limit, windowMs, concurrency: 64, weights: teams },
    attempt: () => carry().then(() => undefined as never)
  })
  let asked = 0
  const { clock, schedule } = house
  return { ...kept, clock, schedule, ask: options => house.ask(`/${asked++}`, options) }
}

const shared: Open = async (t, { limit, teams = new Map([['blue', 1]]) }) => {
  const kept = { arrivals: [] as number[], fates: [] as Fate[] }
  const carry = carrying(() => replicas.clock, kept)
  const replicas = await openReplicas(t, { limit, windowMs, teams, fate: () => carry() })
  const { ask, schedule } = replicas.start('one')
  // Until it has joined.
  await replicas.clock.advance(2000)
  return { ...kept, clock: replicas.clock, schedule, ask }
}

/** What a message to the store and back may take. */
const soonMs = 5

for (const [name, open] of Object.entries({ own, shared })) {
  t.test(`${name}: a slot comes free one window after the answer`, async t => {
    const { arrivals, ask, clock, fates } = await open(t, { limit: 1 })
    fates.push({ outMs: 300, backMs: 200, ending: 'answer' })
    const asked = clock.now()
    for (let call = 0; call < 2; call++) ask()
    await clock.advance(2 * windowMs)
    const freeAt = asked + 500 + windowMs
    t.equal(arrivals.length, 2)
    t.ok(arrivals[1]! >= freeAt, `${arrivals[1]! - freeAt} ms after`)
    t.ok(
      arrivals[1]! <= freeAt + guardMs + answered.outMs + 20,
      `${arrivals[1]! - freeAt} ms after`
    )
  })

  t.test(`${name}: one that certainly never left comes free at once`, async t => {
    const { arrivals, ask, clock, fates } = await open(t, { limit: 1 })
    fates.push({ outMs: 5, backMs: 0, ending: 'unsent' })
    const asked = clock.now()
    for (let call = 0; call < 2; call++) ask()
    await clock.advance(2000)
    t.equal(arrivals.length, 1)
    t.ok(arrivals[0]! - asked < 100)
  })

  t.test(`${name}: one that was given up counts a margin longer`, async t => {
    const { arrivals, ask, clock, fates } = await open(t, { limit: 1 })
    fates.push({ outMs: 100, backMs: 0, ending: 'lost' })
    const asked = clock.now()
    ask({ waitMs: 0 })
    await clock.advance(200)
    ask()
    await clock.advance(3 * windowMs)
    const freeAt = asked + 100 + giveUpMarginMs + windowMs
    t.ok(arrivals[1]! >= freeAt && arrivals[1]! < freeAt + guardMs + 50)
  })

  t.test(`${name}: who waits is sent in order, and who leaves costs nothing`, async t => {
    const { arrivals, ask, clock } = await open(t, { limit: 2 })
    const callers = Array.from({ length: 6 }, () => ask())
    await clock.advance(soonMs)
    for (const caller of callers.slice(2)) caller.abort()
    await clock.advance(3 * windowMs)
    t.equal(arrivals.length, 2)
    ask()
    await clock.advance(answered.outMs + soonMs)
    t.equal(arrivals.length, 3)
  })

  t.test(`${name}: the end of the window is kept from bulk, then from refreshes`, async t => {
    const { arrivals, ask, clock } = await open(t, { limit: 24 })
    const burst = async (priority: 'bulk' | 'refresh' | 'interactive') => {
      for (let call = 0; call < 24; call++) ask({ priority, waitMs: 1000 })
      await clock.advance(2000)
      return arrivals.length
    }
    t.same([await burst('bulk'), await burst('refresh'), await burst('interactive')], [20, 22, 24])
  })

  t.test(`${name}: the end of the window is kept for the team that came late`, async t => {
    const teams = new Map([
      ['blue', 1],
      ['green', 1]
    ])
    const { arrivals, ask, clock } = await open(t, { limit: 24, teams })
    for (let call = 0; call < 24; call++) ask({ team: 'blue', waitMs: 1000 })
    await clock.advance(2000)
    const before = arrivals.length
    for (let call = 0; call < 4; call++) ask({ team: 'green', waitMs: 1000 })
    await clock.advance(200)
    t.same([before, arrivals.length], [22, 24])
  })

  t.test(`${name}: no class that waits starves`, async t => {
    const { ask, clock, schedule } = await open(t, { limit: 24 })
    for (let call = 0; call < 24; call++) ask()
    await clock.advance(soonMs)
    for (let call = 0; call < 20; call++) ask({ priority: 'bulk' })
    for (let round = 0; round < 40; round++) {
      for (let call = 0; call < 12; call++) ask({ waitMs: 60_000 })
      await clock.advance(windowMs / 4)
    }
    const { waiting } = schedule.report()
    const bulkSent = 20 - waiting.filter(({ priority }) => priority === 'bulk').length
    // Ten windows of 24, of which one in twenty.
    t.ok(bulkSent >= 11 && bulkSent <= 14, `${bulkSent} of bulk`)
    t.ok(waiting.length > 100, 'and all the time somebody more urgent waited')
  })

  t.test(`${name}: the law holds whatever becomes of the calls`, async t => {
    const fate = fc.record({
      outMs: fc.integer({ min: 0, max: 900 }),
      backMs: fc.integer({ min: 0, max: 900 }),
      ending: fc.constantFrom('answer', 'answer', 'answer', 'lost', 'unsent') as fc.Arbitrary<
        Fate['ending']
      >
    })
    const calls = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 700 }), fate }), {
      minLength: 20,
      maxLength: 80
    })
    let sent = 0
    await fc.assert(
      fc.asyncProperty(calls, fc.integer({ min: 1, max: 12 }), async (calls, limit) => {
        const { arrivals, ask, clock, fates } = await open(t, { limit })
        for (const { fate, gapMs } of calls) {
          fates.push(fate)
          ask({ waitMs: 5000 })
          await clock.advance(gapMs)
        }
        await clock.advance(3 * windowMs)
        sent += arrivals.length
        return (
          largestWindow(
            arrivals.toSorted((a, b) => a - b),
            windowMs
          ) <= limit
        )
      }),
      { numRuns: name === 'own' ? 100 : 15 }
    )
    t.ok(sent > 100, `${sent} calls`)
  })
}
