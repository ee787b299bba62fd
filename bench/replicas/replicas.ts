/**
 * The replicas suite: do three processes on one store, in real time and over real sockets, keep
 * one limit and use nearly all of it, whatever becomes of them and of the store? The upstream
 * counts arrivals and never refuses, so that a broken limit shows as a count.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { largestWindow } from '../../simulator/arrivals.ts'
import { Random } from '../../simulator/random.ts'
import { concurrency, jitterMs, latencyMs, limit, windowMs } from '../budget/conditions.ts'
import { startUpstream, type Upstream } from '../budget/upstream.ts'
import type { Suite, SuiteOptions } from '../suite.ts'
import { formatTable } from '../table.ts'
import { Fleet } from './fleet.ts'
import { meanLatencyBetween, percentOfRate } from './rate.ts'
import { type Trouble, troubles } from './troubles.ts'

interface Result {
  readonly trouble: string
  readonly largestWindow: number
  /** Of what is theoretically possible, before the trouble and two windows after its end. */
  readonly healthyPercent: number
  readonly recoveredPercent: number
  readonly lastingMs: number
  readonly callsMeanwhile: number
  readonly answers: Readonly<Record<string, number>>
}

/** Windows that are measured: before, and from two windows after the end on. */
const recoveryWindows = 2
const leastPercent = 95
/** Until all replicas are there and the first burst is over. */
const settleMs = 2 * windowMs

export const replicas: Suite = async options => {
  const results: Result[] = []
  for (const trouble of chosen(options)) results.push(await suffer(trouble, options))
  const conditions = { limit, windowMs, latencyMs, jitterMs, concurrency, ...options }
  return {
    table: tableOf(results),
    results: { conditions, troubles: results },
    broken: results.flatMap(brokenBy)
  }
}

function chosen({ only }: SuiteOptions): readonly Trouble[] {
  return troubles.filter(({ name }) => only?.some(part => name.includes(part)) ?? true)
}

async function suffer(trouble: Trouble, { seed, windows }: SuiteOptions): Promise<Result> {
  process.stderr.write(`replicas: ${trouble.name} …\n`)
  const upstream = await startUpstream()
  const fleet = await Fleet.start(upstream.baseUrl)
  try {
    return await observe({ trouble, fleet, upstream, windows, random: new Random(seed) })
  } finally {
    await fleet.end()
    await upstream.close()
  }
}

interface Observation {
  readonly trouble: Trouble
  readonly fleet: Fleet
  readonly upstream: Upstream
  readonly windows: number
  readonly random: Random
}

async function observe(observation: Observation): Promise<Result> {
  const { fleet, random, trouble, upstream, windows } = observation
  await untilBusy(upstream)
  await sleep(settleMs)
  const healthy = await rateOver(upstream, windows)
  const struckAt = performance.now()
  const before = (await upstream.report()).arrivals.length
  await trouble.befall(fleet, random)
  const lastingMs = performance.now() - struckAt
  const callsMeanwhile = (await upstream.report()).arrivals.length - before
  await sleep(recoveryWindows * windowMs)
  const recovered = await rateOver(upstream, windows)
  const { arrivals } = await upstream.report()
  return {
    trouble: trouble.name,
    largestWindow: largestWindow(arrivals, windowMs),
    healthyPercent: healthy,
    recoveredPercent: recovered,
    lastingMs,
    callsMeanwhile,
    answers: fleet.answers()
  }
}

async function untilBusy(upstream: Upstream): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if ((await upstream.report()).arrivals.length > 0) return
    await sleep(100)
  }
  throw new Error('no replica made a call within 30 s')
}

/** Percent of the theoretical rate from now on; takes a turn more than is measured. */
async function rateOver(upstream: Upstream, windows: number): Promise<number> {
  const before = await upstream.report()
  for (let leftMs = (windows + 1) * windowMs; ; ) {
    await sleep(leftMs)
    const after = await upstream.report()
    // The latency of this time: machine and processes are slower while they start.
    const turnMs = windowMs + meanLatencyBetween(before, after)
    leftMs = before.at + (windows + 1) * turnMs - after.at
    if (leftMs > 0) continue
    const { arrivals } = after
    return percentOfRate({ arrivals, from: before.at, limit, turnMs, turns: windows })
  }
}

function tableOf(results: readonly Result[]): string {
  const head = [
    `3 replicas, limit ${limit}, window ${windowMs / 1000} s`,
    'largest in any window',
    '% before',
    'lasted s',
    'calls meanwhile',
    '% from 2 windows after on',
    '200',
    '503',
    'other'
  ]
  const rows = results.map(result => {
    const { answers, callsMeanwhile, healthyPercent, lastingMs, recoveredPercent } = result
    const { 200: ok = 0, 503: refused = 0, ...others } = answers
    const other = Object.values(others).reduce((sum, count) => sum + count, 0)
    return [
      ...[result.trouble, result.largestWindow, healthyPercent.toFixed(1)],
      ...[(lastingMs / 1000).toFixed(1), callsMeanwhile, recoveredPercent.toFixed(1)],
      ...[ok, refused, other]
    ]
  })
  return formatTable(head, rows)
}

function brokenBy(result: Result): string[] {
  const { healthyPercent, largestWindow, recoveredPercent, trouble } = result
  const low = (percent: number, when: string) =>
    `${trouble}: ${percent.toFixed(1)} % of the theoretical ${when}, not ${leastPercent} %`
  return [
    largestWindow > limit && `${trouble}: ${largestWindow} calls in one window, not ${limit}`,
    healthyPercent < leastPercent && low(healthyPercent, 'before'),
    recoveredPercent < leastPercent && low(recoveredPercent, 'afterwards')
  ].filter(line => line !== false)
}
