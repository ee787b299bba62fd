/**
 * What there is upstream, as lists with canonical calls: the upstream always gets explicit offset
 * and limit, and what is the same has the same name, however a caller spelled it.
 */

import { createHash } from 'node:crypto'
import type { Call, List } from '../ports.ts'
import { type ListName, listParameters } from './query.ts'
import { anySearch, chatTag, sortTag } from './tags.ts'

/** What a caller asked for: items `offset` up to, not including, `offset + limit` of a list. */
export interface Window {
  readonly list: List
  readonly offset: number
  readonly limit: number
}

/** What equal lists share; there are few of these, and thousands may wait for parts of one. */
const chatLists = new Map<string, Pick<List, 'name' | 'tags'>>()

/** The chats, in one of their orders. */
export function chatList(order: ListName): List {
  const parameters = listParameters(order)
  const known = chatLists.get(parameters)
  if (known) return new ListBelow('chats', known)
  const shared = { name: `/chats?${parameters}`, tags: [sortTag(order.sort ?? '')] }
  chatLists.set(parameters, shared)
  return new ListBelow('chats', shared)
}

/** @param chatId digits */
export function messageList(chatId: string): List {
  return new ListBelow('messages', { name: `/chats/${chatId}/messages?`, tags: [chatTag(chatId)] })
}

/** One chat; its only part is itself. @param chatId digits */
export function singleChat(chatId: string): List {
  const list: List = {
    of: 'chat',
    name: `/chats/${chatId}`,
    tags: [chatTag(chatId)],
    part: (offset, limit) => ({ list, target: list.name, offset, limit })
  }
  return list
}

/** @param members the canonical JSON members of the search, without its offset and limit */
export function searchList(members: readonly string[]): List {
  const target = '/chats/search'
  // A search may be long, and its name stands in many places for as long as anything is kept.
  const digest = createHash('sha256').update(members.join()).digest('base64url')
  const list: List = {
    of: 'search',
    name: `${target} ${digest}`,
    tags: [anySearch],
    part: (offset, limit) => {
      const body = `{${[...members, `"offset":${offset}`, `"limit":${limit}`].join()}}`
      return { list, target, body, offset, limit }
    }
  }
  return list
}

class ListBelow implements List {
  readonly of: List['of']
  readonly name: string
  readonly tags: readonly string[]
  /** Who keeps a list asks it for the same part again and again. */
  #last: Call | undefined

  constructor(of: List['of'], { name, tags }: Pick<List, 'name' | 'tags'>) {
    this.of = of
    this.name = name
    this.tags = tags
  }

  part(offset: number, limit: number): Call {
    const last = this.#last
    if (last?.offset === offset && last.limit === limit) return last
    this.#last = {
      list: this,
      target: `${this.name}offset=${offset}&limit=${limit}`,
      offset,
      limit
    }
    return this.#last
  }
}
