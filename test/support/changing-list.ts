/**
 * A list that changes while it is read: chats are added at its end, deleted and rewritten, between
 * calls and during them. It remembers which chats were there all the time, and everything that each
 * of them ever said, which is what an export of it is judged by.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Page } from '../../src/page.ts'
import { pageOf } from './pages.ts'

export type Change =
  | { readonly kind: 'add'; readonly count: number }
  /** `count` chats from a place relative to where was read last. */
  | { readonly kind: 'delete-near'; readonly from: number; readonly count: number }
  /** `count` chats from a place relative to the whole. */
  | { readonly kind: 'delete-at'; readonly part: number; readonly count: number }
  | { readonly kind: 'rewrite'; readonly part: number }

const few = fc.integer({ min: 1, max: 3 })
const part = fc.double({ min: 0, max: 1, noNaN: true })

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), count: few }),
  fc.record({
    kind: fc.constant('delete-near' as const),
    from: fc.integer({ min: -250, max: 120 }),
    count: fc.oneof(few, fc.integer({ min: 50, max: 260 }))
  }),
  // The chat that the next window should begin with.
  fc.record({
    kind: fc.constant('delete-near' as const),
    from: fc.integer({ min: -3, max: 0 }),
    count: few
  }),
  fc.record({ kind: fc.constant('delete-at' as const), part, count: few }),
  fc.record({ kind: fc.constant('rewrite' as const), part })
)

/** What happens before and after each look at the list. */
export const schedules: fc.Arbitrary<Change[][]> = fc.array(fc.array(change, { maxLength: 3 }), {
  maxLength: 30
})

interface Chat {
  readonly id: number
  text: string
}

export class ChangingList {
  readonly #schedule: Change[][]
  readonly #texts = new Map<number, Set<string>>()
  readonly #deleted = new Set<number>()
  #chats: Chat[] = []
  #first: ReadonlySet<number> | undefined
  #made = 0
  #lastOffset = 0
  /** Looks at the list so far. */
  reads = 0

  constructor(size: number, schedule: readonly Change[][] = []) {
    this.#schedule = [...schedule]
    this.apply({ kind: 'add', count: size })
  }

  get size(): number {
    return this.#chats.length
  }

  get ids(): number[] {
    return this.#chats.map(chat => chat.id)
  }

  /** One look, as a call that asks for at most `most` chats has it. */
  read(offset: number, most = 100): Page {
    this.#change()
    this.#first ??= new Set(this.#chats.map(chat => chat.id))
    this.#lastOffset = offset
    this.reads++
    const texts = this.#chats.slice(offset, offset + most).map(chat => chat.text)
    const page = pageOf(texts, this.#chats.length)
    this.#change()
    return page
  }

  apply(change: Change): void {
    switch (change.kind) {
      case 'add':
        for (let count = 0; count < change.count; count++) this.#add()
        break
      case 'delete-near':
        this.#delete(this.#lastOffset + 99 + change.from, change.count)
        break
      case 'delete-at':
        this.#delete(Math.floor(change.part * this.#chats.length), change.count)
        break
      case 'rewrite': {
        const chat = this.#chats[Math.floor(change.part * this.#chats.length)]
        if (chat) this.#write(chat)
      }
    }
  }

  /**
   * @param since the chats that were there at the start, by default those of the first look
   * @throws {AssertionError} unless each chat that was always there is given exactly once, in order
   */
  judge(texts: readonly string[], since: Iterable<number> = this.#first ?? []): void {
    const given = texts.map(text => JSON.parse(text).id as number)
    assert.equal(new Set(given).size, given.length, 'a chat is given twice')
    assert.deepEqual(
      given,
      given.toSorted((a, b) => a - b),
      'out of order'
    )
    for (const [at, text] of texts.entries()) {
      assert(this.#texts.get(given[at]!)?.has(text), `${text} never stood in the list`)
    }
    const there = new Set(given)
    const missing = [...since].filter(id => !this.#deleted.has(id) && !there.has(id))
    assert.deepEqual(missing, [], 'chats that were there all the time are missing')
  }

  #change(): void {
    for (const change of this.#schedule.shift() ?? []) this.apply(change)
  }

  #add(): void {
    const chat = { id: ++this.#made, text: '' }
    this.#chats.push(chat)
    this.#write(chat)
  }

  #write(chat: Chat): void {
    const versions = this.#texts.get(chat.id) ?? new Set()
    chat.text = `{ "id":${chat.id},"v" : ${versions.size}.0 }`
    this.#texts.set(chat.id, versions.add(chat.text))
  }

  #delete(from: number, count: number): void {
    const gone = this.#chats.splice(Math.max(from, 0), Math.min(from, 0) + count)
    for (const { id } of gone) this.#deleted.add(id)
  }
}
