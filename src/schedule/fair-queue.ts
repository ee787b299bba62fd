/**
 * Who is next. Three classes, interactive before refresh before bulk; within a class weighted
 * fairness over teams; within a team in order of arrival.
 *
 * Fair is measured by the ledger, not by a clock of its own: the next call goes to the team that
 * holds the fewest of the window's slots for its weight. Backlogged teams thus come to hold slots,
 * and so to send, in proportion to their weights over every window; an idle team's share is lent
 * and comes back with the next slots that come free, and nobody's past outlasts one window.
 *
 * A call that several teams want stands in the line of each and goes in whichever turn comes first.
 *
 * Floors: a class that waits is served at least once in every twenty sends, so none starves.
 */

import type { Priority } from '../ports.ts'

export interface Queued {
  /** Who wants it; grows by `join`. */
  readonly teams: Iterable<string>
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

/** A call whose turn it is, and in whose line it stood. */
export interface Turn<Item> {
  readonly item: Item
  readonly team: string
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

  /** Waiting calls, each once. */
  get length(): number {
    return this.#length
  }

  /** Calls that a team waits for, in all classes. */
  lengthOf(team: string): number {
    return this.#classes.reduce((sum, { lines }) => sum + (lines.get(team)?.length ?? 0), 0)
  }

  /** How many of each class each team waits for. */
  *lines(): Generator<readonly [Priority, team: string, length: number]> {
    for (const { priority, lines } of this.#classes) {
      for (const [team, items] of lines) yield [priority, team, items.length]
    }
  }

  /** Calls that stand before it in every line it stands in: at least so many are sent before it. */
  countBefore(item: Item): number {
    const { lines } = this.#classOf(item)
    let fewest = Infinity
    for (const team of item.teams) {
      // It came late: the search begins at the end.
      const at = lines.get(team)?.lastIndexOf(item) ?? -1
      if (at >= 0) fewest = Math.min(fewest, at)
    }
    return fewest === Infinity ? 0 : fewest
  }

  /** Each waiting call once. */
  [Symbol.iterator](): Iterator<Item> {
    return new Set(this.#classes.flatMap(({ lines }) => [...lines.values()].flat())).values()
  }

  /** Stands in line by its age, so that a call that is tried again keeps its place. */
  push(item: Item): void {
    const group = this.#classOf(item)
    // Nobody of this class was waiting, so nobody was passed over.
    if (group.lines.size === 0) group.passedOver = 0
    for (const team of item.teams) insert(group.lines, team, item)
    this.#length++
  }

  /** Another team wants a call that waits. */
  join(item: Item, team: string): void {
    insert(this.#classOf(item).lines, team, item)
  }

  remove(item: Item): void {
    const { lines } = this.#classOf(item)
    let found = false
    for (const team of item.teams) found = pull(lines, team, item) || found
    if (found) this.#length--
  }

  /** Takes the next call out of the line; undefined if nobody who waits may go. */
  take(judge: Judge): Turn<Item> | undefined {
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

  #takeOverdue({ load }: Judge): Turn<Item> | undefined {
    const overdue = this.#classes.filter(({ passedOver }) => passedOver >= mostPassedOver)
    const longest = overdue.sort((a, b) => b.passedOver - a.passedOver)[0]
    return longest && this.#serve(longest, { load, isOpen: () => true })
  }

  #takeInOrder(judge: Judge): Turn<Item> | undefined {
    for (const group of this.#classes) {
      const turn = this.#serve(group, judge)
      if (turn) return turn
    }
    return undefined
  }

  /** Serves the open team with the least load; the older call breaks a tie. */
  #serve({ priority, lines }: Class<Item>, { isOpen, load }: Judge): Turn<Item> | undefined {
    let best: (Turn<Item> & { load: number }) | undefined
    for (const [team, items] of lines) {
      const one = { team, item: items[0]!, load: load(team) }
      if ((!best || isSooner(one, best)) && isOpen(priority, team)) best = one
    }
    if (!best) return undefined
    this.remove(best.item)
    this.#countPassedOver(priority)
    return best
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

type Candidate = { readonly item: Queued; readonly load: number }

function isSooner(one: Candidate, other: Candidate): boolean {
  if (one.load !== other.load) return one.load < other.load
  return one.item.arrivedAt < other.item.arrivedAt
}

function insert<Item extends Queued>(lines: Map<string, Item[]>, team: string, item: Item): void {
  const items = lines.get(team) ?? []
  lines.set(team, items)
  let at = items.length
  while (at > 0 && items[at - 1]!.arrivedAt > item.arrivedAt) at--
  items.splice(at, 0, item)
}

/** False if it did not stand there. */
function pull<Item>(lines: Map<string, Item[]>, team: string, item: Item): boolean {
  const items = lines.get(team) ?? []
  const at = items.indexOf(item)
  if (at < 0) return false
  items.splice(at, 1)
  if (items.length === 0) lines.delete(team)
  return true
}
