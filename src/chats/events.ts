/**
 * What a HelpCrunch event makes stale, in tags: the lists whose order or content it can change, the
 * chat, the customer. Payloads are not REST objects, so they are read for ids only and never fill
 * the cache; the id may stand in several places, and where none is found everything is stale.
 */

import type { Page } from '../page.ts'
import type { Call } from '../ports.ts'
import { sorts } from './query.ts'
import { anySearch, chatTag, customerTag, sortTag } from './tags.ts'

/** Everything, as the cache knows it. */
const all = ['*']

const messageSorts = ['', 'chats.lastMessageAt', 'chats.lastCustomerMessageAt']
const chatSorts = [...messageSorts, 'chats.closedAt']
const newSorts = ['', ...sorts]

const messageEvents = new Set([
  'message.chat.customer',
  'message.email.customer',
  'message.private',
  'message.chat.agent',
  'message.email.agent'
])
const chatEvents = new Set(
  ['new', 'status_updated', 'assigned', 'snoozed', 'unsnoozed', 'closed', 'rated'].map(
    what => `chat.${what}`
  )
)
const customerEvents = new Set(
  'new email_updated tags_changed unsubscribed subscribed blocked unblocked deleted'
    .split(' ')
    .map(what => `customer.${what}`)
)

/** @param eventData anything, also JSON in a string; @returns no tags for an unknown event */
export function staleTags(event: string, eventData: unknown): readonly string[] {
  const data = objectOf(eventData)
  if (messageEvents.has(event)) return tagsOfChat(idOf(data.chat_id), messageSorts)
  if (chatEvents.has(event)) {
    const id = idOf(data.chat_id) ?? idOf(data.id) ?? idOf(objectOf(data.chat).id)
    // A new one may just have been asked for, and not have been there.
    return tagsOfChat(id, event === 'chat.new' ? newSorts : chatSorts)
  }
  if (!customerEvents.has(event)) return []
  const customer = idOf(data.id)
  return customer === undefined ? all : [customerTag(customer), anySearch]
}

/** The tags of a stored page: its list's, its chats, their customers. */
export function pageTags({ list }: Call, { customers, ids }: Page): string[] {
  // Messages have ids of their own.
  if (list.of === 'messages') return [...list.tags]
  return [...list.tags, ...ids.map(chatTag), ...customers.map(customerTag)]
}

function tagsOfChat(id: string | undefined, stale: readonly string[]): readonly string[] {
  return id === undefined ? all : [...stale.map(sortTag), chatTag(id), anySearch]
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'string') return objectOf(parsed(value))
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function parsed(text: string): unknown {
  try {
    const value = JSON.parse(text)
    return typeof value === 'string' ? undefined : value
  } catch {
    return undefined
  }
}

/** The digits of an id; none if it is not one, or has lost digits by being a number. */
function idOf(value: unknown): string | undefined {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return String(value)
  return typeof value === 'string' && /^\d{1,30}$/.test(value) ? value : undefined
}
