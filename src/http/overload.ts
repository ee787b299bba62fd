/**
 * Knows whether more is asked than the process can answer, and then admits only the share that it
 * can. What it looks at is how long a request has to wait before anybody reads it: now and then a
 * mark is put behind all input that has arrived, and timed until it comes up.
 *
 * As in CoDel (RFC 8289), a long wait means nothing by itself: garbage collection, a suspended
 * process or a thousand callers at one moment leave a backlog that is soon worked off. Only a wait
 * that stood above the target all the time, for seconds, is overload. From then on the share follows
 * every mark: the longer the wait the fewer are admitted, and all of them once it is short.
 */

import type { Clock } from '../clock.ts'

export interface OverloadOptions {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Calls back when all input that has arrived by now was handled. */
  readonly afterInput: (run: () => void) => void
}

/** A wait that nobody minds. */
const targetMs = 50
/** It is overload if no mark came up sooner for so long, and over so many marks. */
const lastingMs = 3000
const lastingMarks = 5
/** Over, if none came up later for so long. Without requests there are no marks either. */
const calmMs = 500
const markEveryMs = 20

/** Who is refused returns after a second at least, and over this time for each target of wait. */
const soonestSeconds = 1
const spreadSeconds = 2
const longestSpreadSeconds = 30

export class Overload {
  readonly #options: OverloadOptions
  #isMarked = false
  #lastMarkAt = -Infinity
  #waitMs = 0
  /** Since when, and over how many marks, the wait has been above the target. */
  #risenAt = Infinity
  #risenMarks = 0
  #isLasting = false
  #lastLongWaitAt = -Infinity

  constructor(options: OverloadOptions) {
    this.#options = options
  }

  /** The part of the requests, above 0 and up to 1, that can be answered just now. */
  get share(): number {
    return this.#isLasting ? Math.min(targetMs / this.#waitMs, 1) : 1
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
    const { afterInput, clock } = this.#options
    const now = clock.now()
    if (now - this.#lastMarkAt < markEveryMs) return
    // Nobody asked for a while: whatever was before is over.
    if (now - this.#lastMarkAt > calmMs) this.#calm()
    this.#isMarked = true
    afterInput(() => this.#cameUp(now))
  }

  #cameUp(markedAt: number): void {
    const now = this.#options.clock.now()
    this.#isMarked = false
    this.#lastMarkAt = now
    this.#waitMs = now - markedAt
    if (this.#waitMs > targetMs) this.#rise(now)
    else if (!this.#isLasting || now - this.#lastLongWaitAt > calmMs) this.#calm()
  }

  #rise(now: number): void {
    this.#lastLongWaitAt = now
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
