/**
 * `Retry-After` as the upstream may send it (RFC 9110 section 10.2.3): seconds or an HTTP date.
 * Junk is no answer; sense is clamped, because a skewed clock or a typo must not stop the service.
 */

const longestMs = 5 * 60_000

/** @returns milliseconds from now within [0, 5 minutes], or undefined if it says nothing. */
export function parseRetryAfter(value: string | undefined, wallNow: number): number | undefined {
  const text = value?.trim() ?? ''
  if (/^\d{1,20}$/.test(text)) return clamp(Number(text) * 1000)
  // An HTTP date starts with a day's name; Date.parse alone would take "-5" for the year 2005.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : clamp(date - wallNow)
}

function clamp(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), longestMs)
}
