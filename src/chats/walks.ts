/**
 * Notices who walks a list: a team whose window starts where its last one of that list ended. One
 * place per team and list, so several walkers of one team may hide each other; then nothing is read
 * ahead, and nothing is lost.
 */

import type { Window } from './lists.ts'

/** Teams and their lists are many, those they walk just now few. */
const mostWalks = 1000

export class Walks {
  /** Where the last window ended; the latest last. */
  readonly #ends = new Map<string, number>()

  /** Whether this window continues the one before; notes it for the next. */
  goesOn({ list, offset, limit }: Window, team: string): boolean {
    const key = `${team} ${list.name}`
    const goesOn = this.#ends.get(key) === offset
    this.#ends.delete(key)
    this.#ends.set(key, offset + limit)
    if (this.#ends.size > mostWalks) this.#forgetOldest()
    return goesOn
  }

  #forgetOldest(): void {
    const [oldest] = this.#ends.keys()
    if (oldest !== undefined) this.#ends.delete(oldest)
  }
}
