/**
 * Answers list queries. Promises: never a short page while the total says there is more; every
 * chat is the bytes the upstream sent; no more calls than pages the window touches and one to mend
 * a seam, and none past the end of a list whose total is known. It leaves to the cache whether a
 * page needs a call.
 */

import { type CacheStatus, combineCacheStatus } from '../cache-status.ts'
import type { Clock } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { Found, Need, Page, PageSource, Shelf, Stored, Timing } from '../ports.ts'
import { type ListQuery, listParameters } from './query.ts'
import type { Rendering } from './rendering.ts'
import { type Rendered, Renderings } from './renderings.ts'
import { type Seam, seamOf } from './seams.ts'
import { Walks } from './walks.ts'
import { firstPageIndex, furtherPageIndexes, newest, pageCall, pageSize } from './windows.ts'

export interface ChatsOptions {
  readonly clock: Clock
  readonly pages: PageSource
  readonly renderings: Shelf<Rendered>
}

/** A window of a list, ready to be sent. */
export interface ListAnswer {
  readonly rendering: Rendering
  /** Milliseconds since its oldest part arrived, and how long that part is fresh in all. */
  readonly ageMs: number
  readonly lifetimeMs: number
  readonly status: CacheStatus
  /** Only if a call was made. */
  readonly timing?: Timing
}

/** Parts that disagree and are younger than this are not fetched again for it. */
const youngMs = 2000

export class Chats {
  readonly #clock: Clock
  readonly #pages: PageSource
  readonly #renderings: Renderings
  readonly #walks = new Walks()
  /** The end of each list as last seen, an empty page: at most one per sort and order. */
  readonly #ends = new Map<string, Stored<Page>>()

  constructor({ clock, pages, renderings }: ChatsOptions) {
    this.#clock = clock
    this.#pages = pages
    this.#renderings = new Renderings(renderings)
  }

  /** Rejects with a `ServiceError` if a page is neither stored nor to be had in time. */
  list(query: ListQuery, need: Need): ListAnswer | Promise<ListAnswer> {
    const stored = this.#storedPages(query, need)
    return stored ? this.#answer(query, stored, need) : this.#fetched(query, need)
  }

  async #fetched(query: ListQuery, need: Need): Promise<ListAnswer> {
    return this.#answer(query, await this.#wholePages(query, need), need)
  }

  #answer(query: ListQuery, pages: readonly Found[], { team }: Need): ListAnswer {
    const stored = pages.map(page => page.stored)
    const end = newest(stored)
    this.#remember(query, end)
    this.#readAhead(query, end.value.total, team)
    return answer(pages, this.#renderings.of(query, stored, team), this.#clock.now())
  }

  /** All that the window needs, if it is stored and fits together. */
  #storedPages(query: ListQuery, need: Need): readonly Found[] | undefined {
    const beyond = this.#beyondTheEnd(query, need)
    if (beyond) return [beyond]
    const pages: Found[] = []
    for (let index = firstPageIndex(query); ; index++) {
      const page = this.#pages.find(pageCall(query, index), need)
      if (!page) return undefined
      pages.push(page)
      if (missingPages(query, pages).length === 0) break
    }
    return seamIn(query, pages) ? undefined : pages
  }

  /** Who walks a list will want its next page. */
  #readAhead(query: ListQuery, total: number, team: string): void {
    if (!this.#walks.goesOn(query, team)) return
    const next = firstPageIndex({ ...query, offset: query.offset + query.limit - 1 }) + 1
    if (next * pageSize < total) this.#pages.readAhead(pageCall(query, next), team)
  }

  /**
   * The window's pages, fitted together. Pages stored at different moments may disagree: one that
   * lacks chats by the newest total is fetched again whatever its age, because a short list is
   * never passed on; of two that disagree otherwise the older one is, once, and a seam that remains
   * is said.
   */
  async #wholePages(query: ListQuery, need: Need): Promise<readonly Found[]> {
    let pages = await this.#withMissing(query, need, await this.#likelyPages(query, need))
    for (let tries = 0; tries <= pages.length; tries++) {
      const seam = seamIn(query, pages)
      if (!seam) return pages
      const at = seam.kind === 'short' ? seam.at : olderSide(pages, seam)
      const ageMs = this.#clock.now() - pages[at]!.stored.storedAt
      if (seam.kind === 'disagree' && (tries > 0 || ageMs < youngMs)) return marked(pages)
      pages = await this.#withMissing(query, need, await this.#replaced(query, need, pages, at))
    }
    throw neverWhole()
  }

  /**
   * The first page alone, because only its total tells which of the others exist and a call is
   * dear; all of them side by side where the end of the list has been seen.
   */
  #likelyPages(query: ListQuery, need: Need): Promise<Found[]> {
    const end = this.#ends.get(listParameters(query))
    const further = end ? furtherPageIndexes(query, end.value.total) : []
    const indexes = [firstPageIndex(query), ...further]
    return Promise.all(indexes.map(index => this.#pages.fetch(pageCall(query, index), need)))
  }

  /** The pages and those that the window reaches into as well, by the newest total. */
  async #withMissing(query: ListQuery, need: Need, known: readonly Found[]) {
    const fetch = (index: number) => this.#pages.fetch(pageCall(query, index), need)
    let pages = known
    let missing = missingPages(query, pages)
    // Again if the list has grown meanwhile; the window bounds how often.
    while (missing.length > 0) {
      pages = [...pages, ...(await Promise.all(missing.map(fetch)))]
      missing = missingPages(query, pages)
    }
    return pages
  }

  /** The pages with a newer one at `at`. */
  async #replaced(query: ListQuery, need: Need, pages: readonly Found[], at: number) {
    const call = pageCall(query, firstPageIndex(query) + at)
    const conditions = { ...need.conditions, notBefore: pages[at]!.stored.storedAt + 1 }
    return pages.with(at, await this.#pages.fetch(call, { ...need, conditions }))
  }

  /** Where lists end is not known any more. */
  forgetEnds(): void {
    this.#ends.clear()
  }

  /** A window that starts at or past a total that is still fresh needs no call to be empty. */
  #beyondTheEnd(query: ListQuery, { conditions }: Need): Found | undefined {
    const end = this.#ends.get(listParameters(query))
    const now = this.#clock.now()
    if (!end || conditions || query.offset < end.value.total || now >= end.freshUntil)
      return undefined
    return { stored: end, status: { kind: 'hit', ttlMs: end.freshUntil - now } }
  }

  #remember(query: ListQuery, page: Stored<Page>): void {
    const name = listParameters(query)
    const known = this.#ends.get(name)
    if (known && known.storedAt >= page.storedAt) return
    this.#ends.set(name, { ...page, value: envelopeOf(page.value) })
  }
}

