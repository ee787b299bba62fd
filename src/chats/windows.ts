/**
 * A caller's window (any offset and limit) in terms of aligned pages of 100, so that callers with
 * different page sizes share the same stored pages; and the window cut out of them again, as the
 * bytes the upstream sent. Pure: no fetching here.
 */

import type { Call, Page, Stored } from '../ports.ts'
import { type ListName, type ListQuery, listParameters } from './query.ts'

/** Chats in a page: the most that one upstream call returns. */
export const pageSize = 100

/** The call for page `index` of a list. The upstream always gets explicit offset and limit. */
export function pageCall(list: ListName, index: number): Call {
  const offset = index * pageSize
  return {
    target: `/chats?${listParameters(list)}offset=${offset}&limit=${pageSize}`,
    offset,
    limit: pageSize
  }
}

export function firstPageIndex({ offset }: ListQuery): number {
  return Math.floor(offset / pageSize)
}

/** The pages after the first that the window reaches into, given how many chats the list has. */
export function furtherPageIndexes(query: ListQuery, total: number): number[] {
  const first = firstPageIndex(query)
  const end = Math.min(query.offset + query.limit, total)
  const count = Math.max(Math.ceil(end / pageSize) - first - 1, 0)
  return Array.from({ length: count }, (_, step) => first + 1 + step)
}

/** The page that arrived last: its envelope and total speak for the whole answer. */
export function newest(pages: readonly Stored<Page>[]): Stored<Page> {
  return pages.reduce((best, page) => (page.storedAt > best.storedAt ? page : best))
}

const comma = Buffer.from(',')

/**
 * The answer's bytes: the newest page's envelope around the window's chats.
 *
 * @param pages adjacent pages of one list, the first one at index `firstPageIndex(query)`
 */
export function cutWindow(query: ListQuery, pages: readonly Stored<Page>[]): Buffer {
  const { value: envelope } = newest(pages)
  const chats = pages.flatMap(({ value }, step) => {
    const pageOffset = (firstPageIndex(query) + step) * pageSize
    return cutPage(value, query.offset - pageOffset, query.offset + query.limit - pageOffset)
  })
  const joined = chats.flatMap((slice, position) => (position === 0 ? [slice] : [comma, slice]))
  return Buffer.concat([
    envelope.bytes.subarray(0, envelope.open),
    ...joined,
    envelope.bytes.subarray(envelope.close)
  ])
}

/** Chats `from` up to, not including, `to` of a page: one slice, the separators are the upstream's. */
function cutPage({ bytes, spans }: Page, from: number, to: number): Buffer[] {
  const start = Math.max(from, 0)
  const end = Math.min(to, spans.length / 2)
  return start < end ? [bytes.subarray(spans[2 * start], spans[2 * end - 1])] : []
}
