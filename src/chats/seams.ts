/**
 * Where adjacent pages of one list, stored at different moments, do not fit together: a page that
 * lacks chats by the newest total, a chat that stands on both sides, totals that differ.
 */

import type { Page } from '../page.ts'
import type { Stored } from '../ports.ts'
import type { Window } from './lists.ts'
import { firstPageIndex, newest, pageSize } from './windows.ts'

/** Parts that disagree and are younger than this are not fetched again for it. */
export const youngMs = 2000

export interface Seam {
  /** `short`: page `at` lacks chats. `disagree`: pages `at` and `at + 1` do. */
  readonly kind: 'short' | 'disagree'
  readonly at: number
}

/**
 * The worst seam, if there is any: missing chats first.
 *
 * @param firstOffset where the first of the adjacent pages starts
 * @param end where the window, or by the newest page the list, ends
 */
function seamOf(pages: readonly Page[], firstOffset: number, end: number): Seam | undefined {
  const short = pages.findIndex((page, at) => {
    const left = end - firstOffset - at * pageSize
    return page.count < Math.min(pageSize, left)
  })
  if (short >= 0) return { kind: 'short', at: short }
  const odd = pages.slice(0, -1).findIndex((page, at) => disagree(page, pages[at + 1]!))
  return odd < 0 ? undefined : { kind: 'disagree', at: odd }
}

/** The same of the pages that a window is cut from. */
export function seamIn(window: Window, stored: readonly Stored<Page>[]): Seam | undefined {
  const end = Math.min(window.offset + window.limit, newest(stored).value.total)
  const [only] = stored
  const first = firstPageIndex(window) * pageSize
  // Nearly always: a page that has what the window wants of it has no seam.
  if (only && stored.length === 1 && only.value.count >= Math.min(pageSize, end - first)) return
  const values = stored.map(page => page.value)
  return seamOf(values, first, end)
}

/** Which of two pages that disagree is fetched again. */
export function olderSide(stored: readonly Stored<Page>[], { at }: Seam): number {
  return stored[at]!.storedAt <= stored[at + 1]!.storedAt ? at : at + 1
}

/** A list that shifted by one shows the last chat of a page again as the first of the next. */
function disagree(page: Page, next: Page): boolean {
  if (page.total !== next.total) return true
  if (page.count === 0 || next.count === 0) return false
  const last = page.idAt(page.count - 1)
  return last !== '' && last === next.idAt(0)
}
