/**
 * The query of the list: what a caller wrote is either one of the documented values or a 400 that
 * names the parameter; nothing is guessed, defaulted silently or passed on unread.
 */

import { Parameters } from './parameters.ts'

export const sorts = [
  'chats.createdAt',
  'chats.lastCustomerMessageAt',
  'chats.lastMessageAt',
  'chats.closedAt'
] as const
export const orders = ['asc', 'desc'] as const

type Sort = (typeof sorts)[number]
type Order = (typeof orders)[number]

/** One list of the upstream. An absent sort or order is the upstream's default: a list of its own. */
export interface ListName {
  readonly sort?: Sort
  readonly order?: Order
}

/** Items `offset` up to, not including, `offset + limit`. */
interface WindowQuery {
  readonly offset: number
  readonly limit: number
}

export interface ListQuery extends ListName, WindowQuery {}

export const defaultLimit = 100

/** The largest offset that is still exact after a page is added to it. */
export const largestOffset = Number.MAX_SAFE_INTEGER - 10_000

const names = ['sort', 'order', 'offset', 'limit'] as const

/**
 * @param text the query string after `?`, well-formed percent-encoding
 * @throws {ServiceError} `invalid_query`, one entry per bad parameter
 */
export function parseListQuery(text: string, maxLimit: number): ListQuery {
  const given = new Parameters(text, names)
  const sort = given.oneOf('sort', sorts)
  const order = given.oneOf('order', orders, given.text('order')?.toLowerCase())
  const window = readWindow(given, maxLimit)
  given.refuseIfBad()
  return { ...(sort && { sort }), ...(order && { order }), ...window }
}

/** The same for a list that has but one order. */
export function parseMessageQuery(text: string, maxLimit: number): WindowQuery {
  const given = new Parameters(text, ['offset', 'limit'] as const)
  const window = readWindow(given, maxLimit)
  given.refuseIfBad()
  return window
}

/** The same for what takes no parameters. */
export function parseNoQuery(text: string): void {
  new Parameters(text, []).refuseIfBad()
}

type Integers = Pick<Parameters<'offset' | 'limit'>, 'integer'>

function readWindow(given: Integers, maxLimit: number): WindowQuery {
  const absent = Math.min(defaultLimit, maxLimit)
  return {
    offset: given.integer('offset', { least: 0, most: largestOffset, absent: 0 }),
    limit: given.integer('limit', { least: 1, most: maxLimit, absent })
  }
}

/** The canonical spelling of a list's name: equal lists, equal text; never two lists one text. */
export function listParameters({ sort, order }: ListName): string {
  return `${sort ? `sort=${sort}&` : ''}${order ? `order=${order}&` : ''}`
}
