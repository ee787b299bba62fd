/**
 * Everything the upstream's chats ever were: a copy of the simulator's store, made of the same seed
 * and changed in the same order, of which each version is kept with the moment it began. So of any
 * answer it can be told whether there was a moment at which the upstream would have given it.
 */

import type { Chat } from '../simulator/chats.ts'
import { Random } from '../simulator/random.ts'
import { readSearch } from '../simulator/search.ts'
import type { Listing } from '../simulator/store.ts'
import { Store } from '../simulator/store.ts'
import { chatCount } from './conditions.ts'

export const searchBody = JSON.stringify({
  filter: [{ field: 'chats.status', operator: '=', value: 'closed' }],
  sort: 'chats.createdAt',
  order: 'asc'
})

const everything = { offset: 0, limit: 1e9 }

const views = {
  created: store => store.page({ sort: 'chats.createdAt', order: 'asc', ...everything }),
  latest: store => store.page({ sort: 'chats.lastMessageAt', order: 'desc', ...everything }),
  closed: store => store.page({ sort: 'chats.closedAt', order: 'desc', ...everything }),
  search: store => {
    const { matches, query } = readSearch(JSON.parse(searchBody))
    return store.search({ matches, query: { ...query, ...everything } })
  }
} satisfies Record<string, (store: Store) => Listing>

export type ViewName = keyof typeof views

/** From `at` on, until the next one. */
export interface Version<Value> {
  readonly at: number
  readonly value: Value
}

type Views = Readonly<Record<ViewName, Listing>>

/** Nobody is promised anything of a time longer ago. */
const keptMs = 180_000

export class History {
  readonly #store: Store
  readonly #random: Random
  readonly #chats = new Map<string, Version<Chat | undefined>[]>()
  #views: Version<Views>[] = []

  constructor(seed: number) {
    this.#store = new Store(seed, chatCount)
    this.#random = new Random(seed)
    this.#note(Number.NEGATIVE_INFINITY)
  }

  /** The upstream's chats changed once more. */
  change(at: number): void {
    this.#store.mutateOnce(this.#random)
    this.#note(at)
    const old = this.#views.findIndex(
      (_, index) => (this.#views[index + 1]?.at ?? at) > at - keptMs
    )
    if (old > 100) this.#views = this.#views.slice(old)
  }

  /** A list as it was at each moment of a span, newest first. */
  lists(name: ViewName, from: number, to: number): Listing[] {
    return between(this.#views, from, to).map(version => version.value[name])
  }

  /** A chat at each moment of a span, newest first; undefined while there was none. */
  chat(id: string, from: number, to: number): (Chat | undefined)[] {
    const versions = this.#chats.get(id)
    if (!versions) return [undefined]
    return between(versions, from, to).map(version => version.value)
  }

  /** All that are there or were. */
  get ids(): string[] {
    return [...this.#chats.keys()]
  }

  #note(at: number): void {
    const now = Object.fromEntries(
      Object.entries(views).map(([name, view]) => [name, view(this.#store)])
    ) as Views
    this.#views.push({ at, value: now })
    const ids = new Set([...this.#chats.keys(), ...now.created.items.map(idOf)])
    for (const id of ids) this.#noteChat(id, at)
  }

  #noteChat(id: string, at: number): void {
    const chat = this.#store.get(id)
    const versions = this.#chats.get(id) ?? [{ at: Number.NEGATIVE_INFINITY, value: undefined }]
    if (versions.at(-1)?.value !== chat) versions.push({ at, value: chat })
    this.#chats.set(id, versions)
  }
}

function between<Value>(versions: readonly Version<Value>[], from: number, to: number) {
  const found: Version<Value>[] = []
  for (let index = versions.length - 1; index >= 0; index--) {
    const version = versions[index]!
    if (version.at <= to) found.push(version)
    if (version.at <= from) break
  }
  return found
}

const idPattern = /"id"\s*:\s*(\d+)/

/** Of a chat's text, however it is spelled: the simulator writes the id first. */
export function idOf(text: string): string {
  return idPattern.exec(text)?.[1] ?? ''
}
