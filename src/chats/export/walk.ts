/**
 * The whole list once, window by window, while it changes: every chat that exists from the first
 * window to the last is given out exactly once, in the upstream's order.
 *
 * Walked is `chats.createdAt asc`, the one order that only grows at its end (equal instants are
 * assumed to keep their order). Consecutive windows overlap by one chat. A deletion before the
 * position moves all later chats forward, which shows, because then the window does not begin with
 * the last chat given out; the walk goes on after that chat wherever it is in the window, or after
 * the last one before it that still exists, and steps back until it finds one (`recent-ids.ts` says
 * why that is exact). If it finds none although there were some, it says so instead of guessing.
 *
 * It knows nothing of calls, budgets and failures: reading a window is a function.
 */

import { ServiceError } from '../../errors.ts'
import type { Page } from '../../page.ts'
import type { Call } from '../../ports.ts'
import { chatList } from '../lists.ts'
import { pageSize } from '../windows.ts'
import { RecentIds } from './recent-ids.ts'

/** Remembered ids; a walk loses its place only if all of them are deleted between two windows. */
const mostRemembered = 10_000

/** Windows looked through for the place of a resumed export before it is refused. */
const mostWindowsToResume = 100

/** Where a walk goes on. */
export interface Place {
  /** Of the next window. */
  readonly offset: number
  /** The last chats before it, in their order, without gaps. */
  readonly lastIds: readonly string[]
  /** Whether there were none but these. */
  readonly isWhole: boolean
  /** Whether a caller said so, and may be wrong. */
  readonly isResumed: boolean
}

/** Where a walk through everything begins. */
export const theBeginning: Place = { offset: 0, lastIds: [], isWhole: true, isResumed: false }

/** The chats of one window that were not given out before. */
export interface Batch {
  /** Each the bytes that the upstream sent. */
  readonly chats: readonly Buffer[]
  /** How many ids the walk had remembered before them, the forgotten ones included. */
  readonly idsBefore: number
  /** Where the window began. */
  readonly offset: number
  /** Memory that it keeps alive. */
  readonly bytes: number
}

const oldestFirst = chatList({ sort: 'chats.createdAt', order: 'asc' })

/** The call for a window of the walk. */
export function windowCall(offset: number): Call {
  return oldestFirst.part(offset, pageSize)
}

export interface WalkOptions {
  /**
   * Answers with the chats from `offset` on: not none and not one, but at the end. They may have been
   * read earlier in the walk if the chat `lastId` is among them.
   */
  readonly read: (offset: number, lastId: string | undefined) => Promise<Page>
  /** Whether a window that reaches the end of the list is new enough to be the last one. */
  readonly mayEnd?: (page: Page) => boolean
}

export class Walk {
  readonly #options: WalkOptions
  readonly #known: RecentIds
  #offset: number
  #isResumed: boolean
  #lastId: string | undefined
  #windowsBack = 0
  #hasEnded = false
  #total = 0

  constructor(place: Place, options: WalkOptions) {
    this.#options = options
    this.#offset = place.offset
    this.#known = new RecentIds(mostRemembered, place.lastIds, place.isWhole)
    this.#lastId = place.lastIds.at(-1)
    this.#isResumed = place.isResumed
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** How many chats the list had when it was last read. */
  get total(): number {
    return this.#total
  }

  /**
   * The next chats; undefined once the end of the list was reached.
   *
   * @throws {ServiceError} what reading failed with, or that the place was lost; a failed read may
   * be tried again
   */
  async next(): Promise<Batch | undefined> {
    while (!this.#hasEnded) {
      const offset = this.#offset
      const page = await this.#options.read(offset, this.#lastId)
      this.#total = page.total
      const known = this.#countKnown(page, offset)
      if (known === undefined) {
        this.#stepBack(offset, page)
        continue
      }
      this.#isResumed = false
      const batch = this.#takeNew(page, offset, known)
      this.#advance(page, offset)
      if (batch.chats.length > 0) return batch
    }
    return undefined
  }

  /** Where the walk was before it gave out a batch of its own. */
  placeBefore(batch: Batch): Place {
    return {
      offset: batch.offset,
      lastIds: this.#known.first(batch.idsBefore),
      isWhole: this.#known.isWhole,
      isResumed: false
    }
  }

  /** How many chats at the start of the window were given out; undefined if it is out of place. */
  #countKnown({ ids }: Page, offset: number): number | undefined {
    // Nothing that a first window would have to fit to.
    if (this.#known.size === 0) return 0
    // At the start of the list, all that was given out may be gone.
    const mayBeGone = offset === 0 && this.#known.isWhole
    return this.#known.countKnown(ids) ?? (mayBeGone ? 0 : undefined)
  }

  /** What was given out cannot be further on than the position, so it is in the window before. */
  #stepBack(offset: number, { total }: Page): void {
    this.#windowsBack++
    const isTooFar = this.#isResumed && this.#windowsBack >= mostWindowsToResume
    if (offset === 0 || isTooFar) throw this.#isResumed ? notFound() : lost()
    this.#offset = Math.max(Math.min(offset, total) - pageSize + 1, 0)
  }

  #takeNew({ bytes, ids, spans }: Page, offset: number, known: number): Batch {
    const chats: Buffer[] = []
    const idsBefore = this.#known.added
    for (let at = known; at < ids.length; at++) {
      const id = ids[at]!
      if (this.#known.has(id)) continue
      this.#known.add(id)
      this.#lastId = id
      chats.push(bytes.subarray(spans[2 * at], spans[2 * at + 1]))
    }
    return { chats, idsBefore, offset, bytes: bytes.length }
  }

  /** The next window begins with the last chat of this one. */
  #advance(page: Page, offset: number): void {
    const end = offset + page.count
    this.#hasEnded = end >= page.total && (this.#options.mayEnd?.(page) ?? true)
    this.#offset = Math.max(end - 1, 0)
  }
}

function lost(): ServiceError {
  const detail = 'The chats that were exported last are all gone; the place in the list is lost.'
  return new ServiceError('upstream_invalid_response', detail)
}

function notFound(): ServiceError {
  const message =
    'None of these chats is in the list any more, shortly before the offset; export all of it again, ' +
    'without offset and after.'
  return new ServiceError('invalid_query', 'Not valid in the query: "after".', {
    entries: [{ code: 'after', message }]
  })
}
