/**
 * Keeps the law and wastes nothing: sends what waits, fairly and in order, whenever the ledger has
 * a slot, the upstream a connection and the brake no objection; refuses on arrival whoever cannot
 * make it. Promises: a caller is answered, or refused with an honest estimate, by its deadline plus
 * one attempt; a caller that leaves before its call is sent costs nothing; every attempt, retries
 * and probes included, is paid from the same budget. It knows neither pages nor caching: upstream's
 * door is a function.
 */

import { type Clock, sameMomentMs, type Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { Attempt, Call, Need, Page, Priority, ScheduleReport, Timing } from '../ports.ts'
import { estimateFreeAt, estimateSendAt, type Outlook } from './estimate.ts'
import { FairQueue } from './fair-queue.ts'
import { hasRoom, judgeOf, Shares, type Situation } from './reserves.ts'
import { Sends, type SendsOptions } from './sends.ts'

export interface ScheduleOptions extends SendsOptions {
  readonly clock: Clock
  readonly attempt: Attempt
  /** Uniform in [0, 1): spreads retries, and the return of those who were refused. */
  readonly random: () => number
  /** Weight of each configured team. */
  readonly weights: ReadonlyMap<string, number>
  /** Waiting calls, all teams together. */
  readonly maxLength: number
}

interface Reply {
  readonly page: Page
  readonly timing: Timing
}

interface Waiting {
  readonly team: string
  readonly priority: Priority
  readonly arrivedAt: number
  readonly call: Call
  readonly need: Need
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  readonly leave: () => void
  /** Why it stands in line again, once it was tried. */
  failure: ServiceError | undefined
  inLine: boolean
  /** Fires at the deadline, or when a retry is due. */
  timer: Timer | undefined
}

/** Places in the queue that a team cannot take from each other configured team. */
const keptPlaces = 10

/** A connection that broke is tried again after a moment, not all at the same one. */
const retryJitterMs = 200

/** After more failures in a row than this, a retry is no remedy. */
const failuresBeforeNoRetry = 3

export class Schedule {
  readonly #options: ScheduleOptions
  readonly #sends: Sends
  readonly #queue = new FairQueue<Waiting>()
  readonly #shares: Shares
  #wake: Timer | undefined
  #drainedAfterMs: number | undefined

  constructor(options: ScheduleOptions) {
    this.#options = options
    this.#sends = new Sends(options, options.clock.now())
    this.#shares = new Shares(options.weights)
  }

  /** @throws {ServiceError} what the attempt failed with, or why no attempt was made. */
  send(call: Call, need: Need): Promise<Reply> {
    const now = this.#options.clock.now()
    const { brake } = this.#sends
    if (this.#drainedAfterMs !== undefined) return Promise.reject(this.#shuttingDown())
    if (need.signal.aborted) return Promise.reject(need.signal.reason)
    if (brake.refusesAll(now)) return Promise.reject(this.#refusal(brake.nextSendAt() - now))
    return new Promise((resolve, reject) => {
      const { team, priority } = need
      const waiting: Waiting = {
        ...{ team, priority, arrivedAt: now, call, need, resolve, reject },
        leave: () => this.#dismiss(waiting, need.signal.reason),
        ...{ failure: undefined, inLine: false, timer: undefined }
      }
      const hasPlace = this.#hasPlace(team)
      this.#queueUp(waiting)
      if (waiting.inLine && !hasPlace) this.#refuse(waiting)
    })
  }

  /** Refuses what waits and all that comes; calls in flight go on. */
  drain(retryAfterMs: number): void {
    this.#drainedAfterMs = retryAfterMs
    for (const waiting of [...this.#queue]) this.#dismiss(waiting, this.#shuttingDown())
  }

  /** Whether a call of this team could leave now and be missed by nobody. */
  hasIdleSlot(team: string): boolean {
    const now = this.#options.clock.now()
    const situation = this.#situation(now)
    const ready = now >= this.#sends.brake.nextSendAt() && hasRoom(situation)
    return ready && this.#queue.length === 0 && judgeOf(situation).isOpen('refresh', team)
  }

  report(): ScheduleReport {
    const { clock, journal, limit } = this.#options
    const { brake, ledger } = this.#sends
    const now = clock.now()
    return {
      limit,
      workingLimit: brake.workingLimit(now),
      used: ledger.used(now),
      inFlight: ledger.inFlight,
      mode: brake.mode(now),
      nextSendAt: brake.nextSendAt(),
      journalProblem: journal.history.kind === 'unknown' ? journal.history.reason : undefined,
      waiting: [...this.#queue].map(({ team, priority, arrivedAt }) => ({
        team,
        priority,
        arrivedAt
      }))
    }
  }

  /** A team never takes the last places of each other configured team. */
  #hasPlace(team: string): boolean {
    const { maxLength, weights } = this.#options
    const kept = Math.min(keptPlaces, Math.floor(maxLength / Math.max(weights.size, 1)))
    let taken = this.#queue.length
    for (const other of weights.keys()) {
      if (other !== team) taken += Math.max(kept - this.#queue.lengthOf(other), 0)
    }
    return taken < maxLength
  }

  /** Sends it now, lets it wait until its deadline, or refuses it if that cannot be met. */
  #queueUp(waiting: Waiting): void {
    this.#queue.push(waiting)
    waiting.inLine = true
    waiting.need.signal.addEventListener('abort', waiting.leave)
    this.#pump()
    if (!waiting.inLine) return
    const sendAt = estimateSendAt(waiting, this.#outlook())
    if (sendAt > waiting.need.deadline) {
      this.#refuse(waiting)
      return
    }
    const { clock, emit } = this.#options
    const { team, priority } = waiting
    emit({ type: 'schedule.queued', at: clock.now(), sendAt, team, priority })
    this.#watchDeadline(waiting)
  }

  /** Takes a call out of the line, with everything that was set up for its wait. */
  #leaveLine(waiting: Waiting): void {
    if (waiting.inLine) this.#queue.remove(waiting)
    waiting.inLine = false
    waiting.timer?.cancel()
    waiting.need.signal.removeEventListener('abort', waiting.leave)
    if (this.#queue.length === 0) this.#wake?.cancel()
  }

  #dismiss(waiting: Waiting, reason: unknown): void {
    this.#leaveLine(waiting)
    waiting.reject(reason)
  }

  /** Joiners may have moved the deadline back when it comes; then it is watched on. */
  #watchDeadline(waiting: Waiting): void {
    const { clock } = this.#options
    waiting.timer = clock.after(waiting.need.deadline - clock.now(), () => {
      if (waiting.need.deadline > clock.now()) this.#watchDeadline(waiting)
      else this.#refuse(waiting)
    })
  }

  /**
   * With what it failed, if it was tried; else with the time when its way will be free, a little
   * later for each, so that those who obey `Retry-After` do not return together.
   */
  #refuse(waiting: Waiting): void {
    const { random, windowMs } = this.#options
    this.#leaveLine(waiting)
    const outlook = this.#outlook()
    const waitMs = estimateFreeAt(waiting, outlook) - outlook.now
    const knownMs = Number.isFinite(waitMs) ? waitMs : windowMs
    const spreadMs = knownMs + random() * Math.max(1000, knownMs / 10)
    const refusal = this.#refusal(spreadMs)
    const failure = waiting.failure?.code === 'upstream_rate_limited' ? refusal : waiting.failure
    waiting.reject(failure ?? refusal)
  }

  #refusal(waitMs: number): ServiceError {
    return this.#sends.brake.refusal(waitMs, this.#options.clock.now(), this.#queue.length)
  }

  #outlook(): Outlook<Waiting> {
    const now = this.#options.clock.now()
    return { now, queue: this.#queue, sends: this.#sends, shares: this.#shares }
  }

  /** Sends while there is someone who may go, a slot, a connection and no pause. */
  #pump(): void {
    const now = this.#options.clock.now()
    for (let next = this.#next(now); next; next = this.#next(now)) {
      // After a stall of the process its timer may be late: nothing is sent past its deadline.
      if (next.need.deadline + sameMomentMs < now) this.#refuse(next)
      else void this.#attempt(next, now)
    }
    this.#sleep(now)
  }

  #next(now: number): Waiting | undefined {
    const situation = this.#situation(now)
    if (now < this.#sends.brake.nextSendAt() || !hasRoom(situation)) return undefined
    const next = this.#queue.take(judgeOf(situation))
    if (next) next.inLine = false
    return next
  }

  #situation(now: number): Situation {
    const { ledger } = this.#sends
    return { now, ledger, shares: this.#shares, bounds: this.#sends.bounds(now) }
  }

  /** One timer, for the next instant at which a call may go without an answer coming first. */
  #sleep(now: number): void {
    this.#wake?.cancel()
    this.#wake = undefined
    if (this.#queue.length === 0) return
    const { brake, ledger } = this.#sends
    const at = Math.min(brake.nextChangeAt(now), ledger.nextFreeAt(now) ?? Infinity)
    if (at < Infinity) this.#wake = this.#options.clock.after(at - now, () => this.#pump())
  }

  async #attempt(waiting: Waiting, sentAt: number): Promise<void> {
    const { attempt, clock } = this.#options
    this.#leaveLine(waiting)
    const sent = this.#sends.begin(waiting.team, waiting.priority, sentAt)
    waiting.need.onSent?.()
    try {
      const page = await attempt(waiting.call)
      const now = clock.now()
      this.#sends.succeeded(sent, now)
      const timing = { queueMs: sentAt - waiting.arrivedAt, upstreamMs: now - sentAt }
      waiting.resolve({ page, timing })
    } catch (error) {
      this.#sends.failed(sent, clock.now(), error)
      this.#afterFailure(waiting, error)
    }
    this.#pump()
  }

  /** A 429 is not the caller's: its call stands in line again, by its age, until its deadline. */
  #afterFailure(waiting: Waiting, error: unknown): void {
    const known = error instanceof ServiceError ? error : undefined
    const firstFailure = waiting.failure === undefined
    waiting.failure = known
    if (known?.code === 'upstream_unauthorized') this.#refuseAll(known)
    if (known?.code === 'upstream_rate_limited') this.#tryAgain(waiting, 0)
    else if (known && firstFailure && this.#isCurable(known, waiting.need))
      this.#tryAgain(waiting, retryJitterMs)
    else waiting.reject(error)
  }

  /** Nobody's call would fare better while the key is refused. */
  #refuseAll(error: ServiceError): void {
    for (const waiting of [...this.#queue]) this.#dismiss(waiting, error)
  }

  /**
   * Reads may be repeated after a connection error, 502 or 503, unless something stale may be
   * served instead or failures repeat as well.
   */
  #isCurable({ code, upstreamStatus }: ServiceError, { hasFallback }: Need): boolean {
    const curable =
      code === 'upstream_unreachable' || upstreamStatus === 502 || upstreamStatus === 503
    return curable && !hasFallback && this.#sends.brake.failuresInARow <= failuresBeforeNoRetry
  }

  #tryAgain(waiting: Waiting, jitterMs: number): void {
    const { clock, random } = this.#options
    const { need } = waiting
    need.onRetry?.()
    if (need.signal.aborted) {
      waiting.reject(need.signal.reason)
    } else if (this.#drainedAfterMs !== undefined) {
      waiting.reject(this.#shuttingDown())
    } else if (jitterMs === 0) {
      this.#queueUp(waiting)
    } else {
      need.signal.addEventListener('abort', waiting.leave)
      waiting.timer = clock.after(random() * jitterMs, () => this.#rejoin(waiting))
    }
  }

  #rejoin(waiting: Waiting): void {
    if (this.#drainedAfterMs === undefined) this.#queueUp(waiting)
    else this.#dismiss(waiting, this.#shuttingDown())
  }

  #shuttingDown(): ServiceError {
    const detail = 'The service is shutting down and makes no further calls to HelpCrunch.'
    return new ServiceError('shutting_down', detail, { retryAfterMs: this.#drainedAfterMs ?? 0 })
  }
}
