/**
 * When will the call at a place in the queue be sent? Exact while nothing else arrives and calls
 * take as long as they did lately: the queue is played forward over the instants at which slots
 * come free, each send holding its slot for its latency, one window and the guard.
 */

import { guardMs } from './ledger.ts'

export interface EstimateInput {
  readonly now: number
  /** One instant per slot, ascending; see `Ledger.freeTimes`. */
  readonly freeTimes: readonly number[]
  readonly windowMs: number
  readonly latencyMs: number
  /** No call is sent before this instant. */
  readonly pausedUntil: number
}

/** @returns the instant at which the call with `ahead` calls before it will be sent. */
export function estimateSendAt(ahead: number, input: EstimateInput): number {
  const { freeTimes, now, windowMs, latencyMs, pausedUntil } = input
  const limit = freeTimes.length
  // Sends happen in order, so send number n reuses the slot of send number n - limit.
  const holdMs = latencyMs + windowMs + guardMs
  const rounds = Math.floor(ahead / limit)
  const firstUse = Math.max(freeTimes[ahead % limit] ?? now, now, pausedUntil)
  return firstUse + rounds * holdMs
}
