/**
 * Answers as they go out, kept beside the pages they were cut from, so that giving one again costs
 * a lookup. An answer stays right as long as the versions of its pages are the same.
 */

import type { Page } from '../page.ts'
import type { Shelf, Stored } from '../ports.ts'
import type { Window } from './lists.ts'
import { Rendering } from './rendering.ts'
import { cutWindow, newest } from './windows.ts'

/** An answer, and what it was made of. */
export interface Rendered {
  readonly rendering: Rendering
  /** The versions of the pages, the one that lent its envelope last. */
  readonly versions: readonly number[]
}

export class Renderings {
  readonly #shelf: Shelf<Rendered>
  /** Of windows that are asked for again: a text that is new each time has to be hashed again. */
  readonly #keys = new WeakMap<Window, string>()

  constructor(shelf: Shelf<Rendered>) {
    this.#shelf = shelf
  }

  /**
   * The window of these pages.
   *
   * @param pages adjacent pages of one list, from the one in which the window starts
   */
  of(window: Window, pages: readonly Stored<Page>[], team: string): Rendering {
    const key = keyOf(window)
    const envelope = newest(pages)
    const known = this.#shelf.get(key, team)
    if (known && isOf(known.versions, pages, envelope)) return known.rendering
    const versions = [...pages, envelope].map(page => page.version)
    const rendered = {
      rendering: new Rendering(cutWindow(window, pages), envelope.value.total, () => {
        // Its variants take room as well, if it is still kept.
        if (this.#shelf.get(key, team) === rendered) this.#shelf.set(key, rendered, team)
      }),
      versions
    }
    this.#shelf.set(key, rendered, team)
    return rendered.rendering
  }

  /** The window of one page of this version, if it is kept. */
  kept(window: Window, version: number, team: string): Rendering | undefined {
    const known = this.#shelf.get(this.#keptKeyOf(window), team)
    const isOfOne = known?.versions.length === 2 && known.versions[0] === version
    return isOfOne ? known.rendering : undefined
  }

  #keptKeyOf(window: Window): string {
    const known = this.#keys.get(window)
    if (known !== undefined) return known
    const key = keyOf(window)
    this.#keys.set(window, key)
    return key
  }
}

function keyOf({ limit, list, offset }: Window): string {
  return `${list.name} ${offset} ${limit}`
}

/** What a rendered answer takes in memory. */
export function renderedBytes({ rendering, versions }: Rendered): number {
  return rendering.bytes + 8 * versions.length
}

function isOf(
  versions: readonly number[],
  pages: readonly Stored<Page>[],
  envelope: Stored<Page>
): boolean {
  const { length } = pages
  if (versions.length !== length + 1 || versions[length] !== envelope.version) return false
  return pages.every(({ version }, at) => version === versions[at])
}
