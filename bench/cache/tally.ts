/** What became of the requests of one run: who waited how long, who was refused, what was shown. */

import type { Clock } from '../../src/clock.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Shown, Staleness } from './staleness.ts'

export class Tally {
  readonly #clock: Clock
  readonly #staleness: Staleness
  /** Of each answer, in milliseconds. */
  readonly waitsMs: number[] = []
  asked = 0
  refused = 0
  #failure: unknown

  constructor(clock: Clock, staleness: Staleness) {
    this.#clock = clock
    this.#staleness = staleness
  }

  get atOnce(): number {
    return this.waitsMs.filter(waitMs => waitMs === 0).length
  }

  count(answer: Promise<readonly Shown[]>): void {
    const askedAt = this.#clock.now()
    this.asked++
    answer
      .then(
        parts => this.#answered(parts, askedAt),
        error => this.#refused(error)
      )
      .catch(error => {
        this.#failure ??= error
      })
  }

  /** @throws what went wrong, or that somebody was never answered. */
  check(): void {
    if (this.#failure) throw this.#failure
    const settled = this.waitsMs.length + this.refused
    if (settled < this.asked) throw new Error(`${this.asked - settled} were never answered`)
  }

  #answered(parts: readonly Shown[], askedAt: number): void {
    const now = this.#clock.now()
    this.waitsMs.push(now - askedAt)
    for (const part of parts) this.#staleness.add(part, now)
  }

  #refused(error: unknown): void {
    if (!(error instanceof ServiceError)) throw error
    this.refused++
  }
}

/** The least value that is at least as large as this part of all (nearest rank); 0 of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(Math.ceil(part * sorted.length) - 1, 0)] ?? 0
}
