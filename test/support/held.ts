/** What the simulator holds and how it answers by itself: what the service's answers are held to. */

import type { Chat } from '../../simulator/chats.ts'
import type { Simulator } from '../../simulator/upstream.ts'
import { read } from './answers.ts'
import type { Answer } from './raw-socket.ts'
import { apiKey } from './stack.ts'

/** All chats, oldest first. */
export function allChats({ store }: Simulator): Chat[] {
  const everything = { sort: 'chats.createdAt', order: 'asc', offset: 0, limit: 1e9 } as const
  const { items } = store.page(everything)
  return items.map(item => store.get(/"id"\s*:\s*(\d+)/.exec(item)?.[1] ?? '') as Chat)
}

/** The chat with the most messages, which are several pages. */
export function longestChat(simulator: Simulator): Chat {
  return allChats(simulator).reduce((most, chat) => (chat.messages > most.messages ? chat : most))
}

/** The same request to HelpCrunch itself. @param path without `/v1` */
export function direct({ baseUrl }: Simulator, path: string, init: RequestInit = {}) {
  const headers = { ...(init.headers as object), authorization: `Bearer ${apiKey}` }
  return read(fetch(baseUrl + path, { ...init, headers })) satisfies Promise<Answer>
}

/** What is left of a body once these texts were found in it, in this order. */
export function besides(body: string, items: readonly string[]): string {
  let at = 0
  let between = ''
  for (const item of items) {
    const found = body.indexOf(item, at)
    if (found < 0) return `no ${item}`
    between += body.slice(at, found)
    at = found + item.length
  }
  return (between + body.slice(at)).replaceAll(/[\s,]/g, '')
}
