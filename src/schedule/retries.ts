/**
 * Whether a read that failed is worth another attempt, and when. Pure; that it is paid for like any
 * other is the schedule's business.
 */

import type { ServiceError } from '../errors.ts'
import { isInTime, type Need } from '../ports.ts'

/** The moment of the failure. */
export interface Failed {
  readonly now: number
  readonly need: Need
  /** Whether this was its second attempt. */
  readonly hasFailedBefore: boolean
  /** This one included. */
  readonly failuresInARow: number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** A connection that broke is tried again after a moment, not all at the same one. */
const jitterMs = 200

/** After more failures in a row than this, a retry is no remedy. */
const mostFailures = 3

/**
 * A 429 is not the caller's: its call may be repeated until its deadline, whenever the brake lets it
 * go. Else once: a connection error, 502 or 503 may pass; not if something stale may be served
 * instead, if failures repeat, or if the upstream asks for more time than there is.
 *
 * @returns milliseconds, no sooner than the upstream asks for; undefined for no retry
 */
export function retryDelayMs(failure: ServiceError, about: Failed): number | undefined {
  const { failuresInARow, hasFailedBefore, need, now, random } = about
  const { retryAfterMs = 0 } = failure
  if (failure.code === 'upstream_rate_limited') return 0
  if (hasFailedBefore) return undefined
  if (!isPassing(failure) || need.hasFallback || failuresInARow > mostFailures) return undefined
  if (!isInTime(need, now + retryAfterMs)) return undefined
  return Math.min(retryAfterMs + random() * jitterMs, Math.max(need.deadline - now, 0))
}

function isPassing({ code, upstreamStatus }: ServiceError): boolean {
  return code === 'upstream_unreachable' || upstreamStatus === 502 || upstreamStatus === 503
}
