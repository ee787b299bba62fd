/**
 * How often a page is worth a call: a page that comes back changed is refreshed sooner the next
 * time, one that comes back unchanged later, so that the budget goes where chats change. Pure
 * arithmetic on what was seen; what is called fresh does not depend on it.
 */

import type { Lifetimes } from './freshness.ts'

/** A change halves the period, and a whole period without one lengthens it by half. */
const changed = 1 / 2
const unchanged = 1 / 2

/** Between these parts of a freshness lifetime; as stale as the upper one nobody is made to wait. */
const shortest = 1 / 3
const longest = 2
/** And no nearer than this to the end of the window in which a reader does not wait. */
const revalidatePart = 3 / 4

/** Two looks at a page. */
export interface Looks {
  /** Between them; much less than a period says little. */
  readonly elapsedMs: number
  /** Whether they showed the same. */
  readonly isSame: boolean
}

/** The time after which the page is worth the next call; before the first two looks, a lifetime. */
export function nextPeriodMs(
  periodMs: number,
  { elapsedMs, isSame }: Looks,
  lifetimes: Lifetimes
): number {
  const { freshMs, staleWhileRevalidateMs } = lifetimes
  const seen = elapsedMs < periodMs ? elapsedMs / periodMs : 1
  const factor = isSame ? 1 + unchanged * seen : changed
  const most = Math.min(longest * freshMs, freshMs + revalidatePart * staleWhileRevalidateMs)
  return Math.max(Math.min(periodMs * factor, most), shortest * freshMs)
}
