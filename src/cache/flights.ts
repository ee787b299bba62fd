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

import type { Clock } from '../clock.ts'
import type { Need } from '../ports.ts'
import { Flight, type Ground } from './flight.ts'

export class Flights<Result> {
  readonly #flights = new Map<string, Flight<Result>>()
  readonly #ground: Ground<Result>

  constructor(clock: Clock) {
    const forget = (flight: Flight<Result>) => {
      if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
    }
    this.#ground = { clock, forget }
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
    const known = this.#boardable(key, need)
    const flight = known ?? this.#launch(key, need)
    const settled = flight.wait(need)
    // Started after the first waiter stands in it, so that its need has a deadline to show.
    if (!known) flight.begin(start)
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
    const flight = new Flight<Result>(key, need, this.#ground)
    this.#flights.set(key, flight)
    slower?.handOver(flight)
    return flight
  }
}
