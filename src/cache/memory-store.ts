/**
 * Stored responses in memory, bounded in bytes, least recently used out first. The only file that
 * knows lru-cache. Freshness is not its business: it forgets for want of room, never for age.
 */

import { LRUCache } from 'lru-cache'
import type { Page, Stored } from '../ports.ts'

export interface PageStore {
  get(key: string): Stored<Page> | undefined
  /** Keeps the response, unless it alone would push out most of the others. */
  set(key: string, stored: Stored<Page>): boolean
}

/** What an entry costs besides its page: objects, map slot, list links. Measured, rounded up. */
const overheadBytes = 600

/** A short string, and its place in the array. */
const bytesPerId = 40

/** A single response may take at most this share of the store. */
const largestShare = 1 / 4

export function createMemoryStore(maxBytes: number): PageStore {
  const entries = new LRUCache<string, Stored<Page>>({
    maxSize: Math.floor(maxBytes),
    maxEntrySize: Math.floor(maxBytes * largestShare),
    sizeCalculation: ({ value }, key) =>
      overheadBytes +
      2 * key.length +
      value.bytes.length +
      value.spans.byteLength +
      2 * value.ids.length * bytesPerId
  })
  return {
    get: key => entries.get(key),
    set: (key, stored) => entries.set(key, stored).has(key)
  }
}
