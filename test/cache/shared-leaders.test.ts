/**
 * One flight over several replicas, in virtual time: leaders that die, stand still, are slow or are
 * cut off, before and after their call has left, and followers with more or less time.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { leaseMs } from '../../src/cache/shared-pages.ts'
import { ServiceError } from '../../src/errors.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { virtualServers } from '../support/page-caches.ts'
import { holds } from '../support/property.ts'
import { needsRedis } from '../support/redis.ts'
import {
  startVirtualServices,
  timeoutMs,
  type VirtualReplica,
  VirtualServices
} from '../support/virtual-services.ts'

needsRedis(t)
t.setTimeout(120_000)

type Trio = [VirtualReplica, VirtualReplica, VirtualReplica]

/** In which a leader has its lease, and its call has not left. */
const claimedMs = 0.5
/** In which its call has left. */
const sentMs = 20

t.test('300 requests for one cold page over three replicas cost one call', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  for (let index = 0; index < 300; index++) replicas[index % 3]!.ask()
  await clock.advance(1000)
  t.equal(services.arrived.length, 1)
  t.ok(services.outcomes.every(({ code }) => code === 'ok'))
})

t.test('a leader that dies with its call is succeeded within its lease, by one call', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, ...others] = replicas as Trio
  services.fate = call => services.answered(call, 2000)
  leader.ask()
  await clock.advance(sentMs)
  for (let index = 0; index < 20; index++) others[index % 2]!.ask()
  await clock.advance(500)
  leader.process.kill()
  const killedAt = clock.now()
  await clock.advance(leaseMs + 2000 + sentMs)
  t.equal(services.arrived.length, 2)
  t.ok(services.arrived[1]!.at - killedAt <= leaseMs + sentMs)
  t.ok(services.outcomes.slice(1).every(({ code }) => code === 'ok'))
  const held = others[0]!.budget.report().members.map(({ held }) => held)
  t.equal(
    held.reduce((sum, held) => sum + held),
    2,
    'both are counted'
  )
})

t.test('a leader that dies before its call is sent costs none', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other] = replicas as Trio
  leader.ask()
  await clock.advance(claimedMs)
  leader.process.kill()
  const outcome = other.ask()
  await clock.advance(leaseMs + 400)
  t.equal(outcome.code, 'ok')
  t.equal(services.arrived.length, 1)
})

t.test('who has no time to wait for the lease of a dead leader makes the call in time', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other, third] = replicas as Trio
  leader.ask()
  await clock.advance(claimedMs)
  leader.process.kill()
  const hasty = other.ask({ waitMs: 400 })
  const patient = third.ask()
  await clock.advance(1000)
  t.equal(hasty.code, 'ok')
  t.equal(patient.code, 'ok')
  t.equal(services.arrived.length, 1)
  t.ok(services.arrived[0]!.at <= hasty.deadline)
})

t.test('whose time is over when a sent call is lost is told so, others are served', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other, third] = replicas as Trio
  services.fate = call => services.answered(call, 1500)
  leader.ask()
  await clock.advance(sentMs)
  const outcomes = [other.ask({ waitMs: 300 }), other.ask(), third.ask({ waitMs: 300 })]
  leader.process.kill()
  await clock.advance(leaseMs + sentMs)
  t.match(outcomes[0], { code: 'upstream_unreachable', retryAfterMs: 1000 })
  t.match(outcomes[2], { code: 'upstream_unreachable', retryAfterMs: 1000 })
  await clock.advance(1500 + sentMs)
  t.equal(outcomes[1]!.code, 'ok')
  t.equal(services.arrived.length, 2)
})

t.test('a leader that stood still before its call was sent makes way', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other] = replicas as Trio
  services.fate = call => services.answered(call, 3000 - sentMs)
  const first = leader.ask()
  await clock.advance(claimedMs)
  leader.process.suspend()
  const second = other.ask()
  await clock.advance(leaseMs + sentMs)
  t.equal(services.arrived.length, 1)
  leader.process.resume()
  await clock.advance(3000)
  t.same([first.code, second.code], ['ok', 'ok'])
  t.equal(services.arrived.length, 1)
})

