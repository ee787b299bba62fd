/**
 * Collapses equal requests into one flight (RFC 9211 section 2.6). A flight belongs to no caller:
 *
 * - a waiter that leaves is rejected alone, the flight goes on for the others;
 * - when the last one leaves, an unsent flight is cancelled, through the signal of its own need; a
 *   sent one is paid for and goes on, and who comes meanwhile joins it;
 * - a failure is shared by those who wait now (a budget of two calls a second forbids everyone to
 *   try again) and by nobody after them;
 * - a more urgent caller does not wait for a call that stands in a lower class: a flight of its own
 *   takes everybody over, and the slower one is called off before it is sent;
 * - it stands in the line of every team that waits for it;
 * - it may be sent while any of its waiters still has time, but a waiter whose own deadline
 *   would pass first is refused as soon as that is known, at the latest then, unless it has left.
 */

import { Cancellation } from '../cancellation.ts'
import type { Clock, Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import { isInTime, type Need, type Prospect } from '../ports.ts'

export class Flights<Result> {
  readonly #clock: Clock
  readonly #flights = new Map<string, Flight<Result>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True if a flight for `key` is under way, so that `join` would not start one. */
  has(key: string): boolean {
    return this.#flights.has(key)
  }

  /** Whether `join` would board the one that is under way, and whether that would be of use. */
  prospect(key: string, need: Need): 'none' | 'in-time' | 'too-late' {
    const flight = this.#boardable(key, need)
    if (!flight) return 'none'
    return flight.isTooLateFor(need) ? 'too-late' : 'in-time'
  }

  /** The flight's result for this caller; `start` is called only if none is under way. */
  join(key: string, need: Need, start: (need: Need) => Promise<Result>): Promise<Result> {
    // A flight for nobody could never be cancelled: nobody would be left to leave it.
    if (need.signal.aborted) return Promise.reject(need.signal.reason)
    const flight = this.#boardable(key, need) ?? this.#launch(key, need)
    const settled = flight.wait(need)
    // Started after the first waiter stands in it, so that its need has a deadline to show.
    flight.result ??= this.#land(key, flight, start)
    return settled
  }

  /** The flight under way; not one that waits in a lower class than this caller would. */
  #boardable(key: string, need: Need): Flight<Result> | undefined {
    const flight = this.#flights.get(key)
    const tooSlow =
      flight?.isUnsent && need.priority === 'interactive' && flight.priority !== need.priority
    return tooSlow ? undefined : flight
  }

  /** Whoever waits in a slower flight for the same boards this one; that one is called off. */
  #launch(key: string, need: Need): Flight<Result> {
    const slower = this.#flights.get(key)
    const flight = new Flight<Result>(need, this.#clock, () => this.#forget(key, flight))
    this.#flights.set(key, flight)
    slower?.handOver(flight)
    return flight
  }

  #forget(key: string, flight: Flight<Result>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }

  async #land(key: string, flight: Flight<Result>, start: (need: Need) => Promise<Result>) {
    try {
      const result = await start(flight)
      flight.settle(waiter => waiter.resolve(result))
    } catch (error) {
      flight.settle(waiter => waiter.reject(error))
    } finally {
      this.#forget(key, flight)
    }
  }
}

interface Waiter<Result> {
  readonly need: Need
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
  readonly leave: () => void
  readonly timer: Timer
}

/** Is itself the need that travels on: it must outlive any one caller. */
class Flight<Result> implements Need {
  readonly team: string
  readonly teams: Set<string>
  readonly priority: Need['priority']
  result: Promise<void> | undefined
  readonly #waiters = new Set<Waiter<Result>>()
  readonly signal = new Cancellation()
  readonly #clock: Clock
  readonly #onCancelled: () => void
  #deadline = -Infinity
  #onJoin: (team: string) => void = () => {}
  /** Only while it stands in line. */
  #look: (() => Prospect) | undefined
  #sentAt = Infinity

