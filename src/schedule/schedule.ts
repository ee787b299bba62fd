/**
 * Keeps the law and wastes nothing: sends what waits, fairly and in order, whenever the ledger has
 * a slot, the upstream a connection and the brake no objection; refuses on arrival whoever cannot
 * make it. Promises: a caller is answered, or refused with an honest estimate, by its deadline plus
 * one attempt; a caller that leaves before its call is sent costs nothing; every attempt, retries
 * and probes included, is paid from the same budget. It knows neither pages nor caching: upstream's
 * door is a function.
 */

import type { Clock, Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import {
  type Attempt,
  type Call,
  type CallProspect,
  isInTime,
  type Need,
  type Priority,
  type Reply,
  slackMs
} from '../ports.ts'
import type { ScheduleReport } from '../reports.ts'
import { type Budget, unshared } from './budget.ts'
import { Deadlines } from './deadlines.ts'
import { FairQueue, type Turn } from './fair-queue.ts'
import type { Asking } from './foreseen-calls.ts'
import { Prospects } from './prospects.ts'
import { shuttingDown, tooLate } from './refusals.ts'
import { hasPlace, judgeAt, levelAt, nextChangeAt, Shares } from './reserves.ts'
import { retryDelayMs } from './retries.ts'
import { Sends, type SendsOptions } from './sends.ts'
import { spenderOf } from './spender.ts'
import { type Line, Waiting } from './waiting.ts'

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

export class Schedule {
  readonly #options: ScheduleOptions
  readonly #sends: Sends
  readonly #queue = new FairQueue<Waiting>()
  /** Between a failure and its retry. */
  readonly #resting = new Set<Waiting>()
  readonly #budget: Budget
  readonly #prospects: Prospects
  readonly #deadlines: Deadlines<Waiting>
  readonly #line: Line
  #wake: Timer | undefined
  #drainedAfterMs: number | undefined

  constructor(options: ScheduleOptions) {
    this.#options = options
    this.#sends = new Sends(options)
    this.#budget = options.budget ?? unshared
    this.#deadlines = new Deadlines(options.clock, waiting => this.#deadlinePassed(waiting))
    this.#prospects = new Prospects(options, {
      sends: this.#sends,
      queue: this.#queue,
      shares: new Shares(options.weights),
      budget: this.#budget
    })
    this.#line = this.#makeLine()
    const house = { sends: this.#sends, queue: this.#queue, prospects: this.#prospects }
    this.#budget.attach(spenderOf({ ...house, clock: options.clock, changed: () => this.#pump() }))
  }

  /** Rejects with what the attempt failed with, or why no attempt was made. */
  send(call: Call, need: Need): Promise<Reply> {
    const now = this.#options.clock.now()
    const { brake } = this.#sends
    if (this.#drainedAfterMs !== undefined) return Promise.reject(this.#shuttingDown())
    if (need.signal.aborted) return Promise.reject(need.signal.reason)
    if (brake.refusesAll(now)) {
      return Promise.reject(this.#prospects.refusal(brake.nextSendAt() - now))
    }
    if (!isInTime(need, now)) return Promise.reject(tooLate())
    const waiting = new Waiting(call, need, now, this.#line)
    this.#queueUp(waiting, hasPlace(need.team, this.#queue, this.#options))
    return waiting.reply
  }

  /** Refuses what waits and all that comes; calls in flight go on. */
  drain(retryAfterMs: number): void {
    this.#drainedAfterMs = retryAfterMs
    this.#dismissAll(this.#shuttingDown())
  }

  /** Whether a call of this team and class could leave now and be missed by nobody. */
  hasSlot(team: string, priority: Priority): boolean {
    const now = this.#options.clock.now()
    const judge = judgeAt(now, this.#prospects.resources(now))
    return judge !== undefined && this.#queue.length === 0 && judge.isOpen(priority, team)
  }

  /** The part of the slots that are held, 0 to 1. */
  pressure(): number {
    const { brake, ledger } = this.#sends
    const now = this.#options.clock.now()
    return Math.min(ledger.used(now) / brake.bounds(now).limit, 1)
  }

  /** What would become of calls that came now; nothing becomes of any. */
  foresee(asking: Asking): readonly CallProspect[] {
    if (this.#drainedAfterMs === undefined) return this.#prospects.foresee(asking, this.#options)
    const refusal = this.#shuttingDown()
    return asking.priorities.map(() => ({ refusal, rule: 'shutting-down' }))
  }

  report(): ScheduleReport {
    const { clock, journal, limit } = this.#options
    const { brake, ledger } = this.#sends
    const now = clock.now()
    return {
      limit,
      workingLimit: brake.bounds(now).limit,
      used: ledger.used(now),
      inFlight: ledger.inFlight,
      mode: this.#prospects.mode(now),
      nextSendAt: brake.nextSendAt(),
      journalProblem: journal.problem,
      waiting: Array.from(this.#queue, ({ team, priority, arrivedAt }) => ({
        ...{ team, priority, arrivedAt }
      })),
      replicas: this.#budget.report()
    }
  }

  #makeLine(): Line {
    return {
      left: waiting => this.#dismiss(waiting, waiting.need.signal.reason),
      joined: (waiting, team) => {
        this.#queue.join(waiting, team)
        // It may be that team's turn already.
        this.#pump()
      },
      prospectOf: waiting => this.#prospects.of(waiting)
    }
  }

  /** Sends it now, lets it wait until its deadline, or refuses it if that cannot be met. */
  #queueUp(waiting: Waiting, mayWait = true): void {
    this.#queue.push(waiting)
    waiting.inLine = true
    waiting.watch()
    this.#pump()
    if (!waiting.inLine) return
    const { clock, emit } = this.#options
    const { deadline } = waiting.need
    if (!mayWait || !this.#prospects.canMake(waiting, deadline)) {
      this.#refuse(waiting)
      return
    }
    const { team, priority } = waiting
    emit({ type: 'schedule.queued', at: clock.now(), team, priority })
    this.#awaitDeadline(waiting)
    waiting.need.onQueued?.(waiting)
  }

  /** Takes a call out of the line, with everything that was set up for its wait. */
  #leaveLine(waiting: Waiting): void {
    if (waiting.inLine) this.#queue.remove(waiting)
    waiting.inLine = false
    this.#resting.delete(waiting)
    this.#deadlines.remove(waiting)
    waiting.rest()
    if (this.#queue.length > 0) return
    this.#wake?.cancel()
    this.#budget.want()
  }

  #dismissAll(reason: ServiceError): void {
    for (const waiting of [...this.#queue, ...this.#resting]) this.#dismiss(waiting, reason)
  }

  #dismiss(waiting: Waiting, reason: unknown): void {
    this.#leaveLine(waiting)
    waiting.reject(reason)
  }

  #awaitDeadline(waiting: Waiting): void {
    const patienceMs = this.#budget.granted(this.#options.clock.now()) ? slackMs : 0
    this.#deadlines.add(waiting, waiting.need.deadline + patienceMs)
  }

  /** Joiners may have moved it later when it comes; then it is watched on. */
  #deadlinePassed(waiting: Waiting): void {
    if (waiting.need.deadline > this.#options.clock.now()) this.#awaitDeadline(waiting)
    else this.#refuse(waiting)
  }

  /** With what it failed, if it was tried; else with the time when its way will be free. */
  #refuse(waiting: Waiting): void {
    this.#leaveLine(waiting)
    const refusal = this.#prospects.refusal(this.#prospects.freeInMs(waiting), waiting)
    waiting.reject(waiting.hasMet429 ? refusal : (waiting.failure ?? refusal))
  }

  /** Sends while there is someone who may go, a slot, a connection and no pause. */
  #pump(): void {
    const now = this.#options.clock.now()
    for (let turn = this.#next(now); turn; turn = this.#next(now)) {
      // After a stall of the process its timer may be late: nothing is sent past its deadline.
      if (isInTime(turn.item.need, now)) void this.#attempt(turn, now)
      else this.#refuse(turn.item)
    }
    this.#budget.want()
    this.#sleep(now)
  }

  #next(now: number): Turn<Waiting> | undefined {
    const judge = judgeAt(now, this.#prospects.resources(now), this.#budget.granted(now))
    const turn = judge && this.#queue.take(judge)
    if (turn) turn.item.inLine = false
    return turn
  }

  /** One timer, for the next instant at which a call may go without an answer coming first. */
  #sleep(now: number): void {
    this.#wake?.cancel()
    this.#wake = undefined
    if (this.#queue.length === 0) return
    const at = nextChangeAt(now, this.#prospects.resources(now))
    if (at < Infinity) this.#wake = this.#options.clock.after(at - now, () => this.#pump())
  }

  async #attempt({ item: waiting, team }: Turn<Waiting>, sentAt: number): Promise<void> {
    const { attempt, clock } = this.#options
    this.#leaveLine(waiting)
    const { arrivedAt, priority } = waiting
    const level = levelAt(sentAt, this.#prospects.resources(sentAt), { team, priority })
    this.#options.emit({ type: 'schedule.waited', priority, waitedMs: sentAt - arrivedAt })
    const sent = this.#sends.begin({ team, priority, level }, sentAt)
    waiting.need.onSent?.()
    try {
      const page = await attempt(waiting.call)
      const now = clock.now()
      this.#sends.succeeded(sent, now)
      // A call that was tried before has waited for that as well.
      const timing = { queueMs: sentAt - waiting.arrivedAt, upstreamMs: now - sentAt }
      waiting.resolve({ page, timing, sentAt })
    } catch (error) {
      this.#sends.failed(sent, clock.now(), error)
      this.#afterFailure(waiting, error)
    }
    this.#pump()
  }

  /** A 429 is not the caller's: its call stands in line again, by its age, until its deadline. */
  #afterFailure(waiting: Waiting, error: unknown): void {
    const known = error instanceof ServiceError ? error : undefined
    const delayMs = known && this.#retryDelayMs(waiting, known)
    waiting.failure = known
    // Nobody's call would fare better while the key is refused.
    if (known?.code === 'upstream_unauthorized') this.#dismissAll(known)
    if (known && delayMs !== undefined) this.#tryAgain(waiting, known, delayMs)
    else waiting.reject(error)
  }

  #retryDelayMs({ failure: earlier, need }: Waiting, failure: ServiceError): number | undefined {
    const { clock, random } = this.#options
    const { failuresInARow } = this.#sends.brake
    const hasFailedBefore = earlier !== undefined
    const about = { now: clock.now(), need, hasFailedBefore, failuresInARow, random }
    return retryDelayMs(failure, about)
  }

  #tryAgain(waiting: Waiting, failure: ServiceError, delayMs: number): void {
    const { need } = waiting
    need.onRetry?.(failure)
    if (need.signal.aborted) waiting.reject(need.signal.reason)
    else if (delayMs === 0) this.#rejoin(waiting)
    else {
      this.#resting.add(waiting)
      waiting.watch(this.#options.clock.after(delayMs, () => this.#rejoin(waiting)))
    }
  }

  #rejoin(waiting: Waiting): void {
    this.#resting.delete(waiting)
    if (this.#drainedAfterMs === undefined) this.#queueUp(waiting)
    else this.#dismiss(waiting, this.#shuttingDown())
  }

  #shuttingDown(): ServiceError {
    return shuttingDown(this.#drainedAfterMs ?? 0)
  }
}
