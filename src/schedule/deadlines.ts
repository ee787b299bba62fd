/**
 * Until when those who wait can wait: one timer for the earliest of them, because a timer for each
 * takes as much memory as the call that waits.
 */

import type { Clock, Timer } from '../clock.ts'

export class Deadlines<Item> {
  readonly #clock: Clock
  readonly #onPassed: (item: Item) => void
  /** The earliest first. */
  readonly #entries: Entry<Item>[] = []
  #timer: Timer | undefined
  /** When it comes. */
  #wakesAt = Infinity

  /** @param onPassed called once for each, not before its instant; may add it again */
  constructor(clock: Clock, onPassed: (item: Item) => void) {
    this.#clock = clock
    this.#onPassed = onPassed
  }

  /** @returns takes it off again */
  add(item: Item, at: number): Timer {
    const entry = new Entry(item, at, this)
    // Most come in order.
    let index = this.#entries.length
    while (index > 0 && this.#entries[index - 1]!.at > at) index--
    this.#entries.splice(index, 0, entry)
    this.#wakeAt(at)
    return entry
  }

  remove(entry: Entry<Item>): void {
    const index = this.#entries.indexOf(entry)
    if (index >= 0) this.#entries.splice(index, 1)
    // If it was the earliest, the timer finds nothing to do, and sleeps on.
    if (this.#entries.length > 0) return
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
    for (let next = this.#entries[0]; next && next.at <= now; next = this.#entries[0]) {
      this.#entries.shift()
      this.#onPassed(next.item)
    }
    if (this.#entries[0]) this.#wakeAt(this.#entries[0].at)
  }
}

class Entry<Item> implements Timer {
  readonly item: Item
  readonly at: number
  readonly #deadlines: Deadlines<Item>

  constructor(item: Item, at: number, deadlines: Deadlines<Item>) {
    this.item = item
    this.at = at
    this.#deadlines = deadlines
  }

  cancel(): void {
    this.#deadlines.remove(this)
  }
}