  constructor(first: Need, clock: Clock, onCancelled: () => void) {
    this.team = first.team
    this.teams = new Set([first.team])
    this.priority = first.priority
    this.#clock = clock
    this.#onCancelled = onCancelled
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
    return this.#sentAt === Infinity
  }

  onQueued(look: () => Prospect): void {
    this.#look = look
    this.#refuseHasty([...this.#waiters])
  }

  /** Whether this caller would be refused as soon as it boarded. */
  isTooLateFor(need: Need): boolean {
    if (need.deadline >= this.#deadline || !this.#look) return false
    return !isInTime(need, this.#look().sendAt)
  }

  onSent(): void {
    this.#sentAt = this.#clock.now()
    this.#look = undefined
  }

  onRetry(failure: ServiceError): void {
    this.#sentAt = Infinity
    for (const waiter of [...this.#waiters]) {
      // Its call was made, and this is what came of it.
      if (waiter.need.deadline <= this.#clock.now()) this.#leave(waiter, failure)
    }
    if (this.#waiters.size === 0) this.#cancel(failure)
  }

  onJoin(listener: (team: string) => void): void {
    this.#onJoin = listener
  }

  wait(need: Need): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const leave = () => this.#leave(waiter, need.signal.reason)
      const leftMs = need.deadline - this.#clock.now()
      const timer = this.#clock.after(leftMs, () => this.#refuseLate(waiter))
      const waiter: Waiter<Result> = { need, resolve, reject, leave, timer }
      need.signal.addEventListener('abort', leave)
      this.#waiters.add(waiter)
      this.#deadline = Math.max(this.#deadline, need.deadline)
      this.#welcome(need.team)
      this.#refuseHasty([waiter])
    })
  }

  /** The call stands in the line of every team that waits for it. */
  #welcome(team: string): void {
    if (this.teams.has(team)) return
    this.teams.add(team)
    this.#onJoin(team)
  }

  /** Who cannot wait as long as the call will have to need not find out by waiting. */
  #refuseHasty(waiters: readonly Waiter<Result>[]): void {
    const hasty = waiters.filter(({ need }) => need.deadline < this.#deadline)
    if (hasty.length === 0 || !this.#look) return
    const prospect = this.#look()
    for (const waiter of hasty) {
      if (!isInTime(waiter.need, prospect.sendAt)) this.#leave(waiter, prospect.refusal())
    }
  }

  /** Everybody changes over to the other flight, and this one is cancelled. */
  handOver(other: Flight<Result>): void {
    this.settle(({ need, resolve, reject }) => void other.wait(need).then(resolve, reject))
    this.#cancel(new Error('a more urgent flight took over'))
  }

  settle(tell: (waiter: Waiter<Result>) => void): void {
    for (const waiter of [...this.#waiters]) {
      this.#part(waiter)
      tell(waiter)
    }
  }

  /**
   * Who waits for a call that left before its own deadline is answered within one attempt. The
   * flight itself is refused by the schedule, when its last waiter's time is over.
   */
  #refuseLate(waiter: Waiter<Result>): void {
    const isLast = this.isUnsent && waiter.need.deadline >= this.deadline
    if (isLast || isInTime(waiter.need, this.#sentAt)) return
    const detail =
      'No call to HelpCrunch was free before the deadline; others still wait for this one.'
    const retryAfterMs = Math.max(this.deadline - this.#clock.now(), 0)
    const refusal = new ServiceError('budget_exhausted', detail, { retryAfterMs })
    this.#leave(waiter, this.#look?.().refusal() ?? refusal)
  }

  #leave(waiter: Waiter<Result>, reason: unknown): void {
    this.#part(waiter)
    waiter.reject(reason)
    if (this.#waiters.size === 0 && this.isUnsent) this.#cancel(reason)
  }

  #cancel(reason: unknown): void {
    // Out of the map first: whoever comes next must not board a cancelled flight.
    this.#onCancelled()
    this.signal.abort(reason)
  }

  #part(waiter: Waiter<Result>): void {
    waiter.timer.cancel()
    waiter.need.signal.removeEventListener('abort', waiter.leave)
    this.#waiters.delete(waiter)
  }
}
