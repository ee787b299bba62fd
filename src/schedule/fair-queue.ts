/**
 * Who is next. Three classes, interactive before refresh before bulk; within a class weighted
 * fairness over teams; within a team in order of arrival.
 *
 * Fair is measured by the ledger, not by a clock of its own: the next call goes to the team that
 * holds the fewest of the window's slots for its weight. Backlogged teams thus come to hold slots,
 * and so to send, in proportion to their weights over every window; an idle team's share is lent
 * and comes back with the next slots that come free, and nobody's past outlasts one window.
 *
 * Floors: a class that waits is served at least once in every twenty sends, so none starves.
 */

import type { Priority } from '../ports.ts'

export interface Queued {
  readonly team: string
  readonly priority: Priority
  readonly arrivedAt: number
}

/** What the line asks about those who stand in it, at the moment of a send. */
export interface Judge {
  /** Whether a class and team may use the slot that is free. Floors do not ask. */
  isOpen(priority: Priority, team: string): boolean
  /** How much of the window a team would hold for its weight after one more send. */
  load(team: string): number
}

const order: readonly Priority[] = ['interactive', 'refresh', 'bulk']

/** One send in so many goes to each class that waits. */
const floorEvery = 20

/** Passed over so often, a class is next; all of them can be at the same time. */
const mostPassedOver = floorEvery - order.length + 1

interface Class<Item> {
  readonly priority: Priority
  /** By team, oldest first; an empty line is dropped. */
  readonly lines: Map<string, Item[]>
  /** Sends of other classes since this one was served, while it waited. */
  passedOver: number
}

export class FairQueue<Item extends Queued> {
  readonly #classes: Class<Item>[]
  #length = 0

  constructor() {
    this.#classes = order.map(priority => ({ priority, lines: new Map(), passedOver: 0 }))
  }

  get length(): number {
    return this.#length
  }

  /** Waiting calls of a team, in all classes. */
  lengthOf(team: string): number {
    return this.#classes.reduce((sum, { lines }) => sum + (lines.get(team)?.length ?? 0), 0)
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (const { lines } of this.#classes) for (const items of lines.values()) yield* items
  }

  /** Stands in line by its age, so that a call that is tried again keeps its place. */
  push(item: Item): void {
    const { lines } = this.#classOf(item)
    const items = lines.get(item.team) ?? []
    lines.set(item.team, items)
    let at = items.length
    while (at > 0 && items[at - 1]!.arrivedAt > item.arrivedAt) at--
    items.splice(at, 0, item)
    this.#length++
  }

  remove(item: Item): void {
    const { lines } = this.#classOf(item)
    const items = lines.get(item.team) ?? []
    const at = items.indexOf(item)
    if (at >= 0) this.#pull(lines, items, at)
  }

  /** Takes the next call out of the line; undefined if nobody who waits may go. */
  take(judge: Judge): Item | undefined {
    return this.#takeOverdue(judge) ?? this.#takeInOrder(judge)
  }

  /** The same line again, to be played forward. */
  clone(): FairQueue<Item> {
    const copy = new FairQueue<Item>()
    for (const [index, { lines, passedOver }] of this.#classes.entries()) {
      const group = copy.#classes[index]!
      group.passedOver = passedOver
      for (const [team, items] of lines) group.lines.set(team, [...items])
    }
    copy.#length = this.#length
    return copy
  }

  #takeOverdue({ load }: Judge): Item | undefined {
    const overdue = this.#classes.filter(({ passedOver }) => passedOver >= mostPassedOver)
    const longest = overdue.sort((a, b) => b.passedOver - a.passedOver)[0]
    return longest && this.#serve(longest, { load, isOpen: () => true })
  }

  #takeInOrder(judge: Judge): Item | undefined {
    for (const group of this.#classes) {
      const item = this.#serve(group, judge)
      if (item) return item
    }
    return undefined
  }

  /** Serves the open team with the least load; the older call breaks a tie. */
  #serve({ priority, lines }: Class<Item>, { isOpen, load }: Judge): Item | undefined {
    let best: { items: Item[]; load: number; arrivedAt: number } | undefined
    for (const [team, items] of lines) {
      const one = { items, load: load(team), arrivedAt: items[0]!.arrivedAt }
      const sooner =
        !best || one.load < best.load || (one.load === best.load && one.arrivedAt < best.arrivedAt)
      if (sooner && isOpen(priority, team)) best = one
    }
    if (!best) return undefined
    const item = this.#pull(lines, best.items, 0)
    this.#countPassedOver(priority)
    return item
  }

  #pull(lines: Map<string, Item[]>, items: Item[], at: number): Item {
    const [item] = items.splice(at, 1) as [Item]
    if (items.length === 0) lines.delete(item.team)
    this.#length--
    return item
  }

  #countPassedOver(served: Priority): void {
    for (const group of this.#classes) {
      const passed = group.priority !== served && group.lines.size > 0
      group.passedOver = passed ? group.passedOver + 1 : 0
    }
  }

  #classOf({ priority }: Queued): Class<Item> {
    return this.#classes[order.indexOf(priority)]!
  }
}