t.test('a leader that stood still after its call was sent costs one more', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other, third] = replicas as Trio
  const first = leader.ask()
  await clock.advance(sentMs)
  leader.process.suspend()
  const second = other.ask()
  await clock.advance(5000)
  leader.process.resume()
  await clock.advance(100)
  t.same([first.code, second.code], ['ok', 'ok'])
  t.equal(services.arrived.length, 2)
  const later = third.ask()
  await clock.advance(100)
  t.equal(later.code, 'ok')
  t.equal(services.arrived.length, 2)
})

t.test('a call that is repeated is not waited for by whose time is over, anywhere', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other] = replicas as Trio
  const broken = new ServiceError('upstream_unreachable', 'reset', { contact: 'unanswered' })
  services.fate = call =>
    services.arrived.length === 1 ? services.failed(broken, 1000) : services.answered(call, 1000)
  const patient = leader.ask()
  await clock.advance(sentMs)
  const hasty = other.ask({ waitMs: 500 })
  const another = other.ask()
  await clock.advance(1000)
  t.match(hasty, { code: 'upstream_unreachable' })
  await clock.advance(1500)
  t.same([patient.code, another.code], ['ok', 'ok'])
  t.equal(services.arrived.length, 2)
})

t.test('who boards a refresh that others make does not fail with it', async t => {
  const env = { CACHE_FRESH_SECONDS: '5', CACHE_STALE_WHILE_REVALIDATE_SECONDS: '3' }
  const { clock, replicas, services } = await startVirtualServices(t, { env })
  const [leader, other] = replicas as Trio
  const paused = new ServiceError('upstream_rate_limited', 'paused', {
    ...{ contact: 'answered', upstreamStatus: 429, retryAfterMs: 7000 }
  })
  services.fate = call =>
    services.arrived.length === 2 ? services.failed(paused, 1500) : services.answered(call, 300)
  leader.ask()
  await clock.advance(1000)
  other.ask()
  await clock.advance(5000)
  // Both are answered at once, and refresh it behind.
  leader.ask()
  await clock.advance(sentMs)
  other.ask()
  await clock.advance(sentMs)
  const early = other.ask({ conditions: { noCache: true } })
  await clock.advance(900)
  const late = leader.ask({ conditions: { noCache: true } })
  await clock.advance(20_000)
  t.same([early.code, late.code], ['ok', 'ok'])
  t.ok(services.arrived.length <= 3)
})

t.test('without a slot a follower is refused at its deadline, with an estimate', async t => {
  const { clock, replicas, services } = await startVirtualServices(t, { limit: 1 })
  const [leader, other] = replicas as Trio
  leader.ask({ page: 1 })
  await clock.advance(40_000)
  const patient = leader.ask({ waitMs: 50_000 })
  await clock.advance(sentMs)
  const hasty = other.ask({ waitMs: 500 })
  await clock.advance(500 + sentMs)
  t.match(hasty, { code: 'budget_exhausted' })
  t.ok(hasty.at! <= hasty.deadline + sentMs)
  t.ok(hasty.retryAfterMs! > 15_000 && hasty.retryAfterMs! < 90_000, `${hasty.retryAfterMs} ms`)
  await clock.advance(40_000)
  t.equal(patient.code, 'ok')
  t.equal(services.arrived.length, 2)
})

t.test('a leader that is cut off is succeeded, and makes way', async t => {
  const { clock, replicas, services } = await startVirtualServices(t)
  const [leader, other] = replicas as Trio
  services.fate = call => services.answered(call, 2500)
  const first = leader.ask()
  await clock.advance(sentMs)
  leader.store.canAsk = false
  const second = other.ask()
  await clock.advance(5000)
  t.same([first.code, second.code], ['ok', 'ok'])
  t.equal(services.arrived.length, 2)
})

