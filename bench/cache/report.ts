/** The cache suite's figures as tables for people, and what they say against our promises. */

import { type Cell, formatTable } from '../table.ts'
import { exact, rates, service, targetRates } from './candidates.ts'
import { limit } from './conditions.ts'
import type { Figures } from './replay.ts'

const head = [
  'cache',
  'requests/s',
  'calls/min',
  'most in a minute',
  '% at once',
  'p99 wait ms',
  'stale: text s',
  'place s'
]

/** One block per rate. */
export function comparison(all: readonly Figures[]): string {
  const rows = rates.flatMap(rate => all.filter(one => one.requestsPerSecond === rate).map(rowOf))
  return formatTable(head, rows)
}

function rowOf(figures: Figures): Cell[] {
  const { candidate, largestMinute, p99WaitMs, requestsPerSecond } = figures
  return [
    candidate,
    requestsPerSecond,
    figures.callsPerMinute.toFixed(1),
    largestMinute > limit ? `over: ${largestMinute}` : largestMinute,
    figures.percentAtOnce.toFixed(2),
    Math.round(p99WaitMs),
    seconds(figures.meanTextStalenessMs),
    seconds(figures.meanPlaceStalenessMs)
  ]
}

const purposes = [
  'waited for first',
  'waited for again',
  'refresh of stale',
  'refresh of fresh',
  'read ahead'
] as const

/** What the service's calls were made for. */
export function spending(all: readonly Figures[]): string {
  const spent = all.filter(({ callsPerMinuteFor }) => callsPerMinuteFor !== undefined)
  const rows = spent.map(({ callsPerMinuteFor, candidate, requestsPerSecond }) => [
    candidate,
    requestsPerSecond,
    ...purposes.map(purpose => (callsPerMinuteFor?.[purpose] ?? 0).toFixed(1))
  ])
  return formatTable(['calls/min made for', 'requests/s', ...purposes], rows)
}

/** The part of the exact URLs' calls that is enough for us, below the highest rate. */
const enoughCalls = 1 / 5
const atOncePercent = 99.9

export function brokenBy(all: readonly Figures[]): string[] {
  const ours = all.filter(({ callsPerMinuteFor }) => callsPerMinuteFor !== undefined)
  const tooMany = ours
    .filter(({ largestMinuteEver }) => largestMinuteEver > limit)
    .map(({ candidate, largestMinuteEver }) => `${candidate}: ${largestMinuteEver} in a minute`)
  return [...tooMany, ...targetRates.flatMap(rate => missedAt(rate, all))]
}

/** What was aimed at for this rate and not reached. */
function missedAt(rate: number, all: readonly Figures[]): string[] {
  const at = (candidate: string) =>
    all.find(one => one.candidate === candidate && one.requestsPerSecond === rate)!
  const [theirs, own] = [at(exact.name), at(service.name)]
  const most = theirs.callsPerMinute * enoughCalls
  const isHighest = rate === Math.max(...targetRates)
  const lines = [
    !isHighest &&
      own.callsPerMinute > most &&
      `${own.callsPerMinute.toFixed(1)} calls a minute, not ${most.toFixed(1)}`,
    isHighest &&
      own.percentAtOnce < atOncePercent &&
      `${own.percentAtOnce.toFixed(2)} % answered at once, not ${atOncePercent} %`,
    own.meanTextStalenessMs > theirs.meanTextStalenessMs &&
      `${seconds(own.meanTextStalenessMs)} s stale, not ${seconds(theirs.meanTextStalenessMs)} s`
  ]
  return lines.filter(line => line !== false).map(line => `at ${rate} requests/s: ${line}`)
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2)
}
