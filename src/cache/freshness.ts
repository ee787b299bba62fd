/**
 * Freshness as arithmetic on absolute instants (RFC 9111 section 4.2, RFC 5861): stored responses
 * say until when they are what, so asking is a comparison and nothing has to be kept up to date.
 * All of it counts from when the call was sent: nobody knows of which moment its answer is, and it
 * may be as old as that (section 4.2.3, `response_delay`).
 */

import type { Freshness, Need, Stored } from '../ports.ts'

export interface Lifetimes {
  readonly freshMs: number
  /** The two stale windows, each counted from the end of freshness. */
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
}

/** Pages that were loaded together must not expire together: up to this part of a lifetime less. */
const jitterPart = 0.1

/** How long any response may be served at all. */
export function longestMs(lifetimes: Lifetimes): number {
  const { freshMs, staleIfErrorMs, staleWhileRevalidateMs } = lifetimes
  return freshMs + Math.max(staleWhileRevalidateMs, staleIfErrorMs)
}

/** That there is no such chat is believed for a moment only, and never past it. */
export function briefly({ freshMs }: Lifetimes): Lifetimes {
  return {
    freshMs: Math.min(freshMs, absentForMs),
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0
  }
}

/** A chat that is not there may be there a moment later. */
const absentForMs = 5000

export interface Arrival<Value> {
  readonly value: Value
  readonly version: number
  readonly requestedAt: number
  readonly now: number
  /** How long until it is worth the next call. */
  readonly periodMs: number
  /** Uniform in [0, 1). */
  readonly random: number
}

/** A response that has arrived. */
export function stored<Value>(arrival: Arrival<Value>, lifetimes: Lifetimes): Stored<Value> {
  const { now, periodMs, random, requestedAt, value, version } = arrival
  const spread = 1 - jitterPart * random
  const freshUntil = requestedAt + lifetimes.freshMs * spread
  return {
    value,
    version,
    requestedAt,
    storedAt: now,
    freshUntil,
    revalidateUntil: freshUntil + lifetimes.staleWhileRevalidateMs,
    errorUntil: freshUntil + Math.max(lifetimes.staleWhileRevalidateMs, lifetimes.staleIfErrorMs),
    periodMs,
    refreshAt: requestedAt + periodMs * spread
  }
}

/** The same response, if others stored it for longer than it would be here. */
export function shortened<Value>(response: Stored<Value>, lifetimes: Lifetimes): Stored<Value> {
  const freshUntil = Math.min(response.freshUntil, response.requestedAt + lifetimes.freshMs)
  const errorMs = Math.max(lifetimes.staleWhileRevalidateMs, lifetimes.staleIfErrorMs)
  return {
    ...response,
    freshUntil,
    revalidateUntil: Math.min(
      response.revalidateUntil,
      freshUntil + lifetimes.staleWhileRevalidateMs
    ),
    errorUntil: Math.min(response.errorUntil, freshUntil + errorMs)
  }
}

/** The same response, stale since `at` and out of the window in which that would not matter. */
export function invalidated<Value>(response: Stored<Value>, at: number): Stored<Value> {
  const until = Math.min(response.freshUntil, Math.max(at, response.storedAt))
  return { ...response, freshUntil: until, revalidateUntil: until, refreshAt: until }
}

export function assess(response: Stored<unknown>, now: number): Freshness {
  if (now < response.freshUntil) return 'fresh'
  if (now < response.revalidateUntil) return 'stale-while-revalidate'
  return now < response.errorUntil ? 'stale-if-error' : 'expired'
}

/** What may be served at all: to mend an answer, only what is newer than what it has. */
export function usableOf<Value>(
  known: Stored<Value> | undefined,
  { conditions }: Need,
  now: number
): Stored<Value> | undefined {
  if (!known || assess(known, now) === 'expired') return undefined
  return known.storedAt >= (conditions?.notBefore ?? -Infinity) ? known : undefined
}
