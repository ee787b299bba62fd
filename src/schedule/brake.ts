/**
 * What the upstream's answers say about when, how much and how fast to send: the one brain for 429,
 * for a refused key and for an upstream that keeps failing. A state machine on (event, now); it
 * sends nothing and sleeps never.
 *
 * - 429: everything on the key pauses until `Retry-After`, or without one until the ledger is sure
 *   of a slot; on repeats for a pause of our own that grows, if that is longer. Afterwards one call
 *   goes first, and each success halves the gap to the next, so that the line is not let loose at
 *   once.
 * - 429 although the ledger had room: somebody else spends from the key. The limit is lowered by
 *   what they took and recovers over two windows.
 * - 401, 403: nothing is sent but a probe now and then, until one succeeds.
 * - 20 failures in a row: one call at a time, at most one a second, until one succeeds.
 *
 * How a call ended says nothing about what was learnt after it was sent.
 */

import { type ErrorCode, ServiceError } from '../errors.ts'
import type { ScheduleReport } from '../reports.ts'
import type { Bounds } from './reserves.ts'

export interface BrakeOptions {
  readonly limit: number
  readonly windowMs: number
  /** Calls in flight at once. */
  readonly concurrency: number
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

export interface Refusal {
  /** What stands in the way. */
  readonly mode: ScheduleReport['mode']
  /** How long it will. */
  readonly waitMs: number
  /** How many wait already. */
  readonly waiting: number
}

/** A pause without any word from the upstream or the ledger starts here and doubles. */
const firstPauseMs = 1000
const longestPauseMs = 60_000
const probeEveryMs = 5000
const failuresBeforeTrickle = 20
const trickleGapMs = 1000
const sameNewsMs = 300
/** A gap below this is none. */
const leastGapMs = 10
/** Windows until a limit that was lowered to nothing is whole again. */
const recoveryWindows = 2

const failures = new Set<ErrorCode>([
  'upstream_error',
  'upstream_invalid_response',
  'upstream_timeout',
  'upstream_unreachable'
])

interface State {
  heldUntil: number
  pausedAt: number
  pausedUntil: number
  pauseMs: number
  leastPauseMs: number
  gapMs: number
  lastSentAt: number
  stolen: number
  stolenAt: number
  refusedAt: number
  nextProbeAt: number | undefined
  failuresInARow: number
  lastFailure: ErrorCode
}

/** For those who look and do not send. */
export type BrakeView = Omit<Brake, 'hold' | 'sent' | 'succeeded' | 'failed' | 'pausedElsewhere'>

export class Brake {
  readonly #options: BrakeOptions
  #state: State = {
    heldUntil: -Infinity,
    pausedAt: -Infinity,
    pausedUntil: -Infinity,
    pauseMs: 0,
    leastPauseMs: 0,
    gapMs: 0,
    lastSentAt: -Infinity,
    stolen: 0,
    stolenAt: 0,
    refusedAt: -Infinity,
    nextProbeAt: undefined,
    failuresInARow: 0,
    lastFailure: 'upstream_error'
  }

  constructor(options: BrakeOptions) {
    this.#options = options
  }

  get failuresInARow(): number {
    return this.#state.failuresInARow
  }

  /** The instant until which a 429 holds everything up. */
  get pausedUntil(): number {
    return this.#state.pausedUntil
  }

  mode(now: number): ScheduleReport['mode'] {
    const { heldUntil, nextProbeAt, pausedUntil } = this.#state
    if (nextProbeAt !== undefined) return 'key-refused'
    if (now < pausedUntil) return 'paused'
    if (now < heldUntil) return 'held'
    return this.#trickles() ? 'failing' : 'open'
  }

