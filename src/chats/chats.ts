/**
 * Answers for windows of lists, and for single chats. Promises: never a short page while the total
 * says there is more; every item is the bytes the upstream sent; no more calls than pages the
 * window touches and one to mend a seam, and none past the end of a list whose total is known. It
 * leaves to the cache whether a page needs a call.
 */

import { type CacheStatus, combineCacheStatus } from '../cache-status.ts'
import type { Clock } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import { keep } from '../kept-bytes.ts'
import { Page } from '../page.ts'
import {
  type Found,
  type Look,
  type Need,
  type PageSource,
  type Shelf,
  type Stored,
  satisfies,
  type Timing
} from '../ports.ts'
import type { Window } from './lists.ts'
import { prospectOf, type WindowProspect } from './prospect.ts'
import type { Rendering } from './rendering.ts'
import { type Rendered, Renderings } from './renderings.ts'
import { olderSide, seamIn, youngMs } from './seams.ts'
import { Walks } from './walks.ts'
import {
  firstPageIndex,
  furtherPageIndexes,
  newest,
  pageCall,
  pageCount,
  pageSize
} from './windows.ts'

export interface ChatsOptions {
  readonly clock: Clock
  readonly pages: PageSource
  readonly renderings: Shelf<Rendered>
  /** The end of each list as last seen, an empty page. */
  readonly ends: Shelf<Stored<Page>>
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
  /** Of the page, if one was all that it needed. */
  readonly version?: number
}

export class Chats {
  readonly #clock: Clock
  readonly #pages: PageSource
  readonly #renderings: Renderings
  readonly #walks = new Walks()
  readonly #ends: Shelf<Stored<Page>>
  #endsForgottenAt = -Infinity

  constructor({ clock, ends, pages, renderings }: ChatsOptions) {
    this.#clock = clock
    this.#ends = ends
    this.#pages = pages
    this.#renderings = new Renderings(renderings)
  }

