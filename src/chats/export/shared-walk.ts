/**
 * One walk for several readers at their own speeds. Promises: each reader gets every batch, in
 * order; no reader waits for another one; a window is read once for all who are near enough, at most
 * one ahead of the fastest, or a few if that one waits; memory is bounded. A reader that falls too
 * far behind goes on in a walk of its own, from where it is; when the last one has left, nothing more
 * is read.
 */

import type { Clock } from '../../clock.ts'
import type { Page } from '../../page.ts'
import { ReadAhead } from './read-ahead.ts'
import type { Errand, Patience } from './reading.ts'
import { type Batch, type Place, Walk } from './walk.ts'

export interface SharedWalkOptions {
  readonly clock: Clock
  readonly place: Place
  readonly read: (offset: number, errand: Errand) => Promise<Page>
  /** Until the first batch is there. */
  readonly opening: Patience
}

/** Where a reader is. */
export interface Cursor {
  readonly team: string
  /** Another one once it has fallen behind. */
  walk: SharedWalk
  /** Batches of that walk that it has taken. */
  taken: number
}

/** Others may join a walk this long after its start: what they then get was read so long ago. */
const joinMs = 10_000

/** A reader is too far behind if more than this would have to be kept for it. */
const mostBatchesKept = 32
const mostBytesKept = 8 * 1024 * 1024

export class SharedWalk {
  readonly #options: SharedWalkOptions
  readonly #walk: Walk
  readonly #ahead: ReadAhead
  /** How many readers had joined when a window was asked for. */
  readonly #joinsBefore = new WeakMap<Page, number>()
  readonly #readers = new Set<Cursor>()
  readonly #stopped = new AbortController()
  /** Batches that somebody has still to take, or may yet; those before them were dropped. */
  readonly #kept: Batch[] = []
  #dropped = 0
  #joins = 0
  #reading: Promise<void> | undefined
  #startedAt: number | undefined
  #failure: { readonly error: unknown } | undefined
  #hasEnded = false

  constructor(options: SharedWalkOptions) {
    this.#options = options
    this.#ahead = new ReadAhead({
      read: offset =>
        this.#read(offset, this.#startedAt === undefined ? options.opening : { kind: 'under-way' }),
      guess: offset => this.#read(offset, { kind: 'guess' })
    })
    this.#walk = new Walk(options.place, {
      read: (offset, lastId) => this.#ahead.read(offset, lastId),
      // A chat made before the latest reader came may be missing in it.
      mayEnd: page => this.#joinsBefore.get(page) === this.#joins
    })
  }

  /** How many chats the list had when it was last read. */
  get total(): number {
    return this.#walk.total
  }

  /**
   * Whether another reader may begin now: the start was read lately, and the end not yet, or a chat
   * made before the reader came might be missing.
   */
  get isJoinable(): boolean {
    const { clock } = this.#options
    const age = clock.now() - (this.#startedAt ?? clock.now())
    const isGoingOn = !this.#hasEnded && !this.#failure && !this.#stopped.signal.aborted
    return isGoingOn && this.#dropped === 0 && age <= joinMs
  }

  join(team: string): Cursor {
    this.#joins++
    const cursor = { team, walk: this, taken: 0 }
    this.#readers.add(cursor)
    return cursor
  }

  leave(cursor: Cursor, reason: unknown): void {
    this.#readers.delete(cursor)
    if (this.#readers.size === 0) this.stop(reason)
    else this.#trim()
  }

  /** Reads nothing more: who has not got all it needs fails with the reason. */
  stop(reason: unknown): void {
    if (!this.#hasEnded) this.#stopped.abort(reason)
  }

  /** Resolves when there is a batch for this reader, or none will come. */
  async reach(cursor: Cursor): Promise<void> {
    while (cursor.taken === this.#front && !this.#hasEnded) {
      const reading = this.#readOn()
      if (this.#startedAt !== undefined && !this.#failure) this.#ahead.hurry()
      await reading
    }
  }

  /**
   * The next batch for a reader of this walk; undefined at the end. While it is used, the one after
   * it is read.
   */
  async take(cursor: Cursor): Promise<Batch | undefined> {
    await this.reach(cursor)
    const batch = this.#kept[cursor.taken - this.#dropped]
    if (!batch) return undefined
    cursor.taken++
    this.#trim()
    if (cursor.taken === this.#front) void this.#readOn()
    return batch
  }

  /** Batches read so far. */
  get #front(): number {
    return this.#dropped + this.#kept.length
  }

  /** @throws what the walk failed with, now or before */
  #readOn(): Promise<void> {
    if (this.#failure) return rejected(this.#failure.error)
    if (this.#hasEnded) return Promise.resolve()
    this.#reading ??= this.#readBatch().finally(() => {
      this.#reading = undefined
    })
    // A reader that wants the batch is told; one that is only read ahead fails nobody yet.
    this.#reading.catch(() => {})
    return this.#reading
  }

  async #readBatch(): Promise<void> {
    try {
      const batch = await this.#walk.next()
      this.#startedAt ??= this.#options.clock.now()
      if (batch) this.#kept.push(batch)
      this.#hasEnded = this.#walk.hasEnded
      this.#trim()
    } catch (error) {
      this.#failure = { error }
      // Windows that were begun ahead are of no use any more.
      this.#stopped.abort(error)
      throw error
    }
  }

  async #read(offset: number, patience: Patience): Promise<Page> {
    const joins = this.#joins
    const page = await this.#options.read(offset, {
      teams: [...new Set(Array.from(this.#readers, reader => reader.team))],
      signal: this.#stopped.signal,
      patience
    })
    this.#joinsBefore.set(page, joins)
    return page
  }

  /** Drops what everybody has taken, and then, if it is still too much, what the slowest has not. */
  #trim(): void {
    const taken = Array.from(this.#readers, reader => reader.taken)
    const needed = this.isJoinable ? 0 : Math.min(...taken, this.#front)
    this.#drop(needed - this.#dropped)
    while (this.#kept.length > 1 && this.#keepsTooMuch()) {
      this.#leaveBehind()
      this.#drop(1)
    }
  }

  #drop(count: number): void {
    if (count <= 0) return
    this.#kept.splice(0, count)
    this.#dropped += count
  }

  #keepsTooMuch(): boolean {
    const bytes = this.#kept.reduce((sum, batch) => sum + batch.bytes, 0)
    return this.#kept.length > mostBatchesKept || bytes > mostBytesKept
  }

  /** Readers that still need the oldest batch go on together, without the others. */
  #leaveBehind(): void {
    const behind = Array.from(this.#readers).filter(reader => reader.taken === this.#dropped)
    if (behind.length === 0) return
    const place = this.#walk.placeBefore(this.#kept[0]!)
    const own = new SharedWalk({ ...this.#options, place })
    own.#startedAt = this.#startedAt
    for (const reader of behind) {
      this.#readers.delete(reader)
      own.#readers.add(reader)
      reader.walk = own
      reader.taken = 0
    }
  }
}

/** A promise that may be left alone. */
function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}
