/**
 * Until when those who wait can wait: one timer for the earliest of them, because a timer for each
 * takes as much memory as the call that waits.
 */

import type { Clock, Timer } from '../clock.ts'

export class Deadlines<Item> {
  readonly #clock: Clock
  readonly #onPassed: (item: Item) => void
  /** The earliest first; in step with their times, because a pair for each is as large again. */
  readonly #items: Item[] = []
  readonly #times: number[] = []
  #timer: Timer | undefined
  /** When it comes. */
  #wakesAt = Infinity

  /** @param onPassed called once for each, not before its instant; may add it again */
  constructor(clock: Clock, onPassed: (item: Item) => void) {
    this.#clock = clock
    this.#onPassed = onPassed
  }

  /** @param item not among them yet */
  add(item: Item, at: number): void {
    // Most come in order.
    let index = this.#times.length
    while (index > 0 && this.#times[index - 1]! > at) index--
    this.#items.splice(index, 0, item)
    this.#times.splice(index, 0, at)
    this.#wakeAt(at)
  }

  /** Nothing happens if it is not among them. */
  remove(item: Item): void {
    const index = this.#items.indexOf(item)
    if (index < 0) return
    this.#items.splice(index, 1)
    this.#times.splice(index, 1)
    // If it was the earliest, the timer finds nothing to do, and sleeps on.
    if (this.#items.length > 0) return
    this.#timer?.cancel()
    this.#wakesAt = Infinity
  }

  #wakeAt(at: number): void {
    if (at >= this.#wakesAt) return
    this.#timer?.cancel()
    this.#wakesAt = at
    this.#timer = this.#clock.after(at - this.#clock.now(), () => this.#wake())
  }

  #wake(): void {
    this.#wakesAt = Infinity
    const now = this.#clock.now()
    while (this.#times.length > 0 && this.#times[0]! <= now) {
      this.#times.shift()
      this.#onPassed(this.#items.shift()!)
    }
    if (this.#times[0] !== undefined) this.#wakeAt(this.#times[0])
  }
}
