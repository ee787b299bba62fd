/**
 * Notices who walks a list: a team whose window starts where its last one of that list ended. One
 * place per team and list, so several walkers of one team may hide each other; then nothing is read
 * ahead, and nothing is lost.
 */

import { type ListQuery, listParameters } from './query.ts'

export class Walks {
  /** Where the last window ended; teams and lists are few. */
  readonly #ends = new Map<string, number>()

  /** Whether this window continues the one before; notes it for the next. */
  goesOn(query: ListQuery, team: string): boolean {
    const { offset, limit } = query
    const key = `${team} ${listParameters(query)}`
    const goesOn = this.#ends.get(key) === offset
    this.#ends.set(key, offset + limit)
    return goesOn
  }
}
