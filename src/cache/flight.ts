/**
 * One flight, and those who wait in it, each until its own time is over. flights.ts says what is
 * promised to them.
 */

import { Cancellation } from '../cancellation.ts'
import type { Clock, Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import { isInTime, type Need, type Place } from '../ports.ts'

/** What all flights have in common. */
export interface Ground<Result> {
  readonly clock: Clock
  /** To be called once nobody is to board a flight any more. */
  readonly forget: (flight: Flight<Result>) => void
}

/** One caller; listens for its leaving. */
class Waiter<Result> {
  readonly need: Need
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
  readonly #flight: Flight<Result>

  constructor(need: Need, flight: Flight<Result>, settled: PromiseWithResolvers<Result>) {
    this.need = need
    this.resolve = settled.resolve
    this.reject = settled.reject
    this.#flight = flight
    need.signal.addEventListener('abort', this)
  }

  /** Its caller's leaving does not matter any more. */
  rest(): void {
    this.need.signal.removeEventListener('abort', this)
  }

  handleEvent(): void {
    this.#flight.leave(this, this.need.signal.reason)
  }
}

/** Is itself the need that travels on: it must outlive any one caller. */
export class Flight<Result> implements Need {
  readonly key: string
  readonly team: string
  #priority: Need['priority']
  /** Mostly one, for which a set would be four times as large. */
  #waiters: Waiter<Result>[] = []
  readonly signal = new Cancellation()
  readonly #ground: Ground<Result>
  /** Once there are several. */
  #teams: readonly string[] | undefined
  #deadline: number
  /** Only while it stands in line. */
  #place: Place | undefined
  #sentAt: number | undefined
  #timer: Timer | undefined
  /** The deadline that it stands for. */
  #watched: number | undefined

  constructor(key: string, first: Need, ground: Ground<Result>) {
    this.key = key
    this.team = first.team
    this.#priority = first.priority
    this.#deadline = first.deadline
    this.#ground = ground
  }

  get priority(): Need['priority'] {
    return this.#priority
  }

  get teams(): readonly string[] | undefined {
    return this.#teams
  }

  /** The latest of all who ever waited: whoever sleeps until it is not to be woken earlier. */
  get deadline(): number {
    return this.#deadline
  }

  /** Only if nobody who waits would be left with an error. */
  get hasFallback(): boolean {
    for (const { need } of this.#waiters) if (!need.hasFallback) return false
    return true
  }

  get isUnsent(): boolean {
    return this.#sentAt === undefined
  }

  onQueued(place: Place): void {
    this.#place = place
    this.#refuseHasty(this.#waiters)
  }

  /** Whether this caller would be refused as soon as it boarded. */
  isTooLateFor(need: Need): boolean {
    if (need.deadline >= this.#deadline || !this.#place) return false
    return !isInTime(need, this.#place.prospect().sendAt)
  }

  onSent(): void {
    this.#sentAt = this.#ground.clock.now()
    this.#place = undefined
  }

  onRetry(failure: ServiceError): void {
    this.#sentAt = undefined
    for (const waiter of [...this.#waiters]) {
      // Its call was made, and this is what came of it.
      if (waiter.need.deadline <= this.#ground.clock.now()) this.leave(waiter, failure)
    }
    if (this.#waiters.length === 0) this.#cancel(failure)
  }

  wait(need: Need): Promise<Result> {
    const settled = Promise.withResolvers<Result>()
    const waiter = new Waiter(need, this, settled)
    const known = this.#deadline
    // What is pushed onto an empty array gets room for sixteen more.
    if (this.#waiters.length === 0) this.#waiters = [waiter]
    else this.#waiters.push(waiter)
    this.#deadline = Math.max(known, need.deadline)
    if (need.deadline !== known) this.#watch(Math.min(known, need.deadline))
    this.#welcome(need.team)
    this.#refuseHasty([waiter])
    // While it stands in line its class is its place; if a call has to be repeated, it is for them.
    if (!this.isUnsent && need.priority === 'interactive') this.#priority = need.priority
    return settled.promise
  }

  /** To be called once; what `start` comes to, all who wait come to. */
  begin(start: (need: Need) => Promise<Result>): void {
    const land = (result: Result) => this.#end(waiter => waiter.resolve(result))
    const fail = (error: unknown) => this.#end(waiter => waiter.reject(error))
    try {
      start(this).then(land, fail)
    } catch (error) {
      fail(error)
    }
  }

  #end(tell: (waiter: Waiter<Result>) => void): void {
    this.#settle(tell)
    this.#ground.forget(this)
  }

  /** The call stands in the line of every team that waits for it. */
  #welcome(team: string): void {
    const teams = this.#teams ?? [this.team]
    if (teams.includes(team)) return
    this.#teams = [...teams, team]
    this.#place?.join(team)
  }

  /** Who cannot wait as long as the call will have to need not find out by waiting. */
  #refuseHasty(waiters: readonly Waiter<Result>[]): void {
    const hasty = waiters.filter(({ need }) => need.deadline < this.#deadline)
    if (hasty.length === 0 || !this.#place) return
    const prospect = this.#place.prospect()
    for (const waiter of hasty) {
      if (!isInTime(waiter.need, prospect.sendAt)) this.leave(waiter, prospect.refusal())
    }
  }

  /** Everybody changes over to the other flight, and this one is cancelled. */
  handOver(other: Flight<Result>): void {
    this.#settle(({ need, resolve, reject }) => void other.wait(need).then(resolve, reject))
    this.#cancel(new Error('a more urgent flight took over'))
  }

  #settle(tell: (waiter: Waiter<Result>) => void): void {
    const waiters = this.#waiters
    this.#waiters = []
    this.#unwatch()
    for (const waiter of waiters) {
      waiter.rest()
      tell(waiter)
    }
  }

  /**
   * One timer for all, and none for a caller who waits alone: the flight itself is refused by the
   * schedule, when the time of those who have the most is over.
   */
  #watch(deadline: number): void {
    if (deadline >= (this.#watched ?? Infinity)) return
    this.#timer?.cancel()
    this.#watched = deadline
    this.#timer = this.#ground.clock.after(deadline - this.#ground.clock.now(), () =>
      this.#refuseLate(deadline)
    )
  }

  /** Those whose time is over at `at`; the next ones are watched from then on. */
  #refuseLate(at: number): void {
    this.#watched = undefined
    let next = Infinity
    for (const waiter of [...this.#waiters]) {
      const { deadline } = waiter.need
      if (deadline <= at) this.#refuseUnlessSent(waiter)
      else next = Math.min(next, deadline)
    }
    if (next < this.#deadline) this.#watch(next)
  }

  /** Who waits for a call that left before its own deadline is answered within one attempt. */
  #refuseUnlessSent(waiter: Waiter<Result>): void {
    if (this.#sentAt !== undefined && isInTime(waiter.need, this.#sentAt)) return
    const detail =
      'No call to HelpCrunch was free before the deadline; others still wait for this one.'
    const retryAfterMs = Math.max(this.deadline - this.#ground.clock.now(), 0)
    const refusal = new ServiceError('budget_exhausted', detail, { retryAfterMs })
    this.leave(waiter, this.#place?.prospect().refusal() ?? refusal)
  }

  leave(waiter: Waiter<Result>, reason: unknown): void {
    const at = this.#waiters.indexOf(waiter)
    if (at < 0) return
    this.#waiters.splice(at, 1)
    waiter.rest()
    waiter.reject(reason)
    if (this.#waiters.length > 0) return
    this.#unwatch()
    if (this.isUnsent) this.#cancel(reason)
  }

  #cancel(reason: unknown): void {
    // Out of the map first: whoever comes next must not board a cancelled flight.
    this.#ground.forget(this)
    this.signal.abort(reason)
  }

  #unwatch(): void {
    this.#timer?.cancel()
    this.#watched = undefined
  }
}
