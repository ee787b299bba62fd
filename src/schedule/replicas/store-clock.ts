/**
 * How far the store's clock is ahead of ours, as a span that every answer narrows: it read its
 * clock some time between our question and its answer. Both clocks may run at slightly different
 * rates, so the span widens with time. An answer outside of it means that the store's clock was
 * set: slots in its ledger then come free too early or too late.
 */

/** Clock rates differ by less; over a window of a minute that is less than the ledger's guard. */
const mostDrift = 300e-6

/** The store tells whole milliseconds. */
const roundingMs = 2

export interface Reading {
  /** Our instants of the question and of the answer. */
  readonly askedAt: number
  readonly heardAt: number
  /** The store's Unix milliseconds. */
  readonly time: number
}

export class StoreClock {
  #least = -Infinity
  #most = Infinity
  #readAt = 0

  /** False if the store's clock was set since the last reading; then this one is forgotten. */
  observe({ askedAt, heardAt, time }: Reading): boolean {
    const widenMs = Math.max(heardAt - this.#readAt, 0) * mostDrift
    const least = Math.max(this.#least - widenMs, time - heardAt - roundingMs)
    const most = Math.min(this.#most + widenMs, time - askedAt + roundingMs)
    if (least > most) return false
    this.#least = least
    this.#most = most
    this.#readAt = heardAt
    return true
  }

  /** Another store, or another clock in it. */
  forget(): void {
    this.#least = -Infinity
    this.#most = Infinity
  }

  /** What the store's clock reads at our instant `at`, at the least; needs a reading first. */
  least(at: number): number {
    return Math.floor(at + this.#least)
  }
}
