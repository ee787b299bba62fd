/**
 * The conditions under which all subjects of the cache bench are measured. The workload's free
 * parameters, the exponent over the lists and the chance of going on to the next page, were chosen
 * only so that the models of `models.ts` need the calls that the first model of this cache said:
 * exact URLs 220 a minute at 20 requests/s and more than 120 from about 4 requests/s on, aligned
 * pages 49 at 20 requests/s and 85 at 200. They were fixed before our own cache was ever measured.
 */

import type { ListName } from '../../src/chats/query.ts'

export const limit = 120
export const minuteMs = 60_000

/** From a change at the desk to its webhook, in the one row that has any. */
export const webhookDelayMs = 1000

/** The lifetimes of all subjects; the models know no third one. */
export const freshMs = 30_000
export const staleWhileRevalidateMs = 60_000

/** Until an answer no longer depends on the cold start: longer than both lifetimes together. */
export const warmUpMs = 2 * minuteMs

/** Each way, uniform: 300 ms ± 100 ms in all. */
export const leastLatencyMs = 100
export const latencyJitterMs = 100

export const teams = ['amber', 'blue', 'coral', 'denim', 'ebony', 'fawn', 'green', 'hazel'] as const
export const pageSizes = [10, 20, 25, 50, 100] as const

/** The most wanted first: what a support desk looks at. */
export const lists = [
  { sort: 'chats.lastMessageAt', order: 'desc' },
  { sort: 'chats.lastCustomerMessageAt', order: 'desc' },
  { sort: 'chats.createdAt', order: 'desc' },
  { sort: 'chats.closedAt', order: 'desc' },
  { sort: 'chats.lastMessageAt', order: 'asc' },
  { sort: 'chats.createdAt', order: 'asc' },
  { sort: 'chats.lastCustomerMessageAt', order: 'asc' },
  { sort: 'chats.closedAt', order: 'asc' }
] as const satisfies readonly ListName[]

/** The list of rank r is asked for with a weight of 1 / r ** zipfExponent. */
export const zipfExponent = 0.8

/** After each page a caller goes on to the next with this chance: 60 % of all are first pages. */
export const goOnChance = 0.4

/** Before going on, uniform. */
export const leastPauseMs = 1000
export const pauseJitterMs = 7000

/** A busy desk. Mean gaps; all of them random (Poisson). */
export const chatCount = 10_000
export const openChats = 200
export const gapsMs = { message: 1500, status: 10_000, opened: 20_000, closed: 30_000 } as const

/** Of the messages; the others are the agents'. */
export const customerShare = 0.5

/** Three messages in four go on with one of the latest conversations, the others with an older one. */
export const conversations = 60
export const conversationShare = 0.75
export const olderConversations = 2000
