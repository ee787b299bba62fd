/**
 * What trouble there was, when, and for whom: the only excuse for an answer that is none. A refusal
 * or failure is explained if a trouble that can bring about its code was going on while the request
 * was, or had ended so short a time before that its effects last (`afterMs`).
 *
 * `budget_exhausted` is explained as well if the upstream saw a window nearly full just then, and
 * what takes too long if this machine stood still. `internal_error` never is, nor any 4xx.
 */

import type { ErrorCode } from '../src/errors.ts'
import { queueWaitMs, upstreamTimeoutMs, windowMs } from './conditions.ts'

/** What callers can be told because of a trouble, or that nobody tells them anything. */
export type Effect = ErrorCode | Silence

/** Nobody answers, or stops in the middle. */
type Silence = 'no answer' | 'broken body'

export interface Incident {
  readonly name: string
  readonly detail: string
  readonly from: number
  /** Infinity while it lasts. */
  to: number
  /** The only one that does not answer because of it; undefined if none or all. */
  readonly instance: string | undefined
  readonly effects: readonly Effect[]
  /** How long calls stay scarce when it is over, beyond the window in which they may have been made. */
  readonly lastsMs?: number
  /** Whether somebody sleeps through it, with whatever was on its way to them. */
  readonly suspends?: boolean
}

/** Requests that were waiting, the retries of their calls, and a little time. */
const callMs = queueWaitMs + upstreamTimeoutMs + 2000

/** Until whatever may have been sent has left the window, and who waited for that was answered. */
const budgetMs = windowMs + upstreamTimeoutMs + 2000

function afterMs(effect: Effect, { lastsMs = 0 }: Incident): number {
  if (isSilence(effect)) return 1000
  return isOfBudget(effect) ? budgetMs + lastsMs : callMs
}

function isOfBudget(effect: Effect): boolean {
  return effect === 'budget_exhausted' || effect === 'upstream_rate_limited'
}

function isSilence(effect: Effect): effect is Silence {
  return effect === 'no answer' || effect === 'broken body'
}

export interface Complaint {
  readonly effect: Effect
  readonly instance: string
  readonly startedAt: number
  readonly endedAt: number
}

export class Chronicle {
  readonly incidents: Incident[] = []

  /** @returns what ends it */
  begin(incident: Omit<Incident, 'to'>): (now: number) => void {
    const begun = { ...incident, to: Number.POSITIVE_INFINITY }
    this.incidents.push(begun)
    return now => {
      begun.to = now
    }
  }

  /** What was going on, or just over, that explains it. */
  explains({ effect, endedAt, instance, startedAt }: Complaint): Incident | undefined {
    return this.incidents.findLast(
      incident =>
        incident.effects.includes(effect) &&
        incident.from <= endedAt &&
        this.#feltUntil(effect, incident) >= startedAt &&
        (!isSilence(effect) || [undefined, instance].includes(incident.instance))
    )
  }

  /** What was last known of the upstream stays so for as long as nobody may ask it. */
  #feltUntil(effect: Effect, incident: Incident): number {
    const until = incident.to + afterMs(effect, incident)
    if (isSilence(effect) || isOfBudget(effect)) return until
    const scarceUntil = this.incidents
      .filter(({ from, lastsMs = 0 }) => lastsMs > 0 && from <= until)
      .map(({ lastsMs = 0, to }) => to + lastsMs)
    return Math.max(until, ...scarceUntil)
  }

  /** How long those were suspended that were so at some time of a span, or woke in it. */
  suspendedMs(from: number, to: number): number {
    return this.incidents
      .filter(({ suspends = false, ...span }) => suspends && overlapMs(span, { from, to }) > 0)
      .reduce((sum, span) => sum + Math.min(span.to, to) - span.from, 0)
  }

  /** For how much of a span an instance stood still, or was not there. */
  awayMs(instance: string, from: number, to: number): number {
    return this.incidents
      .filter(incident => incident.instance === instance)
      .reduce((sum, incident) => sum + overlapMs(incident, { from, to }), 0)
  }
}

interface Span {
  readonly from: number
  readonly to: number
}

function overlapMs(one: Span, other: Span): number {
  return Math.max(0, Math.min(one.to, other.to) - Math.max(one.from, other.from))
}
