/**
 * Says for all flights that this replica leads, at once, that it is still there: many may wait for
 * a slot at the same time, and the store has better things to do than to hear of each.
 */

import type { Clock, Timer } from '../clock.ts'
import { type HeldLease, leaseMs, type SharedPages } from './shared-pages.ts'

/** A flight that is led here. */
export interface Led {
  readonly lease: HeldLease
  /** Another replica leads it by now. */
  makeWay(): void
}

/** Three times within a lease, of which two may be lost. */
const everyMs = 0.3 * leaseMs

/** Each exchange is short, so that nobody waits for it. */
const mostAtOnce = 100

export class LeaseRenewals {
  readonly #clock: Clock
  readonly #pages: SharedPages
  readonly #flights = new Set<Led>()
  #timer: Timer | undefined

  constructor(clock: Clock, pages: SharedPages) {
    this.#clock = clock
    this.#pages = pages
  }

  add(flight: Led): void {
    this.#flights.add(flight)
    if (this.#flights.size === 1) this.#renewLater()
  }

  delete(flight: Led): void {
    this.#flights.delete(flight)
    if (this.#flights.size === 0) this.#timer?.cancel()
  }

  #renewLater(): void {
    this.#timer = this.#clock.after(everyMs, () => {
      const flights = [...this.#flights]
      for (let at = 0; at < flights.length; at += mostAtOnce) {
        // What is lost is said again soon.
        this.#renew(flights.slice(at, at + mostAtOnce)).catch(() => {})
      }
      this.#renewLater()
    })
  }

  async #renew(flights: readonly Led[]): Promise<void> {
    const areOurs = await this.#pages.hold(flights.map(({ lease }) => lease))
    for (const [index, flight] of flights.entries()) if (!areOurs[index]) flight.makeWay()
  }
}
