/**
 * How much of the theoretical rate there was: in each turn (a window and the mean latency, see
 * bench/budget/measure.ts) the whole allowance can be used once. Calls come in bursts, at any time
 * of a turn, so a count from one instant to another depends on how many bursts happen to lie
 * between; here it is the mean of the counts that begin at each instant of one turn. Pure
 * arithmetic; instants are milliseconds.
 */

import type { Report } from '../budget/upstream-process.ts'

export interface Course {
  readonly arrivals: readonly number[]
  readonly from: number
  readonly limit: number
  readonly turnMs: number
  /** Each count is over so many; one turn more is looked at. */
  readonly turns: number
}

/** @returns percent of `limit` calls in each turn */
export function percentOfRate({ arrivals, from, limit, turnMs, turns }: Course): number {
  // The part of the counts in which a call is.
  const parts = arrivals.map(at => {
    const sinceMs = at - from
    const leftMs = (turns + 1) * turnMs - sinceMs
    return Math.max(Math.min(sinceMs, leftMs, turnMs) / turnMs, 0)
  })
  return (100 * parts.reduce((sum, part) => sum + part, 0)) / (turns * limit)
}

type Latencies = Pick<Report, 'answered' | 'meanLatencyMs'>

/** Of what was answered between two reports; 0 if nothing was. */
export function meanLatencyBetween(before: Latencies, after: Latencies): number {
  const totalMs = ({ answered, meanLatencyMs }: Latencies) => answered * meanLatencyMs
  return (totalMs(after) - totalMs(before)) / Math.max(after.answered - before.answered, 1)
}
