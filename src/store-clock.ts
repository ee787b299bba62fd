/**
 * Ground floor: how far the clock of the store that replicas share is ahead of ours, as a span that
 * every answer narrows: it read its clock some time between our question and its answer. Clocks run
 * at slightly different rates, so the span widens with time. Instants are moved between the clocks
 * towards the safe end of the span; the clocks of the replicas' machines are never compared.
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
  /** The store's clock less ours: at least and at most. */
  #least = -Infinity
  #most = Infinity
  #readAt = 0

  /** False until there is a reading: nothing can be moved before. */
  get isKnown(): boolean {
    return this.#least > -Infinity
  }

  /**
   * @returns false if the store's clock was set since the last reading, so that what it showed
   * before means nothing any more; then this one is the first of a new span
   */
  observe({ askedAt, heardAt, time }: Reading): boolean {
    const widenMs = Math.max(heardAt - this.#readAt, 0) * mostDrift
    const read = { least: time - heardAt - roundingMs, most: time - askedAt + roundingMs }
    const least = Math.max(this.#least - widenMs, read.least)
    const most = Math.min(this.#most + widenMs, read.most)
    const agrees = least <= most
    this.#least = agrees ? least : read.least
    this.#most = agrees ? most : read.most
    this.#readAt = heardAt
    return agrees
  }

  /** Another store, or another clock in it. */
  forget(): void {
    this.#least = -Infinity
    this.#most = Infinity
  }

  /** The earliest that the store's clock can show at an instant of ours. */
  toStore(at: number): number {
    return at + this.#least
  }

  /** The earliest and the latest instant of ours at which the store's clock can show this. */
  earliestHere(storeAt: number): number {
    return storeAt - this.#most
  }

  latestHere(storeAt: number): number {
    return storeAt + 1 - this.#least
  }
}
