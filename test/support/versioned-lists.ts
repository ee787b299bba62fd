/**
 * Lists that remember every version they ever had, so that a test can ask of any answer whether
 * there was a moment at which the upstream would have given it. Each chat's text names its revision
 * and each envelope its version; both are spelled oddly, so that whoever re-types one is found out.
 */

import type { Page } from '../../src/page.ts'
import type { Call } from '../../src/ports.ts'
import { pageOf } from './pages.ts'

/** What a list was from `at` on, until the next version. */
export interface Version {
  readonly at: number
  readonly number: number
  readonly chats: readonly string[]
}

export type Change =
  | { readonly kind: 'add'; readonly count: number; readonly front: boolean }
  | { readonly kind: 'remove'; readonly count: number; readonly at: number }
  /** A new revision of a chat, which stays where it is or moves to the front. */
  | { readonly kind: 'touch'; readonly at: number; readonly front: boolean }

export class VersionedLists {
  readonly #versions = new Map<string, Version[]>()
  readonly #texts = new Map<string, string>()
  #chats = 0
  #revisions = 0

  /** The versions of a list that were current at some moment of a span of time, oldest first. */
  between(list: string, from: number, to: number): readonly Version[] {
    const versions = this.#of(list)
    return versions.filter(({ at }, index) => at <= to && (versions[index + 1]?.at ?? to) >= from)
  }

  current(list: string): Version {
    return this.#of(list).at(-1)!
  }

  change(list: string, change: Change, now: number): void {
    const { chats, number } = this.current(list)
    this.#of(list).push({ at: now, number: number + 1, chats: this.#changed(chats, change) })
  }

  /** The text of a revision of a chat, whenever it was current. */
  textOf(id: string, revision: string): string | undefined {
    return this.#texts.get(`${id}/${revision}`)
  }

  #of(list: string): Version[] {
    const known = this.#versions.get(list)
    if (known) return known
    const versions = [{ at: -Infinity, number: 0, chats: [] }]
    this.#versions.set(list, versions)
    return versions
  }

  #changed(chats: readonly string[], change: Change): string[] {
    switch (change.kind) {
      case 'add': {
        const added = Array.from({ length: change.count }, () => this.#spell(++this.#chats))
        return change.front ? [...added, ...chats] : [...chats, ...added]
      }
      case 'remove':
        return chats.toSpliced(change.at % (chats.length + 1), change.count)
      case 'touch': {
        const old = chats[change.at % chats.length]
        if (old === undefined) return [...chats]
        const touched = this.#spell(JSON.parse(old).id)
        const others = chats.filter(chat => chat !== old)
        return others.toSpliced(change.front ? 0 : chats.indexOf(old), 0, touched)
      }
    }
  }

  #spell(id: number): string {
    const revision = ++this.#revisions
    const customer = `{"id":${1_000_000 + (id % 50)}, "name":"}]é\\u00e9\\""}`
    const text = `{ "id":${id},"revision":${revision},"at" : "1607542.0", "customer":${customer} ,"n":1e0}`
    this.#texts.set(`${id}/${revision}`, text)
    return text
  }
}

/** What the upstream answers to a call while this version is current, or less of it. */
export function pageOfVersion({ chats, number }: Version, call: Call, most = call.limit): Page {
  const { offset, limit } = call
  const part = chats.slice(offset, offset + Math.min(limit, most))
  return pageOf(part, chats.length, {
    before: `{"version":${number}, "data" :[ `,
    separator: ' ,\n',
    after: ` ],"meta":{ "total":${chats.length}}}`
  })
}

/** An answer taken apart by means of its own: it knows all texts there ever were. */
export interface Parts {
  readonly chats: readonly string[]
  /** The version of the envelope, and the total it tells. */
  readonly version: number
  readonly total: number
}

const chatStart = /\{ "id":(\d+),"revision":(\d+),/g
const envelope = /^\{"version":(\d+), "data" :\[[ ,\n]*\],"meta":\{ "total":(\d+)\}\}$/

/** @throws {Error} if anything but whole, unchanged chats stands in an unchanged envelope */
export function partsOf(body: Buffer, lists: VersionedLists): Parts {
  const text = body.toString()
  const chats: string[] = []
  let rest = ''
  let end = 0
  for (const { index, 1: id = '', 2: revision = '' } of text.matchAll(chatStart)) {
    const chat = lists.textOf(id, revision)
    if (chat === undefined || !text.startsWith(chat, index)) throw new Error(`chat ${id} is spoilt`)
    chats.push(chat)
    rest += text.slice(end, index)
    end = index + chat.length
  }
  rest += text.slice(end)
  const [, version, total] = envelope.exec(rest) ?? []
  if (version === undefined) throw new Error(`the envelope is spoilt: ${rest}`)
  if (JSON.parse(text).data.length !== chats.length) throw new Error('the list is spoilt')
  return { chats, version: Number(version), total: Number(total) }
}
