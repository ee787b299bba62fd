/**
 * Nothing is wasted: whenever a slot and a connection are free and no pause holds, no interactive
 * call of a team within its share waits. Held against a model of its own, made from the stream of
 * sends and answers, after every step of random traffic.
 */

import fc from 'fast-check'
import t from 'tap'
import type { Priority } from '../../src/ports.ts'
import { guardMs } from '../../src/schedule/ledger.ts'
import { type Rig, rig } from '../support/schedule.ts'

const windowMs = 5000
const concurrency = 16
const weights = new Map([
  ['blue', 1],
  ['green', 2],
  ['red', 3]
])
const sum = 6

const step = fc.record({
  team: fc.constantFrom(...weights.keys()),
  priority: fc.constantFrom<Priority>('interactive', 'interactive', 'refresh', 'bulk'),
  count: fc.integer({ min: 1, max: 12 }),
  leave: fc.boolean(),
  gapMs: fc.integer({ min: 0, max: 900 })
})

interface Asked {
  readonly target: string
  readonly team: string
  readonly priority: Priority
  readonly controller: AbortController
}

/** Slots held and calls in flight, by team, from the events alone. */
function heldNow({ events, clock }: Rig): {
  held: Map<string, number>
  flying: Map<string, number>
} {
  const teamOf = new Map<number, string>()
  const held = new Map<string, number>()
  const add = (counts: Map<string, number>, team: string) =>
    counts.set(team, (counts.get(team) ?? 0) + 1)
  for (const event of events) {
    if (event.type === 'schedule.sent') teamOf.set(event.slot, event.team)
    if (event.type !== 'schedule.settled') continue
    const team = teamOf.get(event.slot) ?? ''
    teamOf.delete(event.slot)
    if (event.doneAt + windowMs + guardMs > clock.now()) add(held, team)
  }
  const flying = new Map<string, number>()
  for (const team of teamOf.values()) {
    add(held, team)
    add(flying, team)
  }
  return { held, flying }
}

const total = (counts: Map<string, number>) =>
  [...counts.values()].reduce((all, one) => all + one, 0)

/** The interactive calls that wait although nothing stands in their way. */
function wronged(house: Rig, asked: readonly Asked[], limit: number): Asked[] {
  const { held, flying } = heldNow(house)
  if (total(held) >= limit || total(flying) >= concurrency) return []
  const sent = new Set(house.arrived.map(({ target }) => target))
  return asked.filter(({ target, team, priority }) => {
    const share = (weights.get(team) ?? 0) / sum
    const within =
      (held.get(team) ?? 0) <= limit * share && (flying.get(team) ?? 0) <= concurrency * share
    return priority === 'interactive' && within && !sent.has(target) && !house.outcomes.has(target)
  })
}

t.test('no interactive call of a team within its share waits while it could go', async t => {
  let waits = 0
  const seeds = fc.array(step, { minLength: 10, maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(seeds, fc.integer({ min: 12, max: 60 }), async (steps, limit) => {
      const house = rig({
        ...{ limit, windowMs, weights, concurrency },
        latencyMs: () => 20 + ((house.arrived.length * 7919) % 300)
      })
      const asked: Asked[] = []
      for (const { team, priority, count, leave, gapMs } of steps) {
        for (let call = 0; call < count; call++) {
          const target = `call${asked.length}`
          asked.push({
            target,
            team,
            priority,
            controller: house.ask(target, { team, priority, waitMs: 20_000 })
          })
        }
        if (leave) asked[Math.floor(asked.length / 2)]?.controller.abort(new Error('left'))
        for (let at = 0; at < gapMs; at += 100) {
          await house.clock.advance(100)
          if (wronged(house, asked, limit).length > 0) return false
        }
      }
      waits += house.events.filter(({ type }) => type === 'schedule.queued').length
      return true
    }),
    { numRuns: 60 }
  )
  t.ok(waits > 1000, `${waits} calls had to wait`)
})
