/**
 * A caller's window (any offset and limit) in terms of aligned pages of 100, so that callers with
 * different page sizes share the same stored pages; and the window cut out of them again, as the
 * bytes the upstream sent. Pure: no fetching here.
 */

import { keep } from '../kept-bytes.ts'
import { Page } from '../page.ts'
import type { Call, List, Stored } from '../ports.ts'
import type { Window } from './lists.ts'

/** Items in a page: the most that one upstream call returns. */
export const pageSize = 100

/** The call for page `index` of a list. */
export function pageCall(list: List, index: number): Call {
  return list.part(index * pageSize, pageSize)
}

/** What is missing of a page that came back shorter than its own total says; undefined if nothing. */
export function missingPart(call: Call, page: Page): Call | undefined {
  const count = page.count
  const wanted = Math.min(call.limit, page.total - call.offset)
  return count < wanted ? call.list.part(call.offset + count, call.limit - count) : undefined
}

export function firstPageIndex({ offset }: Window): number {
  return Math.floor(offset / pageSize)
}

/** The pages after the first that the window reaches into, given how many chats the list has. */
export function furtherPageIndexes(window: Window, total: number): number[] {
  const first = firstPageIndex(window)
  const count = pageCount(window, total) - 1
  return Array.from({ length: count }, (_, step) => first + 1 + step)
}

/** How many pages the window touches; the first even if the list ends before it. */
export function pageCount(window: Window, total: number): number {
  const end = Math.min(window.offset + window.limit, total)
  return Math.max(Math.ceil(end / pageSize) - firstPageIndex(window), 1)
}

/** The page that arrived last, the later one of a tie: its envelope and total speak for the answer. */
export function newest(pages: readonly Stored<Page>[]): Stored<Page> {
  return pages.reduce((best, page) => (page.storedAt >= best.storedAt ? page : best))
}

/**
 * The answer's bytes: the newest page's envelope around the window's chats.
 *
 * @param pages adjacent pages of one list, the first one at index `firstPageIndex(window)`
 */
export function cutWindow(window: Window, pages: readonly Stored<Page>[]): Buffer {
  const [first] = pages
  if (first && pages.length === 1 && isWhole(window, first.value)) return first.value.bytes
  const { value: envelope } = newest(pages)
  const end = window.offset + window.limit
  const slices = pages.flatMap(({ value }, step) => {
    const pageOffset = (firstPageIndex(window) + step) * pageSize
    // An older page may hold more than the list has by now: nothing stands where it has ended.
    const pageEnd = value === envelope ? end : Math.min(end, envelope.total)
    return cutPage(value, window.offset - pageOffset, pageEnd - pageOffset)
  })
  return join(envelope, slices)
}

/** Whether the window takes all that its one page has: then nothing needs to be cut or copied. */
function isWhole({ offset, limit }: Window, page: Page): boolean {
  return offset % pageSize === 0 && limit >= page.count
}

/**
 * Both parts of a page in one, in the later one's envelope.
 *
 * @param most items, because the list may have become shorter than what its first part held
 */
export function joinParts(first: Page, rest: Page, most: number): Page {
  const before = cutPage(first, 0, Math.min(first.count, most))
  const slices = [...before, ...cutPage(rest, 0, most - first.count)]
  const bytes = join(rest, slices)
  const restShift = rest.open + (before[0] ? before[0].length + comma.length : 0)
  const numbers = (of: (page: Page) => Uint32Array, perItem: number) =>
    Uint32Array.from([...shifted(first, of, rest.open), ...shifted(rest, of, restShift)]).slice(
      0,
      perItem * most
    )
  return new Page({
    bytes,
    spans: numbers(page => page.spans, 2),
    idSpans: numbers(page => page.idSpans, 4),
    open: rest.open,
    close: bytes.length - (rest.bytes.length - rest.close),
    total: rest.total
  })
}

/** Where things stand once the page's first item stands at `to`. */
function shifted(page: Page, of: (page: Page) => Uint32Array, to: number): Uint32Array {
  return of(page).map(at => at - page.spans[0]! + to)
}

const comma = Buffer.from(',')

function join(envelope: Page, slices: readonly Buffer[]): Buffer {
  const separated = slices.flatMap((slice, position) => (position === 0 ? [slice] : [comma, slice]))
  return keep([
    envelope.bytes.subarray(0, envelope.open),
    ...separated,
    envelope.bytes.subarray(envelope.close)
  ])
}

/** Chats `from` up to, not including, `to` of a page: one slice, the separators are the upstream's. */
function cutPage({ bytes, count, spans }: Page, from: number, to: number): Buffer[] {
  const start = Math.max(from, 0)
  const end = Math.min(to, count)
  return start < end ? [bytes.subarray(spans[2 * start], spans[2 * end - 1])] : []
}
