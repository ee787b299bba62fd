/**
 * The sliding-window ledger: pure arithmetic over (history, now), no clock, no timers.
 *
 * The rule: a slot is taken before a call is sent and comes free one window, and a small guard,
 * after its **answer**. Why that keeps the law, whatever the network does: take any window at the
 * upstream and the last-sent call that arrived in it. Every other call that arrived in that window
 * was answered after the window began, so its slot was still held when the last one was sent;
 * slots held at one time are at most the limit. Counting from the send instead would let a call
 * that lingered on the way arrive together with the next window's.
 *
 * A call without an answer may still arrive; it is given up, and counts as answered a margin later.
 */

export interface LedgerOptions {
  /** Calls in any window. */
  readonly limit: number
  readonly windowMs: number
}

/** Covers timers that fire up to 1 ms early and clocks that run at slightly different rates. */
export const guardMs = 20

/** How long after giving up on a call the upstream may still see it arrive. */
export const giveUpMarginMs = 1000

export class Ledger {
  readonly #limit: number
  readonly #windowMs: number
  /** Calls sent and not yet settled. */
  #inFlight = 0
  /** When the slots of settled calls come free, ascending. */
  readonly #freeAt: number[] = []

  constructor({ limit, windowMs }: LedgerOptions) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Slots held at `now`. */
  used(now: number): number {
    this.#forget(now)
    return this.#inFlight + this.#freeAt.length
  }

  /** Takes a slot; false if none is free. */
  take(now: number): boolean {
    if (this.used(now) >= this.#limit) return false
    this.#inFlight++
    return true
  }

  /** The call was answered: its slot comes free one window and the guard after `now`. */
  answered(now: number): void {
    this.#settle(now + this.#windowMs + guardMs)
  }

  /** No answer came: the same, from the last moment at which the upstream may still see the call. */
  givenUp(now: number): void {
    this.#settle(now + giveUpMarginMs + this.#windowMs + guardMs)
  }

  /** The call certainly never left: its slot is free at once. */
  unsent(): void {
    this.#inFlight--
  }

  /** When the next settled slot comes free; undefined while only calls in flight hold slots. */
  nextFreeAt(now: number): number | undefined {
    this.#forget(now)
    return this.#freeAt[0]
  }

  /**
   * When slots come free, ascending, one instant for each of the limit's slots: `now` for the free
   * ones. Calls in flight are taken to be answered after `latencyMs` more.
   */
  freeTimes(now: number, latencyMs: number): number[] {
    const idle = this.#limit - this.used(now)
    const afterFlight = now + latencyMs + this.#windowMs + guardMs
    return [
      ...Array<number>(Math.max(idle, 0)).fill(now),
      ...this.#freeAt,
      ...Array<number>(this.#inFlight).fill(afterFlight)
    ].sort((a, b) => a - b)
  }

  #settle(freeAt: number): void {
    this.#inFlight--
    let at = this.#freeAt.length
    while (at > 0 && this.#freeAt[at - 1]! > freeAt) at--
    this.#freeAt.splice(at, 0, freeAt)
  }

  #forget(now: number): void {
    let gone = 0
    while (gone < this.#freeAt.length && this.#freeAt[gone]! <= now) gone++
    if (gone > 0) this.#freeAt.splice(0, gone)
  }
}
