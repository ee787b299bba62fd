/**
 * How old in truth what was shown is. Of each chat shown in an answer:
 *
 * - its **text** is stale since the upstream's chat first changed after the page was taken from the
 *   upstream, wherever in the list it stands by now; a text that still is the upstream's is not
 *   stale at all, however old the page;
 * - its **place** is stale since that place of the list first showed anything else, another chat or
 *   another text, after the page was taken: so a chat that should not be there, or is missing
 *   because others are shown in its place, counts as well.
 *
 * Staleness is the time from then to the moment of answering.
 */

import type { Snapshot, UpstreamLists } from './upstream-lists.ts'

/** Chats `from` up to, not including, `to` of a snapshot. */
export interface Shown {
  readonly snapshot: Snapshot
  readonly from: number
  readonly to: number
}

/** Since when the places of a snapshot are others', as far as the list's moves were looked at. */
interface Moved {
  readonly at: Float64Array
  seen: number
}

/** The lists as they are at an instant; instants only move forward. */
interface Upstream {
  at(now: number): UpstreamLists
}

export class Staleness {
  readonly #upstream: Upstream
  readonly #moved = new WeakMap<Snapshot, Moved>()
  chats = 0
  #textMs = 0
  #placeMs = 0

  constructor(upstream: Upstream) {
    this.#upstream = upstream
  }

  /** Means over all chats added so far. */
  get meanTextMs(): number {
    return this.#textMs / Math.max(this.chats, 1)
  }

  get meanPlaceMs(): number {
    return this.#placeMs / Math.max(this.chats, 1)
  }

  add({ snapshot, from, to }: Shown, now: number): void {
    const lists = this.#upstream.at(now)
    const moved = this.#movedOf(snapshot, lists)
    for (let index = from; index < to; index++) {
      const textAt = lists.changedAt(snapshot.chats[index]!, snapshot.versions[index]!)
      this.#textMs += Math.max(now - textAt, 0)
      this.#placeMs += Math.max(now - Math.min(textAt, moved.at[index]!), 0)
    }
    this.chats += to - from
  }

  #movedOf(snapshot: Snapshot, lists: UpstreamLists): Moved {
    const known = this.#moved.get(snapshot)
    const length = snapshot.chats.length
    const moved = known ?? { at: new Float64Array(length).fill(Infinity), seen: snapshot.moves }
    if (!known) this.#moved.set(snapshot, moved)
    for (const { at, first, last } of lists.movesOf(snapshot.list, moved.seen)) {
      moved.seen++
      const end = Math.min(last - snapshot.offset + 1, length)
      for (let index = Math.max(first - snapshot.offset, 0); index < end; index++) {
        if (moved.at[index] === Infinity) moved.at[index] = at
      }
    }
    return moved
  }
}