/** The pages that the window reaches into by the newest total, and that are not there yet. */
function missingPages(query: ListQuery, pages: readonly Found[]): number[] {
  const { total } = newest(pages.map(page => page.stored)).value
  return furtherPageIndexes(query, total).slice(pages.length - 1)
}

function seamIn(query: ListQuery, pages: readonly Found[]): Seam | undefined {
  const stored = pages.map(page => page.stored)
  const values = stored.map(page => page.value)
  const end = Math.min(query.offset + query.limit, newest(stored).value.total)
  return seamOf(values, firstPageIndex(query) * pageSize, end)
}

function olderSide(pages: readonly Found[], { at }: Seam): number {
  return pages[at]!.stored.storedAt <= pages[at + 1]!.stored.storedAt ? at : at + 1
}

function neverWhole(): ServiceError {
  const detail =
    'HelpCrunch keeps changing the total of this list; its parts never fitted together.'
  return new ServiceError('upstream_invalid_response', detail)
}

function marked(pages: readonly Found[]): Found[] {
  return pages.map(page => ({ ...page, status: { ...page.status, detail: 'seam' } }))
}

/** The page without its chats, in memory of its own so that the page itself can be forgotten. */
function envelopeOf({ bytes, open, close, total }: Page): Page {
  const envelope = Buffer.concat([bytes.subarray(0, open), bytes.subarray(close)])
  const none = { spans: new Uint32Array(), ids: [], customers: [] }
  return { ...none, bytes: envelope, open, close: open, total }
}

function answer(pages: readonly Found[], rendering: Rendering, now: number): ListAnswer {
  const stored = pages.map(page => page.stored)
  const oldest = stored.reduce((best, page) => (page.storedAt < best.storedAt ? page : best))
  const timing = longest(pages.flatMap(page => page.timing ?? []))
  return {
    rendering,
    ageMs: now - oldest.storedAt,
    lifetimeMs: oldest.freshUntil - oldest.storedAt,
    status: combineCacheStatus(pages.map(page => page.status)),
    ...(timing && { timing })
  }
}

/** Calls of one answer run side by side, so the longest of each is what the caller felt. */
function longest(timings: readonly Timing[]): Timing | undefined {
  if (timings.length === 0) return undefined
  return {
    queueMs: Math.max(...timings.map(timing => timing.queueMs)),
    upstreamMs: Math.max(...timings.map(timing => timing.upstreamMs))
  }
}
