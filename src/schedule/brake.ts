/**
 * What the upstream's answers say about when, how much and how fast to send: the one brain for 429,
 * for a refused key and for an upstream that keeps failing. A state machine on (event, now); it
 * sends nothing and sleeps never.
 *
 * - 429: everything on the key pauses until `Retry-After`, or without one until the ledger is sure
 *   of a slot, longer on repeats. Afterwards one call goes first, and each success halves the gap
 *   to the next, so that the line is not let loose at once.
 * - 429 although the ledger had room: somebody else spends from the key. The limit is lowered by
 *   what they took and recovers over two windows.
 * - 401, 403: nothing is sent but a probe now and then, until one succeeds.
 * - 20 failures in a row: one call at a time, at most one a second, until one succeeds.
 */

import { type ErrorCode, ServiceError } from '../errors.ts'
import type { ScheduleReport } from '../ports.ts'

export interface BrakeOptions {
  readonly limit: number
  readonly windowMs: number
}

/** How a call ended, as far as the brake cares. */
export interface Verdict {
  readonly code: ErrorCode
  /** When the call was sent, and when it ended. */
  readonly sentAt: number
  readonly now: number
  readonly retryAfterMs: number | undefined
  /** Our own slots held when it ended, its own included, and when the next comes free. */
  readonly held: number
  readonly nextFreeAt: number | undefined
}

export type Mode = ScheduleReport['mode']

/** A pause without any word from the upstream or the ledger starts here and doubles. */
const firstPauseMs = 1000
const longestPauseMs = 60_000
const probeEveryMs = 5000
const failuresBeforeTrickle = 20
const trickleGapMs = 1000
/** Windows until a limit that was lowered to nothing is whole again. */
const recoveryWindows = 2

const failures = new Set<ErrorCode>([
  'upstream_error',
  'upstream_invalid_response',
  'upstream_timeout',
  'upstream_unreachable'
])

export class Brake {
  readonly #options: BrakeOptions
  #heldUntil = -Infinity
  #pausedUntil = -Infinity
  #pausedAt = -Infinity
  #pauseMs = 0
  #gapMs = 0
  #lastSentAt = -Infinity
  #stolen = 0
  #stolenAt = 0
  #nextProbeAt: number | undefined
  #failuresInARow = 0
  #lastFailure: ErrorCode = 'upstream_error'

  constructor(options: BrakeOptions) {
    this.#options = options
  }

  get failuresInARow(): number {
    return this.#failuresInARow
  }

  mode(now: number): Mode {
    if (this.#nextProbeAt !== undefined) return 'key-refused'
    if (now < this.#pausedUntil) return 'paused'
    if (now < this.#heldUntil) return 'held'
    return this.#trickles() ? 'failing' : 'open'
  }

  /** The instant before which nothing is sent. */
  nextSendAt(): number {
    const paced = this.#lastSentAt + (this.#trickles() ? trickleGapMs : this.#gapMs)
    return Math.max(this.#heldUntil, this.#pausedUntil, this.#nextProbeAt ?? paced, paced)
  }

  /** Milliseconds between sends, from the next one on. */
  get gapMs(): number {
    return this.#trickles() ? trickleGapMs : this.#gapMs
  }

  /** The limit less what others take from the key. */
  workingLimit(now: number): number {
    return Math.max(1, this.#options.limit - Math.ceil(this.#stolenNow(now)))
  }

  /** The next instant at which more may be sent although nothing happens; Infinity if none. */
  nextChangeAt(now: number): number {
    const nextSendAt = this.nextSendAt()
    if (nextSendAt > now) return nextSendAt
    const steps = Math.ceil(this.#stolenNow(now))
    if (steps === 0) return Infinity
    const { limit, windowMs } = this.#options
    const msPerStep = (recoveryWindows * windowMs) / limit
    return Math.max(this.#stolenAt + (this.#stolen - steps + 1) * msPerStep, now + 1)
  }

  /** One call at a time while it is not known whether calls succeed. */
  concurrency(most: number): number {
    const probing = this.#nextProbeAt !== undefined || this.#trickles() || this.#gapMs > 0
    return probing ? 1 : most
  }

  /** Nothing is sent before `until`: what an earlier process sent is not known. */
  hold(until: number): void {
    this.#heldUntil = until
  }

  /** True while not even a probe may be sent to an upstream that refused the key. */
  refusesAll(now: number): boolean {
    return this.#nextProbeAt !== undefined && now < this.#nextProbeAt
  }

  sent(now: number): void {
    this.#lastSentAt = now
    if (this.#nextProbeAt !== undefined) this.#nextProbeAt = now + probeEveryMs
  }

  succeeded(): void {
    this.#failuresInARow = 0
    this.#nextProbeAt = undefined
    this.#pauseMs = 0
    this.#gapMs = this.#gapMs > 10 ? this.#gapMs / 2 : 0
  }

  failed(verdict: Verdict): void {
    if (verdict.code === 'upstream_rate_limited') this.#pause(verdict)
    else if (verdict.code === 'upstream_unauthorized')
      this.#nextProbeAt = verdict.now + probeEveryMs
    else if (failures.has(verdict.code)) {
      this.#failuresInARow++
      this.#lastFailure = verdict.code
    } else this.succeeded()
  }

  /** Why a caller cannot be served in time, in the words of what stands in the way. */
  refusal(waitMs: number, now: number, waiting: number): ServiceError {
    const seconds = Math.max(Math.ceil(waitMs / 1000), 1)
    const soon = `; the next call is possible in about ${seconds} s.`
    const say = (code: ErrorCode, detail: string) =>
      new ServiceError(code, detail + soon, { retryAfterMs: waitMs })
    switch (this.mode(now)) {
      case 'key-refused':
        return say('upstream_unauthorized', 'HelpCrunch refuses the API key of this service')
      case 'paused':
        return say('upstream_rate_limited', 'HelpCrunch limits the rate of calls')
      case 'failing':
        return say(this.#lastFailure, 'HelpCrunch keeps failing')
      case 'held':
      case 'open':
        return say(
          'budget_exhausted',
          `No call to HelpCrunch is free before the deadline, and ${waiting} wait already`
        )
    }
  }

  #trickles(): boolean {
    return this.#failuresInARow >= failuresBeforeTrickle
  }

  #pause({ sentAt, now, retryAfterMs, held, nextFreeAt }: Verdict): void {
    const { limit, windowMs } = this.#options
    // Calls that were in flight together are refused together: one incident, one step.
    if (sentAt > this.#pausedAt) {
      const sure = Math.max((nextFreeAt ?? now) - now, firstPauseMs)
      const longest = Math.min(longestPauseMs, windowMs)
      this.#pauseMs = Math.min(this.#pauseMs > 0 ? this.#pauseMs * 2 : sure, longest)
      this.#pausedAt = now
      this.#noteTheft(held, now)
    }
    this.#pausedUntil = Math.max(this.#pausedUntil, now + (retryAfterMs ?? this.#pauseMs))
    this.#gapMs = windowMs / limit
  }

  /** What the upstream counted beyond our own calls; one is left, to find out after the pause. */
  #noteTheft(held: number, now: number): void {
    const stolen = this.#options.limit - held - 1
    if (stolen <= this.#stolenNow(now)) return
    this.#stolen = stolen
    this.#stolenAt = now
  }

  #stolenNow(now: number): number {
    const { limit, windowMs } = this.#options
    const recovered = ((now - this.#stolenAt) * limit) / (recoveryWindows * windowMs)
    return Math.max(0, this.#stolen - recovered)
  }
}
