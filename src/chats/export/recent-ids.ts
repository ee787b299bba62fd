/**
 * The ids of the last chats that a walk has given out, in their order, and no more of them than fit
 * its capacity: what a walk has to remember to know where it was.
 *
 * Why the last ones are enough: a list that keeps its order and only grows at its end shows, in any
 * window, chats that were given out before chats that were not. So one of them is all that has to be
 * found, as long as it is the last one that still exists; and the last one that exists is among the
 * remembered ones unless all of these were deleted, which shows, because then none is found.
 */

export class RecentIds {
  readonly #capacity: number
  readonly #ids: Set<string>
  readonly #startedWhole: boolean
  #forgotten = 0

  /**
   * @param ids oldest first, without gaps
   * @param isWhole whether the walk has given out none but these
   */
  constructor(capacity: number, ids: Iterable<string>, isWhole: boolean) {
    this.#capacity = capacity
    this.#ids = new Set(ids)
    this.#startedWhole = isWhole
  }

  get size(): number {
    return this.#ids.size
  }

  /** How many there were, the forgotten ones included. */
  get added(): number {
    return this.#ids.size + this.#forgotten
  }

  /** True while nothing that was given out is forgotten. */
  get isWhole(): boolean {
    return this.#startedWhole && this.#forgotten === 0
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  /** A chat without an id cannot be known again. */
  add(id: string): void {
    if (id === '') return
    this.#ids.add(id)
    if (this.#ids.size <= this.#capacity) return
    const [oldest = ''] = this.#ids
    this.#ids.delete(oldest)
    this.#forgotten++
  }

  /** How many of these, from the first to the last known one; undefined if none of them is known. */
  countKnown(ids: readonly string[]): number | undefined {
    const last = ids.findLastIndex(id => this.#ids.has(id))
    return last < 0 ? undefined : last + 1
  }

  /** The first `count` that were added, as far as they are remembered. */
  first(count: number): string[] {
    return [...this.#ids].slice(0, Math.max(count - this.#forgotten, 0))
  }
}
