/**
 * Keeps the law: sends what it must, in order of arrival, whenever the ledger has a slot and the
 * upstream a connection, and lets nobody wait who cannot make it. Promises: a call is answered,
 * or refused with an honest estimate, by its deadline plus one attempt; a caller that leaves
 * before its call is sent costs nothing; a 429 pauses the whole key. It does not know pages or
 * caching: upstream's door is a function.
 */

import type { Clock, Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { Attempt, Call, Need, Page, Timing } from '../ports.ts'
import { estimateSendAt } from './estimate.ts'
import { Ledger } from './ledger.ts'

export interface ScheduleOptions {
  readonly clock: Clock
  readonly attempt: Attempt
  /** Calls in any window. */
  readonly limit: number
  readonly windowMs: number
  /** Calls in flight at once. */
  readonly concurrency: number
  /** Waiting calls. */
  readonly maxLength: number
}

interface Waiting {
  readonly call: Call
  readonly need: Need
  readonly arrivedAt: number
  readonly resolve: (sent: { page: Page; timing: Timing }) => void
  readonly reject: (error: Error) => void
  deadlineTimer: Timer
  leave: () => void
}

/** Before anything was measured, a call is taken to last this long. */
const firstLatencyGuessMs = 200

export class Schedule {
  readonly #options: ScheduleOptions
  readonly #ledger: Ledger
  readonly #queue: Waiting[] = []
  #latencyMs = firstLatencyGuessMs
  #pausedUntil = 0
  #wake: Timer | undefined
  #drainedAfterMs: number | undefined

  constructor(options: ScheduleOptions) {
    this.#options = options
    this.#ledger = new Ledger(options)
  }

  /** @throws {ServiceError} what the attempt failed with, or why no attempt was made. */
  send(call: Call, need: Need): Promise<{ page: Page; timing: Timing }> {
    const refusal = this.#refusal(need)
    if (refusal) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      this.#enqueue(call, need, resolve, reject)
      this.#pump()
    })
  }

  /** Refuses what waits and all that comes; calls in flight go on. */
  drain(retryAfterMs: number): void {
    this.#drainedAfterMs = retryAfterMs
    for (const waiting of [...this.#queue]) this.#settle(waiting).reject(this.#shuttingDown())
  }

  #refusal(need: Need): Error | undefined {
    if (this.#drainedAfterMs !== undefined) return this.#shuttingDown()
    if (need.signal.aborted) return need.signal.reason
    const now = this.#options.clock.now()
    const sendAt = this.#estimate(now)
    const full = this.#queue.length > 0 && this.#queue.length >= this.#options.maxLength
    return sendAt > need.deadline || full ? exhausted(sendAt - now) : undefined
  }

  /** When a call arriving now would be sent if nothing else came. */
  #estimate(now: number): number {
    return estimateSendAt(this.#queue.length, {
      now,
      freeTimes: this.#ledger.freeTimes(now, this.#latencyMs),
      windowMs: this.#options.windowMs,
      latencyMs: this.#latencyMs,
      pausedUntil: this.#pausedUntil
    })
  }

  #enqueue(call: Call, need: Need, resolve: Waiting['resolve'], reject: Waiting['reject']): void {
    const { clock } = this.#options
    const now = clock.now()
    const waiting: Waiting = {
      call,
      need,
      arrivedAt: now,
      resolve,
      reject,
      deadlineTimer: clock.after(need.deadline - now, () => this.#miss(waiting)),
      leave: () => this.#settle(waiting).reject(need.signal.reason)
    }
    need.signal.addEventListener('abort', waiting.leave)
    this.#queue.push(waiting)
  }

  /** Takes a waiting call out of the queue, with everything that was set up for its wait. */
  #settle(waiting: Waiting): Waiting {
    const at = this.#queue.indexOf(waiting)
    if (at >= 0) this.#queue.splice(at, 1)
    waiting.deadlineTimer.cancel()
    waiting.need.signal.removeEventListener('abort', waiting.leave)
    return waiting
  }

  /** Its deadline passed because it was overtaken, or calls took longer than they used to. */
  #miss(waiting: Waiting): void {
    const { clock } = this.#options
    const now = clock.now()
    const leftMs = waiting.need.deadline - now
    if (leftMs > 0) {
      waiting.deadlineTimer = clock.after(leftMs, () => this.#miss(waiting))
      return
    }
    this.#settle(waiting).reject(exhausted(this.#estimate(now) - now))
  }

  /** Sends while there is someone waiting, a slot, a connection and no pause. */
  #pump(): void {
    const now = this.#options.clock.now()
    while (this.#queue[0] && this.#mayStart(now)) this.#start(this.#settle(this.#queue[0]), now)
    this.#sleep(now)
  }

  #mayStart(now: number): boolean {
    if (now < this.#pausedUntil) return false
    return this.#ledger.inFlight < this.#options.concurrency && this.#ledger.take(now)
  }

  /** Sets one timer for the next instant at which a slot can come free without an answer. */
  #sleep(now: number): void {
    this.#wake?.cancel()
    this.#wake = undefined
    if (this.#queue.length === 0) return
    const free = Math.max(this.#ledger.nextFreeAt(now) ?? now, this.#pausedUntil)
    // Only an answer can help: its settlement pumps again.
    if (free <= now) return
    this.#wake = this.#options.clock.after(free - now, () => this.#pump())
  }

  async #start(waiting: Waiting, sentAt: number): Promise<void> {
    const { clock, attempt } = this.#options
    waiting.need.onSent?.()
    try {
      const page = await attempt(waiting.call)
      const answeredAt = clock.now()
      this.#answered(sentAt, answeredAt)
      waiting.resolve({
        page,
        timing: { queueMs: sentAt - waiting.arrivedAt, upstreamMs: answeredAt - sentAt }
      })
    } catch (error) {
      this.#failed(error as Error, sentAt)
      waiting.reject(this.#described(error as Error))
    }
    this.#pump()
  }

  #answered(sentAt: number, now: number): void {
    this.#ledger.answered(now)
    this.#latencyMs += (now - sentAt - this.#latencyMs) / 8
  }

  #failed(error: Error, sentAt: number): void {
    const now = this.#options.clock.now()
    const contact = error instanceof ServiceError ? error.contact : 'unanswered'
    if (contact === 'unsent') this.#ledger.unsent()
    else if (contact === 'answered') this.#answered(sentAt, now)
    else this.#ledger.givenUp(now)
    if (error instanceof ServiceError && error.code === 'upstream_rate_limited') {
      this.#pausedUntil = Math.max(
        this.#pausedUntil,
        now + (error.retryAfterMs ?? this.#sureSlotMs(now))
      )
    }
  }

  /** Without a `Retry-After`: until a call that was surely counted has left the upstream's window. */
  #sureSlotMs(now: number): number {
    return (this.#ledger.nextFreeAt(now) ?? now) - now
  }

  /** A 429 leaves with the pause that it caused as its `Retry-After`. */
  #described(error: Error): Error {
    if (!(error instanceof ServiceError) || error.code !== 'upstream_rate_limited') return error
    const { code, message, entries, contact, upstreamStatus } = error
    const retryAfterMs = this.#estimate(this.#options.clock.now()) - this.#options.clock.now()
    return new ServiceError(code, message, {
      entries,
      retryAfterMs,
      ...(contact && { contact }),
      ...(upstreamStatus && { upstreamStatus }),
      cause: error
    })
  }

  #shuttingDown(): ServiceError {
    const detail = 'The service is shutting down and makes no further calls to HelpCrunch.'
    return new ServiceError('shutting_down', detail, { retryAfterMs: this.#drainedAfterMs ?? 0 })
  }
}

function exhausted(waitMs: number): ServiceError {
  const seconds = Math.ceil(waitMs / 1000)
  const detail = `No call to HelpCrunch is free before the deadline; the next one is in about ${seconds} s.`
  return new ServiceError('budget_exhausted', detail, { retryAfterMs: waitMs })
}
