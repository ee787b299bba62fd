/**
 * Notices who walks a list: a team whose window starts where its last one of that list ended. One
 * place per team and list, so several walkers of one team may hide each other; then nothing is read
 * ahead, and nothing is lost.
 */

import type { Window } from './lists.ts'

/** A team's lists are many, those it walks just now few; the teams are configured. */
const mostWalks = 1000

export class Walks {
  /** Where the last window of each of a team's lists ended; the one that moved last comes last. */
  readonly #ends = new Map<string, Map<string, number>>()

  /** Whether this window continues the one before; notes it for the next. */
  goesOn({ list, offset, limit }: Window, team: string): boolean {
    const ends = this.#endsOf(team)
    const end = ends.get(list.name)
    // Nearly all ask for the same window again, and none of these walks.
    if (end === offset + limit) return false
    ends.delete(list.name)
    ends.set(list.name, offset + limit)
    if (ends.size > mostWalks) forgetOldest(ends)
    return end === offset
  }

  #endsOf(team: string): Map<string, number> {
    const known = this.#ends.get(team)
    if (known) return known
    const fresh = new Map<string, number>()
    this.#ends.set(team, fresh)
    return fresh
  }
}

function forgetOldest(ends: Map<string, number>): void {
  const [oldest] = ends.keys()
  if (oldest !== undefined) ends.delete(oldest)
}
