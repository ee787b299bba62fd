/**
 * `Retry-After` as the upstream may send it (RFC 9110 section 10.2.3): seconds or an HTTP date.
 * Junk is no answer; sense is clamped, because a skewed clock or a typo must not stop the service.
 */

import { parseHttpDate } from '../clock.ts'

const longestMs = 5 * 60_000

/** @returns milliseconds from now within [0, 5 minutes], or undefined if it says nothing. */
export function parseRetryAfter(value: string | undefined, wallNow: number): number | undefined {
  const text = value?.trim() ?? ''
  if (/^\d{1,20}$/.test(text)) return clamp(Number(text) * 1000)
  const date = parseHttpDate(text)
  return date === undefined ? undefined : clamp(date - wallNow)
}

function clamp(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), longestMs)
}
