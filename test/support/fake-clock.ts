/**
 * A clock that stands still until it is told to move: `advance` runs everything that falls due, in
 * order, and lets promises settle in between, so a test can watch a minute pass in a millisecond.
 */

import type { Clock, Timer } from '../../src/clock.ts'

interface Due {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class FakeClock implements Clock {
  #now: number
  #order = 0
  readonly #due = new Set<Due>()
  #held = 0
  /** Called after everything that an event set off. */
  afterEach: () => void = () => {}

  constructor(start = 1_000_000) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  wall(): number {
    return 1_800_000_000_000 + this.#now
  }

  after(delayMs: number, run: () => void): Timer {
    const due = { at: this.#now + Math.max(delayMs, 0), order: this.#order++, run }
    this.#due.add(due)
    return { cancel: () => void this.#due.delete(due) }
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#due.size
  }

  /** Time stands still until this is done: something real works for the simulation. */
  async hold<Value>(work: Promise<Value>): Promise<Value> {
    this.#held++
    try {
      return await work
    } finally {
      this.#held--
    }
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.#settled()
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#due.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      await this.#settled()
      this.afterEach()
    }
    // Later than that if something stalled.
    this.#now = Math.max(this.#now, end)
  }

  /** Time passes while the event loop is blocked: nothing runs until the next `advance`. */
  stall(ms: number): void {
    this.#now += ms
  }

  async #settled(): Promise<void> {
    do await settled()
    while (this.#held > 0)
  }

  #next(end: number): Due | undefined {
    let first: Due | undefined
    for (const due of this.#due) {
      if (due.at > end) continue
      if (!first || due.at < first.at || (due.at === first.at && due.order < first.order))
        first = due
    }
    return first
  }
}

/** Lets all promise reactions that are ready run. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
