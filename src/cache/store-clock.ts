/**
 * What the store's clock shows, as far as that can be known from here: each exchange with it tells
 * two bounds, and instants are moved between the clocks so that nothing ever looks younger than it
 * is. The clocks of the replicas' machines are never compared.
 */

/** Two quartz clocks part by less than this, and by this many milliseconds of rounding. */
const driftPart = 5e-4
const roundingMs = 5

/** Bounds that were learnt so long ago give way to new ones, be they wider. */
const staleMs = 10_000

export class StoreClock {
  /** The store's clock less ours: at least and at most. */
  #least = -Infinity
  #most = Infinity
  #learntAt = -Infinity

  get isKnown(): boolean {
    return this.#learntAt > -Infinity
  }

  /**
   * @param storeNow what it showed, in whole milliseconds, at some moment between ours
   * @returns false if it has jumped, so that what it showed before means nothing any more
   */
  learn(sentAt: number, receivedAt: number, storeNow: number): boolean {
    const least = storeNow - receivedAt
    const most = storeNow + 1 - sentAt
    const slack = roundingMs + driftPart * (receivedAt - this.#learntAt)
    const agrees = !this.isKnown || (least <= this.#most + slack && most >= this.#least - slack)
    const isBetter = most - least <= this.#most - this.#least
    if (!agrees || isBetter || receivedAt > this.#learntAt + staleMs) {
      this.#least = least
      this.#most = most
      this.#learntAt = receivedAt
    }
    return agrees
  }

  forget(): void {
    this.#least = -Infinity
    this.#most = Infinity
    this.#learntAt = -Infinity
  }

  /** The earliest that the store's clock can have shown at an instant of ours. */
  toStore(at: number): number {
    return at + this.#least
  }

  /** The earliest and the latest instant of ours at which the store's clock can have shown this. */
  earliestHere(storeAt: number): number {
    return storeAt - this.#most
  }

  latestHere(storeAt: number): number {
    return storeAt + 1 - this.#least
  }
}
