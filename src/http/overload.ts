/**
 * Knows whether more is asked than the process can answer, and then admits only the share that it
 * can. What it looks at is how much is done before a request is read: now and then a mark is put
 * behind all input that has arrived, and the work counted until it comes up. Counted is the time of
 * a processor, so that a process that is suspended, or shares a busy machine, does not take that
 * for its callers' doing.
 *
 * As in CoDel (RFC 8289), a long line means nothing by itself: garbage collection or a thousand
 * callers at one moment leave a backlog that is soon worked off. Only a line that was longer than
 * the target all the time, for seconds, is overload. From then on the share follows every mark: the
 * longer the line the fewer are admitted, and all of them once it is short.
 */

import type { Clock } from '../clock.ts'
import type { Load } from '../load.ts'

export interface OverloadOptions {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly load: Load
}

/** Work before a request that nobody minds: about a thousand hits. */
const targetMs = 100
/** It is overload if there was no less before any mark for so long, and over so many marks. */
const lastingMs = 10_000
const lastingMarks = 5
/** Over, if there was no more before any for so long. Without requests there are no marks either. */
const calmMs = 500
const markEveryMs = 20

/** Who is refused returns after a second at least, and over this time for each target of work. */
const soonestSeconds = 1
const spreadSeconds = 2
const longestSpreadSeconds = 30

export class Overload {
  readonly #options: OverloadOptions
  #isMarked = false
  #lastMarkAt = -Infinity
  #workMs = 0
  /** Since when, and over how many marks, the work has been above the target. */
  #risenAt = Infinity
  #risenMarks = 0
  #isLasting = false
  #lastLongAt = -Infinity

  constructor(options: OverloadOptions) {
    this.#options = options
  }

  /** The part of the requests, above 0 and up to 1, that can be answered just now. */
  get share(): number {
    return this.#isLasting ? Math.min(targetMs / this.#workMs, 1) : 1
  }

  /** To be asked once for every request; false if it is one too many. */
  admits(): boolean {
    this.#mark()
    return !this.#isLasting || this.#options.random() < this.share
  }

  /** The deeper the overload, the later those who are refused return, and the more spread. */
  retryAfterSeconds(): number {
    const spread = Math.min(spreadSeconds / this.share, longestSpreadSeconds)
    return soonestSeconds + Math.round(this.#options.random() * spread)
  }

  #mark(): void {
    if (this.#isMarked) return
    const { clock, load } = this.#options
    const now = clock.now()
    if (now - this.#lastMarkAt < markEveryMs) return
    // Nobody asked for a while: whatever was before is over.
    if (now - this.#lastMarkAt > calmMs) this.#calm()
    this.#isMarked = true
    const busyMs = load.busyMs()
    load.afterInput(() => this.#cameUp(busyMs))
  }

  #cameUp(busyBeforeMs: number): void {
    const { clock, load } = this.#options
    const now = clock.now()
    this.#isMarked = false
    this.#lastMarkAt = now
    this.#workMs = load.busyMs() - busyBeforeMs
    if (this.#workMs > targetMs) this.#rise(now)
    else if (!this.#isLasting || now - this.#lastLongAt > calmMs) this.#calm()
  }

  #rise(now: number): void {
    this.#lastLongAt = now
    this.#risenAt = Math.min(this.#risenAt, now)
    this.#risenMarks++
    const isLong = now - this.#risenAt >= lastingMs && this.#risenMarks >= lastingMarks
    this.#isLasting = this.#isLasting || isLong
  }

  #calm(): void {
    this.#risenAt = Infinity
    this.#risenMarks = 0
    this.#isLasting = false
  }
}