  /** The instant before which nothing is sent. */
  nextSendAt(): number {
    const { gapMs, heldUntil, lastSentAt, nextProbeAt, pausedUntil } = this.#state
    const paced = lastSentAt + (this.#trickles() ? trickleGapMs : gapMs)
    return Math.max(heldUntil, pausedUntil, nextProbeAt ?? paced, paced)
  }

  /** What may be held and in flight at one time, just now. */
  bounds(now: number): Bounds {
    const { gapMs, nextProbeAt } = this.#state
    const probing = nextProbeAt !== undefined || this.#trickles() || gapMs > 0
    return {
      limit: Math.max(1, this.#options.limit - Math.ceil(this.#stolenNow(now))),
      // One call at a time while it is not known whether calls succeed.
      concurrency: probing ? 1 : this.#options.concurrency
    }
  }

  /** The next instant at which more may be sent although nothing happens; Infinity if none. */
  nextChangeAt(now: number): number {
    const nextSendAt = this.nextSendAt()
    if (nextSendAt > now) return nextSendAt
    const steps = Math.ceil(this.#stolenNow(now))
    if (steps === 0) return Infinity
    const { limit, windowMs } = this.#options
    const msPerStep = (recoveryWindows * windowMs) / limit
    return Math.max(this.#state.stolenAt + (this.#state.stolen - steps + 1) * msPerStep, now + 1)
  }

  /** True while not even a probe may be sent to an upstream that refused the key. */
  refusesAll(now: number): boolean {
    const { nextProbeAt } = this.#state
    return nextProbeAt !== undefined && now < nextProbeAt
  }

  /** Nothing is sent before `until`: what an earlier process sent is not known. */
  hold(until: number): void {
    this.#state.heldUntil = until
  }

  /** Another replica met a 429: the whole key pauses, and goes on gradually. */
  pausedElsewhere(until: number, now: number): void {
    const { limit, windowMs } = this.#options
    const state = this.#state
    // The same news comes with every answer, each time a little differently rounded.
    if (until <= state.pausedUntil + sameNewsMs) return
    state.pausedAt = now
    state.pausedUntil = until
    state.gapMs = windowMs / limit
  }

  sent(now: number): void {
    this.#state.lastSentAt = now
    if (this.#state.nextProbeAt !== undefined) this.#state.nextProbeAt = now + probeEveryMs
  }

  succeeded(sentAt: number): void {
    const state = this.#state
    state.failuresInARow = 0
    if (sentAt > state.refusedAt) state.nextProbeAt = undefined
    if (sentAt <= state.pausedAt) return
    state.pauseMs = 0
    state.gapMs = state.gapMs > leastGapMs ? state.gapMs / 2 : 0
  }

  failed(verdict: Verdict): void {
    const { code, now, sentAt } = verdict
    if (code === 'upstream_rate_limited') this.#pause(verdict)
    else if (code === 'upstream_unauthorized') this.#refuseKey(now)
    else if (failures.has(code)) this.#countFailure(code)
    else this.succeeded(sentAt)
  }

  /** The same state again, to be played forward. */
  clone(): Brake {
    const copy = new Brake(this.#options)
    copy.#state = { ...this.#state }
    return copy
  }

  /** Why a caller cannot be served in time, in the words of what stands in the way. */
  refusal({ mode, waitMs, waiting }: Refusal): ServiceError {
    const seconds = Math.max(Math.ceil(waitMs / 1000), 1)
    const soon = `; the next call is possible in about ${seconds} s.`
    const say = (code: ErrorCode, detail: string) =>
      new ServiceError(code, detail + soon, { retryAfterMs: waitMs })
    switch (mode) {
      case 'key-refused':
        return say('upstream_unauthorized', 'HelpCrunch refuses the API key of this service')
      case 'paused':
        return say('upstream_rate_limited', 'HelpCrunch limits the rate of calls')
      case 'failing':
        return say(this.#state.lastFailure, 'HelpCrunch keeps failing')
      case 'cut-off':
        return say('budget_exhausted', 'The store that the replicas share is out of reach')
      case 'held':
        return say(
          'budget_exhausted',
          'It is not known what an earlier process sent, or a silent replica sends'
        )
      case 'open': {
        const detail = `No call to HelpCrunch is free before the deadline, and ${waiting} wait already`
        return say('budget_exhausted', detail)
      }
    }
  }

  #trickles(): boolean {
    return this.#state.failuresInARow >= failuresBeforeTrickle
  }

  #refuseKey(now: number): void {
    this.#state.refusedAt = now
    this.#state.nextProbeAt = now + probeEveryMs
  }

  #countFailure(code: ErrorCode): void {
    this.#state.failuresInARow++
    this.#state.lastFailure = code
  }

  #pause({ sentAt, now, retryAfterMs, held, nextFreeAt }: Verdict): void {
    const { limit, windowMs } = this.#options
    const state = this.#state
    // Calls that were in flight together are refused together: one incident, one step.
    if (sentAt > state.pausedAt) {
      // With room left the ledger has nothing to wait for: then it is somebody else's calls.
      const isSure = held < limit || retryAfterMs !== undefined
      const sureMs = Math.max(isSure ? 0 : (nextFreeAt ?? now) - now, firstPauseMs)
      const isRepeat = state.pauseMs > 0
      const longest = Math.min(longestPauseMs, windowMs)
      state.pauseMs = Math.min(isRepeat ? state.pauseMs * 2 : sureMs, longest)
      // A `Retry-After` that did not help, such as 0 or a date gone by, is not believed again.
      state.leastPauseMs = isRepeat ? state.pauseMs : 0
      state.pausedAt = now
      this.#noteTheft(held, now)
    }
    const pauseMs = Math.max(retryAfterMs ?? state.pauseMs, state.leastPauseMs)
    state.pausedUntil = Math.max(state.pausedUntil, now + pauseMs)
    state.gapMs = windowMs / limit
  }

  /** What the upstream counted beyond our own calls; one is left, to find out after the pause. */
  #noteTheft(held: number, now: number): void {
    const stolen = this.#options.limit - held - 1
    if (stolen <= this.#stolenNow(now)) return
    this.#state.stolen = stolen
    this.#state.stolenAt = now
  }

  #stolenNow(now: number): number {
    const { limit, windowMs } = this.#options
    const recovered = ((now - this.#state.stolenAt) * limit) / (recoveryWindows * windowMs)
    return Math.max(0, this.#state.stolen - recovered)
  }
}
