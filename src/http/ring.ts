/**
 * Things in an order in which each can become the latest at any time, at the price of six
 * assignments: moving within a map is a lookup, a deletion and an insertion. A ring that begins and
 * ends with itself needs no case for its ends.
 */

/** What can stand in one ring; alone it is a ring of its own. */
export class Link {
  before: Link = this
  after: Link = this
}

export class Ring<Item extends Link> {
  readonly #ends = new Link()
  #size = 0

  get size(): number {
    return this.#size
  }

  has(item: Item): boolean {
    return item.after !== item
  }

  /** @param item in no ring; becomes the latest */
  add(item: Item): void {
    insert(item, this.#ends)
    this.#size++
  }

  /** @param item of this ring */
  makeLatest(item: Item): void {
    pull(item)
    insert(item, this.#ends)
  }

  /** Nothing happens if it is not there. */
  delete(item: Item): void {
    if (!this.has(item)) return
    pull(item)
    item.before = item
    item.after = item
    this.#size--
  }

  /** The latest last. Meanwhile none may be deleted or moved but the one that was just given. */
  *[Symbol.iterator](): Generator<Item> {
    for (let link = this.#ends.after; link !== this.#ends; ) {
      const { after } = link
      yield link as Item
      link = after
    }
  }
}

function insert(link: Link, next: Link): void {
  link.before = next.before
  link.after = next
  next.before.after = link
  next.before = link
}

function pull({ after, before }: Link): void {
  before.after = after
  after.before = before
}
