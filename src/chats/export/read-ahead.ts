/**
 * Reads the next windows of a walk side by side while somebody waits for them, so that neither a slow
 * upstream nor the line for slots costs the walk its rate. Which windows will be wanted is only a
 * guess: one that turns out not to hold the chat at which the walk has arrived, because the list
 * changed between them, is read again. One that does holds everything after that chat, too, whenever
 * it was read.
 */

import type { Page } from '../../page.ts'
import { pageSize } from '../windows.ts'

/** Windows of one walk that are read at one time. */
export const mostAtOnce = 4

/** Consecutive windows share one chat. */
const stride = pageSize - 1

export interface ReadAheadOptions {
  readonly read: (offset: number) => Promise<Page>
  /** The same with less patience: what fails is read again when it is wanted. */
  readonly guess: (offset: number) => Promise<Page>
}

export class ReadAhead {
  readonly #options: ReadAheadOptions
  readonly #begun = new Map<number, Promise<Page>>()
  #offset = 0
  #last: Page | undefined

  constructor(options: ReadAheadOptions) {
    this.#options = options
  }

  /** The window at `offset`, perhaps begun before if the chat `lastId` is in it. */
  async read(offset: number, lastId: string | undefined): Promise<Page> {
    this.#offset = offset
    const guess = this.#begun.get(offset)
    for (const other of this.#begun.keys()) {
      if (other <= offset || (other - offset) % stride !== 0) this.#begun.delete(other)
    }
    const guessed = await guess?.catch(() => undefined)
    const isRight = guessed && (lastId === undefined || guessed.ids.includes(lastId))
    this.#last = isRight ? guessed : await this.#options.read(offset)
    return this.#last
  }

  /** Somebody waits for the window that is being read, and will want those after it. */
  hurry(): void {
    // After a short window the next one begins elsewhere.
    if (this.#last?.count !== pageSize) return
    for (let step = 1; step < mostAtOnce; step++) {
      const offset = this.#offset + step * stride
      // The one before it is the last one.
      if (offset + 1 >= this.#last.total) return
      if (!this.#begun.has(offset)) this.#begin(offset)
    }
  }

  #begin(offset: number): void {
    const page = this.#options.guess(offset)
    // Perhaps nobody asks for it; who does, reads it again.
    page.catch(() => {})
    this.#begun.set(offset, page)
  }
}
