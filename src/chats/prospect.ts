/**
 * What a window would come to now, by the steps that `chats.ts` takes for real: which pages, and
 * for each whether it is served or waited for. Pure; what is not known before a call is answered is
 * said not to be.
 */

import type { Page } from '../page.ts'
import { type Call, keyOf, type Look, type Need, type PageProspect, type Stored } from '../ports.ts'
import type { Window } from './lists.ts'
import { olderSide, seamIn, youngMs } from './seams.ts'
import { firstPageIndex, furtherPageIndexes, newest, pageCall, pageSize } from './windows.ts'

export interface WindowProspect {
  /** None where the window lies past a known end. */
  readonly pages: readonly PageProspect[]
  /** Those that come to it if what is stored of the first one is served after all. */
  readonly further: readonly PageProspect[]
  /** The end by which it does. */
  readonly end?: Stored<Page>
  /** False if the first answer has to show whether there are further pages. */
  readonly isWhole: boolean
}

/** Who can look at pages, here and where else they are stored. */
export interface Lookout {
  look(call: Call, need: Need, elsewhere?: Stored<Page>): PageProspect
  peekElsewhere(call: Call): Promise<Stored<Page> | undefined>
}

/** The same with what is stored elsewhere of those pages that a call would be made for. */
export async function prospectAmong(
  prospect: (look: Look) => WindowProspect,
  lookout: Lookout
): Promise<WindowProspect> {
  const elsewhere = new Map<string, Stored<Page> | undefined>()
  for (;;) {
    const found = prospect((call, need) => lookout.look(call, need, elsewhere.get(keyOf(call))))
    const unknown = [...found.pages, ...found.further].filter(
      ({ call, from }) => from === 'call' && !elsewhere.has(keyOf(call))
    )
    if (unknown.length === 0) return found
    const note = async ({ call }: PageProspect) =>
      elsewhere.set(keyOf(call), await lookout.peekElsewhere(call))
    await Promise.all(unknown.map(note))
  }
}

export interface Circumstances {
  /** Where the list ends, as last seen. */
  readonly end: Stored<Page> | undefined
  readonly need: Need
  readonly look: Look
  readonly now: number
}

export function prospectOf(window: Window, circumstances: Circumstances): WindowProspect {
  const { end, need, look, now } = circumstances
  if (end && window.offset > 0 && window.offset >= end.value.total && now < end.freshUntil) {
    return { pages: [], further: [], end, isWhole: true }
  }
  const pageAt = (index: number) => look(pageCall(window.list, index), need)
  const stored = storedPages(window, pageAt)
  if (stored) {
    return { pages: mended(window, stored, circumstances), further: [], isWhole: true }
  }
  const first = pageAt(firstPageIndex(window))
  const total = Math.max(end?.value.total ?? 0, servedOf([first])[0]?.value.total ?? 0)
  const indexes = furtherPageIndexes(window, total)
  const pages = [first, ...indexes.map(pageAt)]
  const ifServed = furtherPageIndexes(window, first.stored?.value.total ?? 0)
  const further = ifServed.slice(indexes.length).map(pageAt)
  const isWithinFirst = (window.offset % pageSize) + window.limit <= pageSize
  return { pages, further, isWhole: isWithinFirst || first.from === 'store' }
}

/** All that the window needs, if all of it is served. */
function storedPages(
  window: Window,
  pageAt: (index: number) => PageProspect
): readonly PageProspect[] | undefined {
  const pages: PageProspect[] = []
  for (let index = firstPageIndex(window); ; index++) {
    const page = pageAt(index)
    if (page.from !== 'store') return undefined
    pages.push(page)
    const { total } = newest(servedOf(pages)).value
    if (furtherPageIndexes(window, total).length < pages.length) return pages
  }
}

function servedOf(pages: readonly PageProspect[]): readonly Stored<Page>[] {
  return pages.flatMap(({ from, stored }) => (from === 'store' && stored ? [stored] : []))
}

/** With the page that would be fetched again because another one disagrees with it. */
function mended(
  window: Window,
  pages: readonly PageProspect[],
  { look, need, now }: Circumstances
): readonly PageProspect[] {
  const stored = servedOf(pages)
  const seam = seamIn(window, stored)
  if (!seam) return pages
  const at = seam.kind === 'short' ? seam.at : olderSide(stored, seam)
  const { storedAt } = stored[at]!
  if (seam.kind === 'disagree' && now - storedAt < youngMs) return pages
  const call: Call = pages[at]!.call
  const newer = look(call, { ...need, conditions: { notBefore: storedAt + 1 } })
  // Only what is short is no answer.
  return pages.with(at, { ...newer, hasFallback: seam.kind === 'disagree' })
}
