/**
 * What has become stale before its time, as arithmetic: when each tag was last invalidated, so that
 * a page asks, when it is read, whether one of its tags was since it was asked for. Nothing has to
 * be found in the store, a thousand events a second cost a thousand map entries, and an
 * invalidation during a flight wins over that flight's answer by itself.
 */

/** Stands for everything there is. */
export const everything = '*'

/** More tags than this are not told apart any more. */
const mostTags = 10_000

export class Invalidations {
  readonly #lastAt = new Map<string, number>()
  #latestAt = -Infinity

  /** @param now or earlier, if others knew of it before */
  note(tags: Iterable<string>, now: number): void {
    for (const tag of tags) {
      this.#lastAt.set(tag, Math.max(now, this.#lastAt.get(tag) ?? -Infinity))
    }
    this.#latestAt = Math.max(now, this.#latestAt)
    if (this.#lastAt.size <= mostTags) return
    this.#lastAt.clear()
    this.#lastAt.set(everything, now)
  }

  /** When the first of these tags was invalidated at or after `since`; undefined if none was. */
  since(tags: () => Iterable<string>, since: number): number | undefined {
    if (this.#latestAt < since) return undefined
    const times = [everything, ...tags()].map(tag => this.#lastAt.get(tag) ?? -Infinity)
    const latest = Math.max(...times)
    return latest >= since ? latest : undefined
  }
}
