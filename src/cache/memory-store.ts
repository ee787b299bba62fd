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
  readonly key: string
  readonly value: unknown
  readonly bytes: number
  /** All of its kind. */
  readonly among: Entries
  owner: string
}

type Entries = Map<string, Entry>
type Owner = LRUCache<Entry, Entry>

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
  /** By shelf: joined with its name, a key would be a new string each time, to be hashed again. */
  readonly #shelves = new Map<string, Entries>()
  readonly #onEvicted: (reason: EvictionReason) => void
  #bytes = 0

  constructor({ maxBytes, weights, onEvicted = () => {} }: MemoryStoreOptions) {
    this.#maxBytes = Math.floor(maxBytes)
    this.#onEvicted = onEvicted
    this.#weights = weights
    this.#weightOfAll = [...weights.values()].reduce((sum, weight) => sum + weight, 1)
  }

  get entries(): number {
    return [...this.#shelves.values()].reduce((sum, { size }) => sum + size, 0)
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
    const among: Entries = this.#shelves.get(name) ?? new Map()
    this.#shelves.set(name, among)
    return {
      get: (key, team) => this.#get(among.get(key), team) as Value | undefined,
      peek: key => among.get(key)?.value as Value | undefined,
      set: (key, value, team) => {
        const bytes = bytesOf(value) + overheadBytes + 2 * key.length
        return this.#set({ key, value, bytes, among, owner: team })
      }
    }
  }

  #get(entry: Entry | undefined, team: string): unknown {
    if (!entry) return undefined
    if (entry.owner === team || entry.owner === everybody) {
      this.#owners.get(entry.owner)!.get(entry)
    } else this.#put(entry, everybody)
    return entry.value
  }

  #set(entry: Entry): boolean {
    const { among, bytes, key, owner: team } = entry
    const known = among.get(key)
    const owner = known?.owner ?? team
    if (known) this.#drop(known)
    if (bytes > this.#maxBytes * largestShare) {
      this.#onEvicted('too-large')
      return false
    }
    this.#put(entry, owner === team ? team : everybody)
    while (this.#bytes > this.#maxBytes) {
      this.#heaviest()?.pop()
      this.#onEvicted('room')
    }
    return among.has(key)
  }

  #put(entry: Entry, owner: string): void {
    this.#drop(entry)
    entry.owner = owner
    entry.among.set(entry.key, entry)
    this.#bytes += entry.bytes
    const entries = this.#owners.get(owner) ?? this.#makeOwner(owner)
    entries.set(entry, entry, { size: entry.bytes })
  }

  #drop(entry: Entry): void {
    this.#owners.get(entry.owner)?.delete(entry)
  }

  /** Teams are configured, so there are few owners. */
  #makeOwner(name: string): Owner {
    const entries: Owner = new LRUCache<Entry, Entry>({
      maxSize: Math.max(this.#maxBytes, 1),
      dispose: ({ among, bytes, key }) => {
        among.delete(key)
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
