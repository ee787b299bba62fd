/**
 * Lists, and pages of them as the cache keeps them, built by hand rather than decoded, so that a
 * test of one room does not rest on another. Chats are spelled oddly on purpose: whoever re-types
 * one is found out.
 */

import { chatList, type Window } from '../../src/chats/lists.ts'
import type { ListQuery } from '../../src/chats/query.ts'
import { Page } from '../../src/page.ts'
import type { Call, Found, Need, PageSource, Shelf, Stored } from '../../src/ports.ts'

/** `count` chats as JSON texts, each different, with ids from `first`. */
export function chatTexts(count: number, first = 1): string[] {
  return Array.from(
    { length: count },
    (_, step) => `{ "id":${first + step},"at" : "160754${first + step}.0","é\\u00e9":1e0 }`
  )
}

export interface Spelling {
  readonly before?: string
  readonly separator?: string
  readonly after?: string
}

/** A page that holds `chats`, of a list of `total`. */
export function pageOf(chats: readonly string[], total: number, spelling: Spelling = {}): Page {
  const { before = '{"data":[', separator = ',', after = `],"meta":{"total":${total}}}` } = spelling
  let end = Buffer.byteLength(before)
  const open = end
  const spans = chats.flatMap((chat, position) => {
    const start = position === 0 ? end : end + Buffer.byteLength(separator)
    end = start + Buffer.byteLength(chat)
    return [start, end]
  })
  const bytes = Buffer.from(before + chats.join(separator) + after)
  const idSpans = chats.flatMap((chat, position) =>
    [ownId, customerId].flatMap(id => placesOf(id, chat, spans[2 * position]!))
  )
  return new Page({
    bytes,
    spans: Uint32Array.from(spans),
    idSpans: Uint32Array.from(idSpans),
    open,
    close: end,
    total
  })
}

/** Good enough for chats of tests, whose own id comes first. */
const ownId = /"id"\s*:\s*"?([^",}\s]+)/
const customerId = /"customer"\s*:\s*\{[^}]*?"id"\s*:\s*"?([^",}\s]+)/

function placesOf(id: RegExp, chat: string, start: number): [number, number] {
  const found = id.exec(chat)
  if (!found) return [start, start]
  const end = start + Buffer.byteLength(chat.slice(0, found.index + found[0].length))
  return [end - Buffer.byteLength(found[1]!), end]
}

export function windowOf({ limit, offset, ...name }: ListQuery): Window {
  return { list: chatList(name), offset, limit }
}

/** A call for a page of chats, in whatever words. */
export function callTo(target: string): Call {
  return { list: chatList({}), target, offset: 0, limit: 100 }
}

/** What an upstream with this list answers to a call. */
export function pageFor(call: Call, list: readonly string[], spelling: Spelling = {}): Page {
  return pageOf(list.slice(call.offset, call.offset + call.limit), list.length, spelling)
}

export function storedAt(at: number, page: Page, freshMs = 30_000): Stored<Page> {
  const freshUntil = at + freshMs
  return {
    value: page,
    version: ++versions,
    requestedAt: at,
    storedAt: at,
    freshUntil,
    revalidateUntil: freshUntil,
    errorUntil: freshUntil,
    periodMs: freshMs,
    refreshAt: freshUntil
  }
}

let versions = 0

/** The cache's doors, behind which nothing is ever stored. */
export function sourceOf(fetch: (call: Call, need: Need) => Promise<Found>): PageSource {
  return { fetch, find: () => undefined, again: () => undefined, readAhead: () => {} }
}

/** A shelf that keeps everything. */
export function roomyShelf<Value>(): Shelf<Value> {
  const values = new Map<string, Value>()
  const peek = (key: string) => values.get(key)
  return { get: peek, peek, set: (key, value) => !!values.set(key, value) }
}

/** The chats of an answer, parsed. */
export function chatsOf(body: Buffer): unknown[] {
  return JSON.parse(body.toString()).data
}

/** Whether the body holds exactly these chats, in this order, to the byte. */
export function holdsChats(body: Buffer, chats: readonly string[]): boolean {
  let at = 0
  for (const chat of chats) {
    const found = body.indexOf(chat, at)
    if (found < 0) return false
    at = found + Buffer.byteLength(chat)
  }
  return chatsOf(body).length === chats.length
}
