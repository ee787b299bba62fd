/**
 * The four parameters that every list takes, from a query string or a search body. Strict where
 * the documents are silent, so that a service which sends more than they allow is found out here:
 * only digits are numbers, and `order` of a GET is in lower case.
 */

import { type ErrorEntry, noChoice, notNumeric, Refusal } from './errors.ts'

export const sorts = [
  'chats.createdAt',
  'chats.lastCustomerMessageAt',
  'chats.lastMessageAt',
  'chats.closedAt'
] as const
export type Sort = (typeof sorts)[number]

export const orders = ['asc', 'desc'] as const
export type Order = (typeof orders)[number]

export interface ListQuery {
  readonly sort: Sort | undefined
  readonly order: Order | undefined
  readonly offset: number
  readonly limit: number
}

/** Also what a larger `limit` is cut down to: documented for the other lists, assumed here. */
const largestLimit = 100

/** Throws one Refusal that names every bad parameter. */
export function readQuery(raw: Readonly<Record<string, unknown>>): ListQuery {
  const problems: ErrorEntry[] = []
  const choice = <T extends string>(code: string, choices: readonly T[]): T | undefined => {
    const found = choices.find(known => known === raw[code])
    if (raw[code] !== undefined && !found) problems.push({ code, message: noChoice })
    return found
  }
  const integer = (code: string, least: number, absent: number): number => {
    const text = String(raw[code] ?? absent)
    const valid = /^\d{1,15}$/.test(text) && Number(text) >= least
    if (!valid) problems.push({ code, message: notNumeric })
    return Number(text)
  }
  const query = {
    sort: choice('sort', sorts),
    order: choice('order', orders),
    offset: integer('offset', 0, 0),
    limit: Math.min(integer('limit', 1, largestLimit), largestLimit)
  }
  if (problems.length > 0) throw new Refusal(400, problems)
  return query
}
