/**
 * What came of the attempts at the upstream: how many ended how, how long the latest took, and the
 * last few failures in words. Bounded whatever the upstream answers.
 */

import type { ErrorCode } from '../errors.ts'
import type { Event } from '../ports.ts'
import { Histogram } from './histogram.ts'

export interface Failure {
  /** `Clock.now()` */
  readonly at: number
  readonly code: ErrorCode
  readonly detail: string
}

type Failed = Extract<Event, { type: 'upstream.failed' }>

/** Statuses that are told apart; others count as 2xx, 3xx, …, and an attempt without one by a word. */
const knownStatuses = [200, 400, 401, 403, 404, 429, 500, 502, 503, 504]
const words = ['timeout', 'unreachable', 'invalid', 'failed', '1xx', '2xx', '3xx', '4xx', '5xx']

const mostLatencies = 500
const mostFailures = 10

/** Seconds. */
const bounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export class Attempts {
  /** Every outcome there is. */
  readonly byOutcome = new Map<string, number>(
    [...knownStatuses.map(String), ...words].map(outcome => [outcome, 0])
  )
  /** Of attempts that left. */
  readonly durations = new Histogram(bounds)
  readonly #latest = new Float64Array(mostLatencies)
  #measured = 0
  #failures: readonly Failure[] = []

  /** The latest first. */
  get failures(): readonly Failure[] {
    return this.#failures
  }

  answered(status: number, durationMs: number): void {
    this.#count(String(status))
    this.#measure(durationMs)
  }

  failed(event: Failed): void {
    const { at, code, contact, detail, durationMs } = event
    this.#count(outcomeOf(event))
    if (contact !== 'unsent') this.#measure(durationMs)
    // HelpCrunch judged what a caller asked for: an answer like any other.
    if (code === 'upstream_rejected') return
    this.#failures = [{ at, code, detail }, ...this.#failures].slice(0, mostFailures)
  }

  /** Seconds that this part of the latest attempts took at most; undefined before the first. */
  quantile(part: number): number | undefined {
    const count = Math.min(this.#measured, mostLatencies)
    if (count === 0) return undefined
    const sorted = this.#latest.slice(0, count).sort()
    return sorted[Math.max(Math.ceil(part * count) - 1, 0)]! / 1000
  }

  #count(outcome: string): void {
    const known = this.byOutcome.has(outcome) ? outcome : 'failed'
    this.byOutcome.set(known, this.byOutcome.get(known)! + 1)
  }

  #measure(durationMs: number): void {
    this.#latest[this.#measured % mostLatencies] = durationMs
    this.#measured++
    this.durations.observe(durationMs / 1000)
  }
}

function outcomeOf({ code, status }: Failed): string {
  if (code === 'upstream_timeout') return 'timeout'
  if (code === 'upstream_unreachable') return 'unreachable'
  if (code === 'upstream_invalid_response') return 'invalid'
  if (status === undefined) return 'failed'
  return knownStatuses.includes(status) ? String(status) : `${Math.floor(status / 100)}xx`
}
