/**
 * The law, counted where it has to hold: how many calls arrived at the upstream in each window. What
 * whoever else uses the key sends is not ours, but explains why there was no room.
 */

import { largestWindow } from '../simulator/arrivals.ts'
import { limit, windowMs } from './conditions.ts'

export interface ArrivalsTold {
  /** Ascending. */
  readonly ours: readonly number[]
  readonly all: readonly number[]
}

/** Of the limit: with so many on their way, somebody may well be told that there is no room. */
const busyPart = 0.75

export class Arrivals {
  readonly #ours: number[] = []
  readonly #all: number[] = []
  #largest = 0

  add({ all, ours }: ArrivalsTold): void {
    this.#all.push(...all)
    if (ours.length === 0) return
    // Whatever window one of these ends begins no earlier than a window before the first of them.
    const from = ours[0]! - windowMs
    this.#ours.push(...ours)
    const recent = this.#ours.slice(this.#ours.findLastIndex(at => at < from) + 1)
    this.#largest = Math.max(this.#largest, largestWindow(recent, windowMs))
  }

  get count(): number {
    return this.#ours.length
  }

  /** Of ours, in any window. */
  get largest(): number {
    return this.#largest
  }

  /** What of the law is broken. */
  get broken(): string | undefined {
    if (this.#largest <= limit) return undefined
    return `the law: ${this.#largest} calls arrived in one window of ${windowMs / 1000} s, not ${limit}`
  }

  /** Whether the limit was nearly reached in a window that touches this span. */
  wasBusy(from: number, to: number): boolean {
    const near = this.#all.slice(this.#all.findLastIndex(at => at < from - windowMs) + 1)
    const times = near.filter(at => at <= to)
    return largestWindow(times, windowMs) >= busyPart * limit
  }
}
