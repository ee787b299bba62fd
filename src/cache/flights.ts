/**
 * Collapses equal requests into one flight (RFC 9211 section 2.6). A flight belongs to no caller:
 *
 * - a waiter that leaves is rejected alone, the flight goes on for the others;
 * - when the last one leaves, an unsent flight is cancelled, through the signal of its own need; a
 *   sent one is paid for and goes on, and who comes meanwhile joins it;
 * - a failure is shared by those who wait now (a budget of two calls a second forbids everyone to
 *   try again) and by nobody after them;
 * - it may be sent as long as any of its waiters still has time.
 */

import type { Need } from '../ports.ts'

export class Flights<Result> {
  readonly #flights = new Map<string, Flight<Result>>()

  /** True if a flight for `key` is under way, so that `join` would not start one. */
  has(key: string): boolean {
    return this.#flights.has(key)
  }

  /** The flight's result for this caller; `start` is called only if none is under way. */
  join(key: string, need: Need, start: (need: Need) => Promise<Result>): Promise<Result> {
    const flight = this.#flights.get(key) ?? this.#launch(key, need)
    const settled = flight.wait(need)
    // Started after the first waiter stands in it, so that its need has a deadline to show.
    flight.result ??= this.#land(key, flight, start)
    return settled
  }

  #launch(key: string, { team, priority }: Need): Flight<Result> {
    const flight = new Flight<Result>(team, priority, () => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return flight
  }

  async #land(key: string, flight: Flight<Result>, start: (need: Need) => Promise<Result>) {
    try {
      const result = await start(flight)
      flight.settle(waiter => waiter.resolve(result))
    } catch (error) {
      flight.settle(waiter => waiter.reject(error))
    } finally {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
  }
}

interface Waiter<Result> {
  readonly need: Need
  readonly resolve: (result: Result) => void
  readonly reject: (reason: unknown) => void
  readonly leave: () => void
}

/** Is itself the need that travels on: it must outlive any one caller. */
class Flight<Result> implements Need {
  readonly team: string
  readonly priority: Need['priority']
  result: Promise<void> | undefined
  readonly #waiters = new Set<Waiter<Result>>()
  readonly #cancellation = new AbortController()
  readonly #onCancelled: () => void
  #sent = false

  constructor(team: string, priority: Need['priority'], onCancelled: () => void) {
    this.team = team
    this.priority = priority
    this.#onCancelled = onCancelled
  }

  get signal(): AbortSignal {
    return this.#cancellation.signal
  }

  get deadline(): number {
    let latest = Number.NEGATIVE_INFINITY
    for (const { need } of this.#waiters) latest = Math.max(latest, need.deadline)
    return latest
  }

  onSent(): void {
    this.#sent = true
  }

  wait(need: Need): Promise<Result> {
    if (need.signal.aborted) return Promise.reject(need.signal.reason)
    return new Promise<Result>((resolve, reject) => {
      const waiter: Waiter<Result> = { need, resolve, reject, leave: () => this.#leave(waiter) }
      need.signal.addEventListener('abort', waiter.leave)
      this.#waiters.add(waiter)
    })
  }

  settle(tell: (waiter: Waiter<Result>) => void): void {
    for (const waiter of this.#waiters) {
      waiter.need.signal.removeEventListener('abort', waiter.leave)
      tell(waiter)
    }
    this.#waiters.clear()
  }

  #leave(waiter: Waiter<Result>): void {
    waiter.need.signal.removeEventListener('abort', waiter.leave)
    this.#waiters.delete(waiter)
    waiter.reject(waiter.need.signal.reason)
    if (this.#waiters.size > 0 || this.#sent) return
    // Out of the map first: whoever comes next must not board a cancelled flight.
    this.#onCancelled()
    this.#cancellation.abort(waiter.need.signal.reason)
  }
}
