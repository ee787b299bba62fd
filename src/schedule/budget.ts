/**
 * Whose budget it is. A service by itself spends as its own ledger says (`unshared`); one of several
 * replicas spends what the shared ledger grants it (`replicas/shared-budget.ts`). The schedule asks
 * before it sends and tells what became of each call, and need not know which of the two it has.
 */

import type { Priority } from '../ports.ts'
import type { ReplicasReport } from '../reports.ts'
import type { Elsewhere, HeldSlot } from './ledger.ts'

/**
 * What a grant is good for, as the reserves of the window's end distinguish calls: 1 may use all of
 * it, 2 (refreshes, teams above their share) less, 3 (bulk) least.
 */
export type Level = 1 | 2 | 3

export function levelOf(priority: Priority, overShare: boolean): Level {
  if (priority === 'bulk') return 3
  return priority === 'refresh' || overShare ? 2 : 1
}

/** How many calls wait that could go if they were granted a slot, by level. */
export type Demand = readonly [number, number, number]

/** What the budget asks of the schedule that spends it. */
export interface Spender {
  demand(): Demand
  held(): readonly HeldSlot[]
  heldByTeam(): Readonly<Record<string, number>>
  /** Slots that may be held in all, as far as the upstream's answers say. */
  workingLimit(): number
  /** Another replica met a 429. */
  pausedElsewhere(until: number): void
  heldElsewhere(elsewhere: Elsewhere): void
  /** More, or less, may be sent than a moment ago. */
  changed(): void
}

/** What may be expected of the budget from some instant on, if nothing changes. */
export interface Expectation {
  /** Slots that may be held at `at`; 0 if nothing may be sent then. */
  limit(at: number): number
  /** What it means if that is 0. */
  readonly hindrance: 'held' | 'cut-off'
  /** The next instant after `at` at which that changes by itself; Infinity if it does not. */
  nextChangeAt(at: number): number
  /** Replicas that take turns, this one among them. */
  readonly turns: number
  /** How far ahead that can be told; Infinity if nothing is in doubt. */
  readonly knownForMs: number
}

export interface Budget {
  attach(spender: Spender): void
  /** Levels of the grants in hand; undefined if none are needed. */
  granted(now: number): readonly Level[] | undefined
  expectation(now: number): Expectation
  /** Calls may wait that only lack a grant. */
  want(): void
  /** A call leaves in this slot, for which it uses a grant, if these are needed. */
  sent(slot: number, level: Level, now: number): void
  settled(slot: number, doneAt: number): void
  /** The call in this slot certainly never left. */
  released(slot: number): void
  /** This replica met a 429. */
  paused(until: number): void
  report(): ReplicasReport
  /** Signs off; nothing is sent after. */
  leave(): Promise<void>
}

/** Bounded by the limit alone. */
export const unbounded: Expectation = {
  limit: () => Infinity,
  hindrance: 'held',
  nextChangeAt: () => Infinity,
  turns: 1,
  knownForMs: Infinity
}

const nothing = () => {}

/** The whole budget is this process's. */
export const unshared: Budget = {
  attach: nothing,
  granted: () => undefined,
  expectation: () => unbounded,
  want: nothing,
  sent: nothing,
  settled: nothing,
  released: nothing,
  paused: nothing,
  report: () => ({ mode: 'single', members: [] }),
  leave: async () => {}
}
