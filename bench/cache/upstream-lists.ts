/**
 * The upstream's chats and its eight lists of them, as they are now and with a record of every
 * change, so that of anything taken from them it can be told when it ceased to be true. A chat is a
 * number and a version; what happens to it is said from outside (`desk.ts`).
 */

import { lists } from './conditions.ts'
import type { Part } from './workload.ts'

/** A part of a list as it was at one moment. */
export interface Snapshot extends Part {
  readonly takenAt: number
  readonly chats: readonly number[]
  /** Of each chat. */
  readonly versions: readonly number[]
  readonly total: number
  /** How many moves the list had seen. */
  readonly moves: number
}

/** Places `first` up to and including `last` of a list are others' since `at`. */
interface Move {
  readonly at: number
  readonly first: number
  readonly last: number
}

type Sort = (typeof lists)[number]['sort']

export class UpstreamLists {
  /** The chats of each list, in its order. */
  readonly #orders: number[][]
  readonly #moves: Move[][] = lists.map(() => [])
  /** When each chat changed; its version is how often. */
  readonly #changes: number[][]
  readonly #open = new Set<number>()
  #total: number

  /** Chats 0, 1, …: the higher, the later in every respect; the last `open` ones are not closed. */
  constructor(count: number, open: number) {
    this.#total = count
    const all = [...Array(count).keys()]
    this.#changes = all.map(() => [])
    for (const chat of all.slice(count - open)) this.#open.add(chat)
    this.#orders = lists.map(({ sort, order }) => {
      if (order === 'asc') return [...all]
      return sort === 'chats.closedAt' ? descendingByClosing(all, open) : all.toReversed()
    })
  }

  take({ list, offset, limit }: Part, at: number): Snapshot {
    const chats = this.#orders[list]!.slice(offset, offset + limit)
    const versions = chats.map(chat => this.#changes[chat]!.length)
    const moves = this.#moves[list]!.length
    return { list, offset, limit, takenAt: at, chats, versions, total: this.#total, moves }
  }

  /** The chat at a place of the list of the latest messages. */
  latest(place: number): number {
    return this.#orders[latestFirst]![Math.min(place, this.#total - 1)]!
  }

  isOpen(chat: number): boolean {
    return this.#open.has(chat)
  }

  /** Something of it is another. */
  change(chat: number, at: number): void {
    this.#changes[chat]!.push(at)
  }

  message(chat: number, at: number, fromCustomer: boolean): void {
    this.change(chat, at)
    this.#toLatest('chats.lastMessageAt', chat, at)
    if (fromCustomer) this.#toLatest('chats.lastCustomerMessageAt', chat, at)
  }

  /** A new chat, which begins with its customer's message; @returns its number */
  open(at: number): number {
    const chat = this.#total++
    this.#changes.push([])
    this.#open.add(chat)
    for (const [list, { sort, order }] of lists.entries()) {
      // Not closed comes last in either order.
      const isFirst = order === 'desc' && sort !== 'chats.closedAt'
      this.#place(list, chat, isFirst ? 0 : this.#total - 1, at)
    }
    return chat
  }

  close(chat: number, at: number): void {
    this.change(chat, at)
    this.#open.delete(chat)
    this.#toLatest('chats.closedAt', chat, at)
  }

  /** When the chat ceased to be what it was in this version; Infinity if it has not. */
  changedAt(chat: number, version: number): number {
    return this.#changes[chat]![version] ?? Infinity
  }

  /** What happened to the places of a list, from its `since`th move on. */
  *movesOf(list: number, since: number): Generator<Move, void> {
    const moves = this.#moves[list]!
    for (let index = since; index < moves.length; index++) yield moves[index]!
  }

  /** By this sort it is the latest of all that have a time. */
  #toLatest(sort: Sort, chat: number, at: number): void {
    const none = sort === 'chats.closedAt' ? this.#open.size : 0
    for (const [list, { sort: own, order }] of lists.entries()) {
      if (own === sort) this.#place(list, chat, order === 'desc' ? 0 : this.#total - none - 1, at)
    }
  }

  #place(list: number, chat: number, to: number, at: number): void {
    const order = this.#orders[list]!
    const from = order.indexOf(chat)
    if (from >= 0) order.splice(from, 1)
    order.splice(to, 0, chat)
    const last = from < 0 ? order.length - 1 : Math.max(from, to)
    // One that stays where it is moves nobody.
    if (from !== to)
      this.#moves[list]!.push({ at, first: from < 0 ? to : Math.min(from, to), last })
  }
}

const latestFirst = lists.findIndex(
  ({ sort, order }) => sort === 'chats.lastMessageAt' && order === 'desc'
)

function descendingByClosing(all: readonly number[], open: number): number[] {
  const closed = all.length - open
  return [...all.slice(0, closed).toReversed(), ...all.slice(closed)]
}
