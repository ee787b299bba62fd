/**
 * The last half hour of what operators watch, a point every few seconds, so that a page that is
 * opened in the middle of an incident shows how it began. Bounded, and cheap: a point is read from
 * the same status that everybody sees, with counters as they stand, not their differences.
 */

import type { Clock, Timer } from '../clock.ts'

/** What is taken from a status; whatever that does not have is left out. */
export interface Observed {
  readonly budget: { readonly used: number; readonly workingLimit: number }
  readonly queue: { readonly length: number }
  readonly cache?: {
    readonly hits: number
    readonly stale: number
    readonly collapsed: number
    readonly misses: number
  }
  readonly upstream?: { readonly latencyP50: number | null; readonly latencyP99: number | null }
}

export interface Point {
  /** Unix milliseconds. */
  readonly at: number
  readonly used: number
  readonly workingLimit: number
  readonly waiting: number
  /** Answers since the start, by what the cache did. */
  readonly hits?: number
  readonly stale?: number
  readonly collapsed?: number
  readonly misses?: number
  /** Seconds. */
  readonly latencyP50?: number | null
  readonly latencyP99?: number | null
}

export const historySeconds = { every: 5, span: 30 * 60 } as const

const mostPoints = historySeconds.span / historySeconds.every + 1

export class History {
  readonly #clock: Clock
  readonly #observe: () => Observed
  #points: Point[] = []
  #taken = 0
  #timer: Timer | undefined

  constructor(clock: Clock, observe: () => Observed) {
    this.#clock = clock
    this.#observe = observe
  }

  /** Points taken so far, those that are forgotten included. */
  get taken(): number {
    return this.#taken
  }

  /** Takes the first point at once. */
  start(): void {
    this.#points.push(pointOf(this.#observe(), this.#clock.wall()))
    this.#taken++
    if (this.#points.length > mostPoints) this.#points.shift()
    this.#timer = this.#clock.after(historySeconds.every * 1000, () => this.start())
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** The points that came after the first `taken`, as far as they are remembered, oldest first. */
  since(taken: number): readonly Point[] {
    const fresh = Math.min(this.#taken - taken, this.#points.length)
    return fresh === 0 ? [] : this.#points.slice(-fresh)
  }
}

function pointOf({ budget, cache, queue, upstream }: Observed, at: number): Point {
  return {
    at,
    used: budget.used,
    workingLimit: budget.workingLimit,
    waiting: queue.length,
    ...(cache && {
      hits: cache.hits,
      stale: cache.stale,
      collapsed: cache.collapsed,
      misses: cache.misses
    }),
    ...(upstream && { latencyP50: upstream.latencyP50, latencyP99: upstream.latencyP99 })
  }
}
