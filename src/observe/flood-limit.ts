/**
 * Keeps one caller from writing the log full: of each kind of line so many in a second, and then
 * one that says how many were left out. Kinds come from tables, never from callers, so there are
 * few, and they are forgotten every second.
 */

import type { Clock, Timer } from '../clock.ts'

export interface FloodLimitOptions {
  readonly clock: Clock
  /** Lines of one kind. */
  readonly mostPerSecond: number
  /** Told at the end of a second in which lines were left out. */
  readonly report: (kind: string, count: number) => void
}

const windowMs = 1000

export class FloodLimit {
  readonly #options: FloodLimitOptions
  readonly #seen = new Map<string, number>()
  #endsAt = -Infinity
  #timer: Timer | undefined

  constructor(options: FloodLimitOptions) {
    this.#options = options
  }

  /** Counts a line; true if it is to be written. */
  admits(kind: string): boolean {
    const { clock, mostPerSecond } = this.#options
    const now = clock.now()
    if (now >= this.#endsAt) this.#restart(now)
    const seen = (this.#seen.get(kind) ?? 0) + 1
    this.#seen.set(kind, seen)
    if (seen <= mostPerSecond) return true
    // The report has to come even if nothing else does.
    this.#timer ??= clock.after(this.#endsAt - now, () => this.#restart(clock.now()))
    return false
  }

  #restart(now: number): void {
    const { mostPerSecond, report } = this.#options
    this.#timer?.cancel()
    this.#timer = undefined
    const seen = [...this.#seen]
    this.#seen.clear()
    this.#endsAt = now + windowMs
    for (const [kind, count] of seen) {
      if (count > mostPerSecond) report(kind, count - mostPerSecond)
    }
  }
}
