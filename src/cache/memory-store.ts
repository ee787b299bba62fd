/**
 * What is kept in memory: pages, and the answers rendered from them, in one bound of bytes. The
 * only file that knows lru-cache. Freshness is not its business: it forgets for want of room,
 * never for age.
 *
 * An entry belongs to the team that caused it, and to everybody once another team has used it.
 * When room is short, whoever holds the most bytes for its weight loses what it used least
 * recently; everybody together weighs as much as all teams. So a team that walks random offsets
 * fills what is idle, and then pushes out its own pages rather than those of others.
 */

import { LRUCache } from 'lru-cache'
import type { EvictionReason, Shelf } from '../ports.ts'

export interface MemoryStoreOptions {
  /** Bytes that all entries together may take. */
  readonly maxBytes: number
  /** Weight of each configured team. */
  readonly weights: ReadonlyMap<string, number>
  /** Told of every value that had to go or was not kept. */
  readonly onEvicted?: (reason: EvictionReason) => void
}

interface Entry {
  readonly value: unknown
  readonly bytes: number
}

type Owner = LRUCache<string, Entry>

/** What an entry costs besides its content: objects, map slots, list links. Measured, rounded up. */
const overheadBytes = 1200

/** A single entry may take at most this share of the store. */
const largestShare = 1 / 4

const everybody = ''

export class MemoryStore {
  readonly #maxBytes: number
  readonly #weights: ReadonlyMap<string, number>
  readonly #weightOfAll: number
  readonly #owners = new Map<string, Owner>()
  readonly #ownerOf = new Map<string, string>()
  readonly #onEvicted: (reason: EvictionReason) => void
  #bytes = 0

  constructor({ maxBytes, weights, onEvicted = () => {} }: MemoryStoreOptions) {
    this.#maxBytes = Math.floor(maxBytes)
    this.#onEvicted = onEvicted
    this.#weights = weights
    this.#weightOfAll = [...weights.values()].reduce((sum, weight) => sum + weight, 1)
  }

  get entries(): number {
    return this.#ownerOf.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  /**
   * A view on the entries of one kind.
   *
   * @param name no other shelf's
   * @param bytesOf what a value takes in memory; asked once, when it is set
   */
  shelf<Value>(name: string, bytesOf: (value: Value) => number): Shelf<Value> {
    const keyOf = (key: string) => `${name} ${key}`
    return {
      get: (key, team) => this.#get(keyOf(key), team) as Value | undefined,
      peek: key => this.#peek(keyOf(key)) as Value | undefined,
      set: (key, value, team) => this.#set(keyOf(key), { value, bytes: bytesOf(value) }, team)
    }
  }

  #get(key: string, team: string): unknown {
    const owner = this.#ownerOf.get(key)
    if (owner === undefined) return undefined
    const entry = this.#owners.get(owner)!.get(key)!
    if (owner !== team && owner !== everybody) this.#put(key, entry, everybody)
    return entry.value
  }

  #peek(key: string): unknown {
    const owner = this.#ownerOf.get(key)
    return owner === undefined ? undefined : this.#owners.get(owner)!.peek(key)!.value
  }

  #set(key: string, { bytes, value }: Entry, team: string): boolean {
    const entry = { value, bytes: bytes + overheadBytes + 2 * key.length }
    const owner = this.#ownerOf.get(key) ?? team
    this.#drop(key)
    if (entry.bytes > this.#maxBytes * largestShare) {
      this.#onEvicted('too-large')
      return false
    }
    this.#put(key, entry, owner === team ? team : everybody)
    while (this.#bytes > this.#maxBytes) {
      this.#heaviest()?.pop()
      this.#onEvicted('room')
    }
    return this.#ownerOf.has(key)
  }

  #put(key: string, entry: Entry, owner: string): void {
    this.#drop(key)
    const entries = this.#owners.get(owner) ?? this.#makeOwner(owner)
    this.#ownerOf.set(key, owner)
    this.#bytes += entry.bytes
    entries.set(key, entry, { size: entry.bytes })
  }

  #drop(key: string): void {
    const owner = this.#ownerOf.get(key)
    if (owner !== undefined) this.#owners.get(owner)!.delete(key)
  }

  /** Teams are configured, so there are few owners. */
  #makeOwner(name: string): Owner {
    const entries: Owner = new LRUCache<string, Entry>({
      maxSize: Math.max(this.#maxBytes, 1),
      dispose: ({ bytes }, key) => {
        this.#ownerOf.delete(key)
        this.#bytes -= bytes
      }
    })
    this.#owners.set(name, entries)
    return entries
  }

  #heaviest(): Owner | undefined {
    let heaviest: Owner | undefined
    let most = 0
    for (const [name, entries] of this.#owners) {
      const load = entries.calculatedSize / this.#weightOf(name)
      if (load > most) [heaviest, most] = [entries, load]
    }
    return heaviest
  }

  #weightOf(owner: string): number {
    return owner === everybody ? this.#weightOfAll : (this.#weights.get(owner) ?? 1)
  }
}
