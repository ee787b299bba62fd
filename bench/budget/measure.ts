/**
 * What the arrivals at the upstream say. Pure arithmetic; instants are milliseconds, ascending.
 *
 * The most that can be done without ever exceeding the limit, counted where the upstream counts:
 * each of the `limit` slots makes a call, is answered after the latency and comes free one window
 * later, so `limit × time / (window + mean latency)`.
 */

import { largestWindow } from '../../simulator/arrivals.ts'
import { limit, windowMs } from './conditions.ts'
import type { Report } from './upstream-process.ts'

export interface Measured {
  /** Over everything that ever arrived. */
  readonly largestWindow: number
  /** Calls that an upstream which keeps its limit would have refused. */
  readonly callsOverLimit: number
  /** In the measured time: the given number of windows from the first arrival. */
  readonly calls: number
  /** As the upstream saw it. */
  readonly meanLatencyMs: number
  readonly theoreticalCalls: number
  /** `calls` of it. Above 100 if the time ends just after a burst: edges are not cut off. */
  readonly percentOfTheoretical: number
  /** The same without edges: see `msPerTurn`. */
  readonly sustainedPercent: number
}

export function measure({ arrivals, meanLatencyMs }: Report, windows: number): Measured {
  const measuredMs = windows * windowMs
  const inTime = arrivals.filter(at => at < arrivals[0]! + measuredMs)
  const leastMsPerTurn = windowMs + meanLatencyMs
  const theoreticalCalls = (limit * measuredMs) / leastMsPerTurn
  return {
    largestWindow: largestWindow(arrivals, windowMs),
    callsOverLimit: arrivals.filter((at, index) => at - arrivals[index - limit]! < windowMs).length,
    calls: inTime.length,
    meanLatencyMs,
    theoreticalCalls,
    percentOfTheoretical: (100 * inTime.length) / theoreticalCalls,
    sustainedPercent: (100 * leastMsPerTurn) / msPerTurn(inTime)
  }
}

/**
 * How long it takes, on average, until the whole allowance was used once more: from each call of
 * the first turn to its counterpart in the last complete one. Bursts, and where the measured time
 * happens to cut them, do not matter.
 */
function msPerTurn(arrivals: readonly number[]): number {
  const turns = Math.floor(arrivals.length / limit) - 1
  if (turns < 1) return Infinity
  const counterparts = arrivals.slice(turns * limit, (turns + 1) * limit)
  const totalMs = counterparts.reduce((sum, at, index) => sum + at - arrivals[index]!, 0)
  return totalMs / limit / turns
}
