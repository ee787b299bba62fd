/**
 * One run: a candidate answers a workload in virtual time while the desk is at work. Everything
 * random comes from the seed, in streams of their own, so that all candidates are asked the same
 * and the desk does the same whatever is called.
 */

import { largestWindow } from '../../simulator/arrivals.ts'
import { Random } from '../../simulator/random.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { minuteMs, warmUpMs } from './conditions.ts'
import { Desk } from './desk.ts'
import { Staleness } from './staleness.ts'
import type { Candidate, Subject } from './subject.ts'
import { quantile, Tally } from './tally.ts'
import { VirtualUpstream } from './virtual-upstream.ts'
import { workload } from './workload.ts'

export interface ReplayOptions {
  readonly seed: number
  readonly requestsPerSecond: number
  /** After the warm-up. */
  readonly minutes: number
}

/** All of the time after the warm-up, except where it says otherwise. */
export interface Figures {
  readonly candidate: string
  readonly requestsPerSecond: number
  readonly requests: number
  readonly refused: number
  readonly callsPerMinute: number
  /** The most calls that arrived in any sliding minute, and the same including the warm-up. */
  readonly largestMinute: number
  readonly largestMinuteEver: number
  /** Answered in the instant in which they were asked. */
  readonly percentAtOnce: number
  readonly p99WaitMs: number
  readonly meanTextStalenessMs: number
  readonly meanPlaceStalenessMs: number
  /** What its calls were made for, if the candidate can tell; per minute. */
  readonly callsPerMinuteFor?: Readonly<Record<string, number>>
}

/** Longer than anybody waits. */
const restMs = minuteMs

export async function replay(candidate: Candidate, options: ReplayOptions): Promise<Figures> {
  const { seed, requestsPerSecond, minutes } = options
  const durationMs = warmUpMs + minutes * minuteMs
  const clock = new FakeClock()
  const start = clock.now()
  let subject: Subject | undefined
  const desk = new Desk(new Random(seed, 1), start, event => subject?.hear?.(event))
  const upstream = new VirtualUpstream({ clock, desk, random: new Random(seed, 2) })
  subject = candidate.enter({ clock, upstream, random: new Random(seed, 3) })
  const random = new Random(seed, 4, requestsPerSecond)
  const requests = workload({ random, requestsPerSecond, durationMs })
  const staleness = new Staleness(desk)
  const [warmUp, tally] = [new Tally(clock, new Staleness(desk)), new Tally(clock, staleness)]
  let current = warmUp
  for (const request of requests) {
    await clock.advance(start + request.at - clock.now())
    if (current === warmUp && request.at >= warmUpMs) {
      current = tally
      subject.takeCallCounts?.()
    }
    current.count(subject.ask(request))
  }
  const calls = subject.takeCallCounts?.()
  await clock.advance(restMs)
  warmUp.check()
  tally.check()
  const end = start + durationMs
  const arrivals = upstream.arrivals.filter(at => at < end)
  const measured = arrivals.filter(at => at >= start + warmUpMs)
  return {
    candidate: candidate.name,
    requestsPerSecond,
    requests: tally.asked,
    refused: tally.refused,
    callsPerMinute: measured.length / minutes,
    largestMinute: largestWindow(measured, minuteMs),
    largestMinuteEver: largestWindow(arrivals, minuteMs),
    percentAtOnce: (100 * tally.atOnce) / tally.asked,
    p99WaitMs: quantile(tally.waitsMs, 0.99),
    meanTextStalenessMs: staleness.meanTextMs,
    meanPlaceStalenessMs: staleness.meanPlaceMs,
    ...(calls && { callsPerMinuteFor: perMinute(calls, minutes) })
  }
}

function perMinute(counts: Readonly<Record<string, number>>, minutes: number) {
  return Object.fromEntries(
    Object.entries(counts).map(([purpose, count]) => [purpose, count / minutes])
  )
}
