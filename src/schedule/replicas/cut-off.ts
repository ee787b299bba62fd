/**
 * From when until when a replica that is cut off may spend its share: the arithmetic of what
 * membership.ts says in 3.
 */

import { storeTimeoutMs } from '../../shared-store.ts'
import { guardMs } from '../ledger.ts'

/** A share, and from when until when it may be spent without the store. */
export interface Alone {
  readonly from: number
  readonly until: number
  readonly share: number
}

export const never: Alone = { from: Infinity, until: Infinity, share: 0 }

export interface CutOffOptions {
  /** After which the others set its share aside. */
  readonly silentMs: number
  readonly leaseMs: number
  readonly windowMs: number
  readonly graceMs: number
}

export class CutOff {
  /** How long others may be granted, and use, what they can no longer have once we are set aside. */
  readonly #lastingMs: number
  readonly #graceMs: number
  /** When the last exchange that may count began, and the last that was answered. */
  #triedAt = -Infinity
  #confirmedAt = -Infinity

  constructor({ graceMs, leaseMs, silentMs, windowMs }: CutOffOptions) {
    this.#lastingMs = silentMs + leaseMs + windowMs
    this.#graceMs = graceMs
  }

  /** @returns what to do if it was certainly not carried out: then it was no try */
  tried(at: number): () => void {
    const before = this.#triedAt
    this.#triedAt = at
    return () => {
      this.#triedAt = before
    }
  }

  /** @param askedAt when an exchange began that was answered */
  confirmed(askedAt: number): void {
    this.#confirmedAt = askedAt
  }

  alone(share: number): Alone {
    const from = this.#triedAt + storeTimeoutMs + this.#lastingMs + guardMs
    return { from, until: this.until, share }
  }

  get until(): number {
    return this.#confirmedAt + this.#lastingMs + this.#graceMs
  }
}
