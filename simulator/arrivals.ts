/**
 * Who called when. Counts every request that reached the upstream, refused and faulty ones too,
 * and judges the law that the service must keep: never more than `limit` in any window. Memory is
 * bounded: the oldest arrivals are forgotten, long after they could matter to a window.
 */

import type { IncomingHttpHeaders } from 'node:http'

export interface Arrival {
  /** Monotonic milliseconds, taken when the head of the request was parsed. */
  readonly at: number
  readonly method: string
  readonly target: string
  /** What was answered; 0 while nothing is, and where a fault answered nothing readable. */
  status: number
}

/** What else the latest requests carried, so that a test can see what was forwarded. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  body: string
}

const arrivalsKept = 200_000
const requestsKept = 1_000

export class Arrivals {
  readonly #windowMs: number
  #arrivals: Arrival[] = []
  #requests: SeenRequest[] = []
  #hits = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  get hits(): number {
    return this.#hits
  }

  record(arrival: Arrival, request: SeenRequest): void {
    this.#hits += 1
    append(this.#arrivals, arrival, arrivalsKept)
    append(this.#requests, request, requestsKept)
  }

  /**
   * Whether the latest arrival was one too many for the window that it ends. The arrival `limit`
   * places before it is the only one that has to be looked at.
   */
  overLimit(limit: number): boolean {
    const latest = this.#arrivals.at(-1)
    const rival = this.#arrivals.at(-1 - limit)
    return latest !== undefined && rival !== undefined && latest.at - rival.at < this.#windowMs
  }

  /** Milliseconds from the latest arrival until one more would be within the limit. */
  freeInMs(limit: number): number {
    const rival = this.#arrivals.at(-limit)
    const latest = this.#arrivals.at(-1)
    return rival && latest ? Math.max(0, this.#windowMs - (latest.at - rival.at)) : 0
  }

  list(): Arrival[] {
    return this.#arrivals.slice(-arrivalsKept).map(arrival => ({ ...arrival }))
  }

  requests(): SeenRequest[] {
    return this.#requests.slice(-requestsKept)
  }

  largestWindow(): number {
    return largestWindow(
      this.#arrivals.map(arrival => arrival.at),
      this.#windowMs
    )
  }

  reset(): void {
    this.#arrivals = []
    this.#requests = []
    this.#hits = 0
  }
}

/** The most of these ascending times that any half-open window [t, t + windowMs) holds. */
export function largestWindow(times: readonly number[], windowMs: number): number {
  let oldest = 0
  let largest = 0
  for (const [index, time] of times.entries()) {
    while (time - times[oldest]! >= windowMs) oldest += 1
    largest = Math.max(largest, index - oldest + 1)
  }
  return largest
}

/** Cuts in large steps: one removal per thousands of additions. */
function append<T>(list: T[], item: T, kept: number): void {
  if (list.length >= 2 * kept) list.splice(0, kept)
  list.push(item)
}
