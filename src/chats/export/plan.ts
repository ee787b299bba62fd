/**
 * What an export will cost: calls, and the time they take at the rate that is open to bulk. Pure
 * arithmetic; other callers may always make it longer.
 */

import { pageSize } from '../windows.ts'
import { mostAtOnce } from './read-ahead.ts'

/** What the schedule has for bulk. */
export interface BulkSupply {
  /** Slots in any window, and those of them that are free now. */
  readonly slots: number
  readonly free: number
  /** Until anything is sent again, if something holds sending up. */
  readonly heldMs: number
}

export interface Pace extends BulkSupply {
  readonly windowMs: number
  readonly latencyMs: number
  /** Walks that share it. */
  readonly walks: number
}

/** Calls for a walk through `chats` chats. */
export function callsFor(chats: number): number {
  return 1 + callsLeft(chats - pageSize)
}

/** Calls of a walk that has `chats` chats before it: windows that overlap by one. */
export function callsLeft(chats: number): number {
  return Math.max(Math.ceil(chats / (pageSize - 1)), 0)
}

/** How long so many calls take: the free slots first, then as they come back. */
export function durationMs(calls: number, pace: Pace): number {
  const { free, heldMs, latencyMs, slots, walks, windowMs } = pace
  if (calls <= 0) return 0
  const later = Math.max(calls * walks - free, 0)
  const windows = later / Math.max(slots, 1)
  return heldMs + Math.max((calls * latencyMs) / mostAtOnce, windows * (windowMs + latencyMs))
}
