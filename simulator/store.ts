/**
 * The chats that the simulated upstream holds, in the orders in which they are asked for, and the
 * ways they change. Its clock is virtual, one second per change, so that a seed and a sequence of
 * changes always give the same bytes.
 */

import { type Chat, generateChat, generateChats, withClosing, withNewMessage } from './chats.ts'
import { messagesOf } from './messages.ts'
import type { ListQuery, Order, Sort } from './query.ts'
import type { Random } from './random.ts'
import type { Search } from './search.ts'

export interface Listing {
  /** JSON texts. */
  readonly items: readonly string[]
  readonly total: number
}

const sortKeys: Readonly<Record<Sort, (chat: Chat) => number | null>> = {
  'chats.createdAt': chat => chat.createdAt,
  'chats.lastCustomerMessageAt': chat => chat.lastCustomerMessageAt,
  'chats.lastMessageAt': chat => chat.lastMessageAt,
  'chats.closedAt': chat => chat.closedAt
}

export class Store {
  readonly #seed: number
  readonly #chats: Map<string, Chat>
  readonly #views = new Map<string, readonly Chat[]>()
  #born: number
  #clock: number

  constructor(seed: number, count: number) {
    const chats = generateChats(seed, count)
    this.#seed = seed
    this.#chats = new Map(chats.map(chat => [chat.id, chat]))
    this.#born = count
    this.#clock = chats.reduce((latest, chat) => Math.max(latest, lastChange(chat)), 1_700_000_000)
  }

  get size(): number {
    return this.#chats.size
  }

  get(id: string): Chat | undefined {
    return this.#chats.get(id)
  }

  page(query: ListQuery): Listing {
    return cut(this.#view(query), query)
  }

  search({ query, matches }: Search): Listing {
    return cut(this.#view(query).filter(matches), query)
  }

  messages(id: string, offset: number, limit: number): Listing | undefined {
    const chat = this.#chats.get(id)
    return chat && { items: messagesOf(chat, offset, limit), total: chat.messages }
  }

  create(): Chat {
    const index = this.#born++
    return this.#put(generateChat({ seed: this.#seed, index, createdAt: this.#tick() }))
  }

  /** Whether there was such a chat. */
  remove(id: string): boolean {
    this.#views.clear()
    return this.#chats.delete(id)
  }

  /** A new message in the chat. */
  touch(id: string): Chat | undefined {
    const chat = this.#chats.get(id)
    return chat && this.#put(withNewMessage(chat, this.#tick()))
  }

  close(id: string): Chat | undefined {
    const chat = this.#chats.get(id)
    return chat && this.#put(withClosing(chat, this.#tick()))
  }

  /** One change of the kind and in the proportion that a support desk makes them. */
  mutateOnce(random: Random): void {
    const ids = [...this.#chats.keys()]
    const draw = random.next()
    if (ids.length === 0 || draw < 0.2) this.create()
    else if (draw < 0.8) this.touch(random.pick(ids))
    else if (draw < 0.95) this.close(random.pick(ids))
    else this.remove(random.pick(ids))
  }

  #put(chat: Chat): Chat {
    this.#views.clear()
    this.#chats.set(chat.id, chat)
    return chat
  }

  #tick(): number {
    this.#clock += 1
    return this.#clock
  }

  // The documents name no default. Ours: without `sort` the latest message first, as the inbox shows
  // it; `sort` without `order` is ascending, as a bare ORDER BY is.
  #view(query: ListQuery): readonly Chat[] {
    const { sort = 'chats.lastMessageAt', order = query.sort ? 'asc' : 'desc' } = query
    const name = `${sort} ${order}`
    const view = this.#views.get(name) ?? sorted(this.#chats.values(), sort, order)
    this.#views.set(name, view)
    return view
  }
}

function sorted(chats: Iterable<Chat>, sort: Sort, order: Order): Chat[] {
  const key = sortKeys[sort]
  const sign = order === 'asc' ? 1 : -1
  return [...chats].sort((a, b) => byKey(key(a), key(b), sign) || byId(a.id, b.id))
}

/** Nulls come last in either order. */
function byKey(a: number | null, b: number | null, sign: number): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  return sign * (a - b)
}

/** As numbers, but of any length. */
function byId(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : Number(a > b))
}

function cut(chats: readonly Chat[], { offset, limit }: ListQuery): Listing {
  const items = chats.slice(offset, offset + limit).map(chat => chat.text)
  return { items, total: chats.length }
}

function lastChange(chat: Chat): number {
  return Math.ceil(Math.max(chat.createdAt, chat.lastMessageAt ?? 0, chat.closedAt ?? 0))
}
