/**
 * How often a page is worth a call: where more chats change than on pages on the whole, sooner than
 * after a lifetime, where fewer do, later. So every call brings about as much news, and they are no
 * more in all, however busy the desk. What is called fresh does not depend on it.
 */

import type { Page } from '../page.ts'
import type { Lifetimes } from './freshness.ts'

/** Between these parts of a freshness lifetime; as stale as the upper one nobody is made to wait. */
const shortest = 1 / 3
const longest = 1.8
/** And no nearer than this to the end of the window in which a reader does not wait. */
const revalidatePart = 3 / 4

/** What the mean over all pages forgets with each look. */
const forgotten = 1 / 50

export class Rhythm {
  readonly #lifetimes: Lifetimes
  #looks = 0
  /** How many items of a page change in a lifetime, over the latest looks at any page. */
  #mean = 0

  constructor(lifetimes: Lifetimes) {
    this.#lifetimes = lifetimes
  }

  /**
   * The time after which the page is worth the next call. What is lost by looking too late grows
   * with the square of the time, so the period follows the root of the rate.
   *
   * @param news how many of its items changed between two looks
   */
  nextPeriodMs(news: number, elapsedMs: number): number {
    const { freshMs, staleWhileRevalidateMs } = this.#lifetimes
    const rate = (news * freshMs) / Math.max(elapsedMs, 1)
    this.#looks++
    this.#mean += Math.max(forgotten, 1 / this.#looks) * (rate - this.#mean)
    const most = Math.min(longest * freshMs, freshMs + revalidatePart * staleWhileRevalidateMs)
    const wanted = rate === 0 ? most : freshMs * Math.sqrt(this.#mean / rate)
    return Math.max(Math.min(wanted, most), shortest * freshMs)
  }
}

/** How many of the newer page's items the older one does not hold in the same text. */
export function newsOf(older: Page, newer: Page): number {
  const known = new Set(textsOf(older))
  return textsOf(newer).filter(text => !known.has(text)).length
}

/** Byte for byte, so an encoding that cannot fail will do. */
function textsOf({ bytes, count, spans }: Page): string[] {
  return Array.from({ length: count }, (_, item) =>
    bytes.toString('latin1', spans[2 * item], spans[2 * item + 1])
  )
}
