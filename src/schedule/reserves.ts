/**
 * Which calls may use the slot and the connection that are free. A spent slot comes back only a
 * window later, so the end of the window is kept for those who would otherwise wait that long:
 *
 * - the last sixth of the slots is closed to bulk;
 * - the last twelfth is closed to refreshes, and to any team that holds more than its weighted
 *   share among all configured teams; with one team, to no team.
 *
 * A connection comes back after one call, but eight of them filled by one team are a wait as well:
 * the last quarter is closed to bulk, the last eighth to refreshes and to a team above its share.
 */

import type { Priority } from '../ports.ts'
import type { Judge } from './fair-queue.ts'
import type { Ledger } from './ledger.ts'

/** What the configured teams are entitled to. */
export class Shares {
  readonly #weights: ReadonlyMap<string, number>
  readonly #sum: number

  /** @param weights of each configured team */
  constructor(weights: ReadonlyMap<string, number>) {
    this.#weights = weights
    this.#sum = [...weights.values()].reduce((total, weight) => total + weight, 0)
  }

  weightOf(team: string): number {
    return this.#weights.get(team) ?? 1
  }

  /** A team's part of the whole, above 0; all of it where there is but one team. */
  shareOf(team: string): number {
    return this.#weights.size <= 1 ? 1 : this.weightOf(team) / this.#sum
  }
}

export interface Bounds {
  /** Slots that may be held at one time, just now. */
  readonly limit: number
  /** Calls that may be in flight at one time, just now. */
  readonly concurrency: number
}

/** The state of things at the moment of a send. */
export interface Situation {
  readonly now: number
  readonly ledger: Ledger
  readonly bounds: Bounds
  readonly shares: Shares
}

/** True if any call may be sent at all. */
export function hasRoom({ bounds, ledger, now }: Situation): boolean {
  return ledger.used(now) < bounds.limit && ledger.inFlight < bounds.concurrency
}

/** Judges who may go next, given that there is room. */
export function judgeOf({ bounds, ledger, now, shares }: Situation): Judge {
  return {
    isOpen(priority, team) {
      const share = shares.shareOf(team)
      const slots = {
        used: ledger.used(now),
        size: bounds.limit,
        overShare: share < 1 && ledger.heldBy(team, now) > bounds.limit * share
      }
      const connections = {
        used: ledger.inFlight,
        size: bounds.concurrency,
        overShare: share < 1 && ledger.flyingOf(team) >= bounds.concurrency * share
      }
      return fits(priority, slots, slotParts) && fits(priority, connections, connectionParts)
    },
    load: team => (ledger.heldBy(team, now) + 1) / shares.weightOf(team)
  }
}

interface Supply {
  readonly used: number
  readonly size: number
  readonly overShare: boolean
}

/** Fractions of the whole that are closed. */
interface Parts {
  readonly bulk: number
  readonly newcomers: number
}

const slotParts: Parts = { bulk: 1 / 6, newcomers: 1 / 12 }
const connectionParts: Parts = { bulk: 1 / 4, newcomers: 1 / 8 }

/** A fraction of few is rounded in favour of whoever waits. */
function fits(priority: Priority, { used, size, overShare }: Supply, parts: Parts): boolean {
  const yields = priority === 'refresh' || overShare
  const closed = priority === 'bulk' ? parts.bulk : yields ? parts.newcomers : 0
  return used < size - Math.floor(size * closed)
}
