/** The chats room behind a cache that the test plays, its answers laid open. */

import { Chats, type ListAnswer } from '../../src/chats/chats.ts'
import type { ListQuery } from '../../src/chats/query.ts'
import type { Need, PageSource } from '../../src/ports.ts'
import { FakeClock } from './fake-clock.ts'
import { roomyShelf, sourceOf, windowOf } from './pages.ts'

export type Fetch = PageSource['fetch']

export interface OpenAnswer extends ListAnswer {
  readonly body: Buffer
  readonly total: number
}

export function chatsBehind(fetch: Fetch | PageSource, clock = new FakeClock()) {
  const pages = typeof fetch === 'function' ? sourceOf(fetch) : fetch
  const chats = new Chats({ clock, pages, renderings: roomyShelf(), ends: roomyShelf() })
  return {
    list: (query: ListQuery, need: Need) => openList(chats, query, need),
    forgetEnds: () => chats.forgetEnds()
  }
}

export async function openList(chats: Chats, query: ListQuery, need: Need): Promise<OpenAnswer> {
  return chats.list(windowOf(query), need, answer => {
    const { body, total } = answer.rendering
    return { ...answer, body, total }
  })
}
