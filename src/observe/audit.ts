/**
 * Proof, not hope: from the stream of sends and answers, and from nothing the ledger says, the most
 * calls that can have *arrived* at the upstream in one window. A call may arrive at any moment from
 * its send until it was answered, or given up plus margin. So the fullest window that a new call
 * can be in holds it, and every other call that was not done one window before it was sent.
 */

import type { Event } from '../ports.ts'

export class Audit {
  readonly #windowMs: number
  readonly #flying = new Set<number>()
  /** When calls that may still share a window with the next one were done, ascending. */
  #done: number[] = []
  #most = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** The contract's `maxInAnyWindow`, since this process started and as far back as its journal. */
  get maxInAnyWindow(): number {
    return this.#most
  }

  record(event: Event): void {
    switch (event.type) {
      case 'schedule.restored':
        this.#done = [...event.doneAt].sort((a, b) => a - b)
        break
      case 'schedule.sent':
        this.#flying.add(event.slot)
        this.#count(event.at)
        break
      case 'schedule.settled':
        this.#flying.delete(event.slot)
        this.#insert(event.doneAt)
        break
      case 'schedule.released':
        this.#flying.delete(event.slot)
        break
    }
  }

  #count(sentAt: number): void {
    const gone = this.#done.findIndex(doneAt => doneAt > sentAt - this.#windowMs)
    this.#done.splice(0, gone < 0 ? this.#done.length : gone)
    this.#most = Math.max(this.#most, this.#flying.size + this.#done.length)
  }

  #insert(doneAt: number): void {
    let at = this.#done.length
    while (at > 0 && this.#done[at - 1]! > doneAt) at--
    this.#done.splice(at, 0, doneAt)
  }
}
