/**
 * Grants in hand: slots that the shared ledger keeps for this replica, each for one call that has
 * to leave soon. One that is not used goes back.
 */

import type { Level } from '../budget.ts'

export interface Grant {
  readonly serial: number
  readonly level: Level
  /** Our instant until which its call may leave. */
  readonly useBy: number
}

export class Grants {
  #inHand: Grant[] = []

  add(grants: readonly Grant[]): void {
    this.#inHand.push(...grants)
  }

  levels(now: number): Level[] {
    this.#drop(now)
    return this.#inHand.map(({ level }) => level)
  }

  /** For a call of this level: the least that will do; else any, for a call that was overdue. */
  take(level: Level, now: number): Grant | undefined {
    this.#drop(now)
    const fitting = this.#inHand.filter(grant => grant.level >= level)
    const taken = (fitting.length > 0 ? fitting : this.#inHand).toSorted(byLevel)[0]
    this.#inHand = this.#inHand.filter(grant => grant !== taken)
    return taken
  }

  /** All that are left. */
  giveBack(): Grant[] {
    return this.#inHand.splice(0)
  }

  /** Past its time a grant is not even given back: the ledger's lease is over soon enough. */
  #drop(now: number): void {
    if (this.#inHand.some(({ useBy }) => useBy < now)) {
      this.#inHand = this.#inHand.filter(({ useBy }) => useBy >= now)
    }
  }
}

function byLevel(one: Grant, other: Grant): number {
  return one.level - other.level
}