  /**
   * @param use what is done with the answer, at once if it is stored; given here and not chained to
   *   a promise of it, which each of thousands who wait would have
   * @throws {ServiceError} if a page is neither stored nor to be had in time
   */
  list<Used>(window: Window, need: Need, use: (answer: ListAnswer) => Used): Used | Promise<Used> {
    const stored = this.#storedPages(window, need)
    if (stored) return use(this.#answer(window, stored, need))
    const likely = this.#likelyPages(window, need)
    // Mostly one, and a list of promises takes more than the promise.
    const fetched: Promise<Found | Found[]> = likely.length > 1 ? Promise.all(likely) : likely[0]
    return fetched.then(async known => {
      const pages = await this.#wholePages(window, need, [known].flat())
      return use(this.#answer(window, pages, need))
    })
  }

  /** What was answered from this version of the one page that it needed, if it is still kept. */
  kept(window: Window, version: number, need: Need): Rendering | undefined {
    if (this.#beyondTheEnd(window, need)) return undefined
    return this.#renderings.kept(window, version, need.team)
  }

  /** That answer once more, as `list` would give it; undefined if it might give another one. */
  again(window: Window, version: number, need: Need, rendering: Rendering): ListAnswer | undefined {
    const page = this.#pages.again(pageCall(window.list, firstPageIndex(window)), version, need)
    if (!page) return undefined
    this.#remember(window, page.stored, need.team)
    this.#readAhead(window, page.stored.value.total, need.team)
    return answerOf(page, rendering, this.#clock.now())
  }

  #answer(window: Window, pages: readonly Found[], { team }: Need): ListAnswer {
    const stored = pages.map(page => page.stored)
    const end = newest(stored)
    this.#remember(window, end, team)
    if (end.value.isAbsent) throw notFound()
    this.#readAhead(window, end.value.total, team)
    return answer(pages, this.#renderings.of(window, stored, team), this.#clock.now())
  }

  /** All that the window needs, if it is stored and fits together. */
  #storedPages(window: Window, need: Need): readonly Found[] | undefined {
    const beyond = this.#beyondTheEnd(window, need)
    if (beyond) return [beyond]
    const first = firstPageIndex(window)
    const pages: Found[] = []
    const stored: Stored<Page>[] = []
    do {
      const page = this.#pages.find(pageCall(window.list, first + pages.length), need)
      if (!page) return undefined
      pages.push(page)
      stored.push(page.stored)
    } while (pages.length < pageCount(window, newest(stored).value.total))
    return seamIn(window, stored) ? undefined : pages
  }

  /** Who walks a list will want its next page. */
  #readAhead(window: Window, total: number, team: string): void {
    if (window.list.of === 'chat' || !this.#walks.goesOn(window, team)) return
    const next = firstPageIndex({ ...window, offset: window.offset + window.limit - 1 }) + 1
    // Not before the next step of the walk needs it.
    const needed = Math.min(window.offset + 2 * window.limit, total)
    if (next * pageSize < needed) this.#pages.readAhead(pageCall(window.list, next), team)
  }

  /**
   * The window's pages, fitted together. Pages stored at different moments may disagree: one that
   * lacks chats by the newest total is fetched again whatever its age, because a short list is
   * never passed on; of two that disagree otherwise the older one is, once, and a seam that remains
   * is said.
   */
  async #wholePages(window: Window, need: Need, known: readonly Found[]) {
    let pages = await this.#withMissing(window, need, known)
    for (let tries = 0; ; tries++) {
      const seam = seamIn(window, storedOf(pages))
      if (!seam) return pages
      const at = seam.kind === 'short' ? seam.at : olderSide(storedOf(pages), seam)
      const ageMs = this.#clock.now() - pages[at]!.stored.storedAt
      if (seam.kind === 'disagree' && (tries > 0 || ageMs < youngMs)) return marked(pages)
      if (tries > pages.length) throw neverWhole()
      try {
        pages = await this.#withMissing(window, need, await this.#replaced(window, need, pages, at))
      } catch (error) {
        // Only what is short is no answer.
        if (seam.kind === 'short' || !(error instanceof ServiceError)) throw error
        return marked(pages)
      }
    }
  }

  /**
   * The first page alone, because only its total tells which of the others exist and a call is
   * dear; all of them side by side where the end of the list has been seen.
   */
  #likelyPages(window: Window, need: Need): [Promise<Found>, ...Promise<Found>[]] {
    const fetch = (index: number) => this.#pages.fetch(pageCall(window.list, index), need)
    const end = this.#end(window, need.team)
    const further = end ? furtherPageIndexes(window, end.value.total) : []
    return [fetch(firstPageIndex(window)), ...further.map(fetch)]
  }

  /** The pages and those that the window reaches into as well, by the newest total. */
  async #withMissing(window: Window, need: Need, known: readonly Found[]) {
    const fetch = (index: number) => this.#pages.fetch(pageCall(window.list, index), need)
    let pages = known
    let missing = missingPages(window, pages)
    // Again if the list has grown meanwhile; the window bounds how often.
    while (missing.length > 0) {
      pages = [...pages, ...(await Promise.all(missing.map(fetch)))]
      missing = missingPages(window, pages)
    }
    return pages
  }

  /** The pages with a newer one at `at`. */
  async #replaced(window: Window, need: Need, pages: readonly Found[], at: number) {
    const call = pageCall(window.list, firstPageIndex(window) + at)
    const conditions = { ...need.conditions, notBefore: pages[at]!.stored.storedAt + 1 }
    return pages.with(at, await this.#pages.fetch(call, { ...need, conditions }))
  }

  /** What `list` would come to now; changes nothing. */
  prospect(window: Window, need: Need, look: Look): WindowProspect {
    const end = this.#known(this.#ends.peek(window.list.name))
    return prospectOf(window, { end, need, look, now: this.#clock.now() })
  }

  /** Where lists end is not known any more. */
  forgetEnds(): void {
    this.#endsForgottenAt = this.#clock.now()
  }

  #end({ list }: Window, team: string): Stored<Page> | undefined {
    return this.#known(this.#ends.get(list.name, team))
  }

  #known(end: Stored<Page> | undefined): Stored<Page> | undefined {
    return end && end.requestedAt > this.#endsForgottenAt ? end : undefined
  }