t.test('for many flights at once it is said that their leader lives', async t => {
  const { clock, replicas, services } = await startVirtualServices(t, { limit: 1 })
  const [leader, other] = replicas as Trio
  for (let page = 0; page < 250; page++) leader.ask({ page, waitMs: 50_000_000 })
  await clock.advance(1000)
  const before = services.server.executions
  await clock.advance(6 * leaseMs)
  const perSecond = (services.server.executions - before) / 6
  t.ok(perSecond < 30, `${perSecond} exchanges a second`)
  // All are still led: whoever else asks for them waits.
  const outcomes = [0, 100, 249].map(page => other.ask({ page, waitMs: 40_000 }))
  await clock.advance(1000)
  t.same(
    [services.arrived.length, ...outcomes.map(({ code }) => code)],
    [1, 'ok', undefined, undefined]
  )
})

type Trouble = 'kill' | 'suspend' | 'resume' | 'cut' | 'mend'

const troubles: readonly Trouble[] = ['kill', 'suspend', 'resume', 'cut', 'mend']

const befall: Readonly<Record<Trouble, (replica: VirtualReplica) => void>> = {
  kill: ({ process }) => process.kill(),
  suspend: ({ process }) => process.suspend(),
  resume: ({ process }) => process.resume(),
  cut: ({ store }) => {
    store.canAsk = false
  },
  mend: ({ store }) => {
    store.canAsk = true
  }
}

interface Plan {
  readonly latencyMs: number
  readonly steps: readonly {
    readonly gapMs: number
    /** At which of them; the last one is never in trouble. */
    readonly replica: number
    readonly waitMs: number
    readonly trouble: Trouble | 'none'
  }[]
}

const plan: fc.Arbitrary<Plan> = fc.record({
  latencyMs: fc.integer({ min: 1, max: 2500 }),
  steps: fc.array(
    fc.record({
      // Most of what can go wrong goes wrong between a claim and its call.
      gapMs: fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.nat(1500)),
      replica: fc.nat(2),
      waitMs: fc.oneof(fc.integer({ min: 100, max: 900 }), fc.integer({ min: 100, max: 6000 })),
      trouble: fc.constantFrom<Trouble | 'none'>('none', 'none', ...troubles)
    }),
    { minLength: 3, maxLength: 15 }
  )
})

t.test('whatever becomes of leaders, who waits elsewhere gets the page or is told why', async t => {
  const clock = new FakeClock()
  const openServer = await virtualServers(t, clock)
  let served = 0
  const property = fc.asyncProperty(plan, async ({ latencyMs, steps }) => {
    const services = new VirtualServices(clock, openServer(), 1000)
    services.fate = call => services.answered(call, latencyMs)
    const replicas = ['r0', 'r1', 'r2'].map(name => services.start(name))
    // Until the first has heard that the budget is not all its own: else all of it is set aside for
    // it when it falls silent, and nobody has a slot.
    await clock.advance(4000)
    replicas[0]!.ask()
    const dead = new Set<string>()
    let troubled = 0
    for (const { gapMs, replica: index, trouble, waitMs } of steps) {
      await clock.advance(gapMs)
      const replica = replicas[index]!
      if (trouble === 'none' || index === 2) {
        if (!dead.has(replica.name)) replica.ask({ waitMs })
      } else {
        befall[trouble](replica)
        if (trouble === 'kill') dead.add(replica.name)
        if (trouble !== 'resume' && trouble !== 'mend') troubled++
      }
    }
    await clock.advance(15_000)
    const calls = services.arrived.length
    assert(calls <= 1 + troubled, `${calls} calls, ${troubled} troubles`)
    const outcomes = services.outcomes.filter(({ replica }) => replica === 'r2')
    for (const { at, code, deadline } of outcomes) {
      assert(at !== undefined && at <= deadline + timeoutMs + leaseMs, 'nobody waits longer')
      // Whoever has more time is waited for by who has less.
      const isLast = outcomes.every(other => other.deadline <= deadline)
      if (code !== 'budget_exhausted' || isLast) assert.match(code ?? '', /^(ok|upstream_unre)/)
      if (code === 'ok') served++
    }
    for (const { process } of replicas) process.kill()
  })
  await holds(t, property, { numRuns: 60 })
  t.ok(served > 30, `${served} served`)
})