  /** A window that starts at or past a total that is still fresh needs no call to be empty. */
  #beyondTheEnd(window: Window, { conditions, team }: Need): Found | undefined {
    if (window.offset === 0) return undefined
    const end = this.#end(window, team)
    const now = this.#clock.now()
    if (!end || window.offset < end.value.total || now >= end.freshUntil) return undefined
    if (conditions && !satisfies(end, conditions, now)) return undefined
    return { stored: end, status: { kind: 'hit', ttlMs: end.freshUntil - now } }
  }

  #remember({ list }: Window, page: Stored<Page>, team: string): void {
    if (list.of === 'chat') return
    const known = this.#ends.get(list.name, team)
    if (known && known.storedAt >= page.storedAt) return
    this.#ends.set(list.name, { ...page, value: envelopeOf(page.value) }, team)
  }
}

function notFound(): ServiceError {
  return new ServiceError('chat_not_found', 'HelpCrunch has no chat with this id.')
}

/** The pages that the window reaches into by the newest total, and that are not there yet. */
function missingPages(window: Window, pages: readonly Found[]): number[] {
  const { total } = newest(pages.map(page => page.stored)).value
  return furtherPageIndexes(window, total).slice(pages.length - 1)
}

function neverWhole(): ServiceError {
  const detail =
    'HelpCrunch keeps changing the total of this list; its parts never fitted together.'
  return new ServiceError('upstream_invalid_response', detail)
}

function storedOf(pages: readonly Found[]): readonly Stored<Page>[] {
  return pages.map(page => page.stored)
}

function marked(pages: readonly Found[]): Found[] {
  return pages.map(page => ({ ...page, status: { ...page.status, detail: 'seam' } }))
}

/** The page without its chats, in memory of its own so that the page itself can be forgotten. */
function envelopeOf({ bytes, open, close, total }: Page): Page {
  const envelope = keep([bytes.subarray(0, open), bytes.subarray(close)])
  const none = { spans: new Uint32Array(), idSpans: new Uint32Array() }
  return new Page({ ...none, bytes: envelope, open, close: open, total })
}

function answer(pages: readonly Found[], rendering: Rendering, now: number): ListAnswer {
  const [only] = pages
  // Nearly all hits, and then there is nothing to combine.
  if (only && pages.length === 1) return answerOf(only, rendering, now)
  const stored = pages.map(page => page.stored)
  const oldest = stored.reduce((best, page) => (page.requestedAt < best.requestedAt ? page : best))
  // Fresh as long as all parts are, counted from where the age is.
  const freshUntil = Math.min(...stored.map(page => page.freshUntil))
  const timing = longest(pages.flatMap(page => page.timing ?? []))
  return {
    rendering,
    ageMs: now - oldest.requestedAt,
    lifetimeMs: freshUntil - oldest.requestedAt,
    status: combineCacheStatus(pages.map(page => statusAt(page, now))),
    ...(timing && { timing })
  }
}

/** The status of a page now: it was found before others were waited for. */
function statusAt({ status, stored }: Found, now: number): CacheStatus {
  return status.kind === 'hit' ? { ...status, ttlMs: stored.freshUntil - now } : status
}

function answerOf(
  { status, stored, timing }: Found,
  rendering: Rendering,
  now: number
): ListAnswer {
  const { freshUntil, requestedAt } = stored
  const [ageMs, lifetimeMs] = [now - requestedAt, freshUntil - requestedAt]
  const answer = { rendering, ageMs, lifetimeMs, status, version: stored.version }
  return timing ? { ...answer, timing } : answer
}

/** Calls of one answer run side by side, so the longest of each is what the caller felt. */
function longest(timings: readonly Timing[]): Timing | undefined {
  if (timings.length === 0) return undefined
  return {
    queueMs: Math.max(...timings.map(timing => timing.queueMs)),
    upstreamMs: Math.max(...timings.map(timing => timing.upstreamMs))
  }
}
