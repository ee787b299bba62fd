/**
 * Pages in the store that replicas share, and who fetches which. What is there is used only if it
 * is a page of this key, whole, and of this era of the store's clock; whatever else is there is
 * deleted, told once in a while, and no page.
 */

import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Page } from '../page.ts'
import type { Priority, Stored } from '../ports.ts'
import { readTimeoutMs, type SharedStore } from '../shared-store.ts'
import { type Envelopes, headLength, readHead, type SharedPage, writeHead } from './envelope.ts'
import type { Link } from './shared-link.ts'
import {
  approachScript,
  discardScript,
  holdScript,
  peekScript,
  putScript,
  releaseScript
} from './shared-scripts.ts'

/** A page as it is stored here, but for its version, which is this replica's own. */
export type Foreign = Omit<Stored<Page>, 'version'>

export type Approach =
  /** `page` is undefined if what is there is not one; either way `head` tells it from others. */
  | { readonly kind: 'page'; readonly head: Buffer; readonly page: Foreign | undefined }
  /** Nobody else fetches it while the lease is held. */
  | { readonly kind: 'claimed'; readonly lease: Lease }
  /** Another replica does; `isSent` once its call has left. */
  | { readonly kind: 'held'; readonly forMs: number; readonly isSent: boolean }

/** `now`: who fetches it for somebody whose time is nearly over, and can send at once. */
export type Urgency = Priority | 'now'

export interface Lease {
  readonly id: string
  readonly token: number
  readonly urgency: Urgency
}

export interface HeldLease extends Lease {
  /** Whether the call has left that it is for. */
  readonly isSent: boolean
}

export interface SharedPagesOptions {
  readonly store: SharedStore
  readonly clock: Clock
  readonly link: Link
  /** Bytes that all pages may take in the store. */
  readonly maxBytes: number
  readonly envelopes: Pick<Envelopes, 'seal' | 'unseal'>
  readonly warn: (message: string) => void
}

/** A holder that is gone is succeeded after this. */
export const leaseMs = 1000

/** A larger page, compressed, is not shared. */
const largestBytes = 4 * 1024 * 1024

/** Damage is told no more often than this. */
const tellEveryMs = 60_000

const classes: Readonly<Record<Urgency, number>> = { bulk: 0, refresh: 1, interactive: 2, now: 3 }

export class SharedPages {
  readonly #options: SharedPagesOptions
  #toldAt = -Infinity

  constructor(options: SharedPagesOptions) {
    this.#options = options
  }

  /** What messages call a key. */
  idOf(key: string): string {
    return createHash('sha256').update(key).digest('hex').slice(0, 32)
  }

  /**
   * @param seen the head of what was there before and is of no use
   * @returns undefined if the store does not answer in time: then everybody is by himself
   */
  async approach(
    key: string,
    seen: Buffer | undefined,
    urgency: Urgency
  ): Promise<Approach | undefined> {
    const { link } = this.#options
    if (!link.isUp) return undefined
    const id = this.idOf(key)
    const args = [
      ...[seen ?? '', leaseMs, link.owner, classes[urgency]],
      ...[largestBytes, link.channel, id]
    ]
    const call = { keys: this.#keys(id), args, timeoutMs: readTimeoutMs }
    try {
      const [kind, first, second, word] = await link.exchange(approachScript, call)
      switch (String(kind)) {
        case 'page':
          return await this.#found(key, first as Buffer)
        case 'held':
          if (String(word)) this.#tell()
          return { kind: 'held', forMs: Number(first), isSent: String(second) === 'sent' }
        default:
          if (String(second)) this.#tell()
          return { kind: 'claimed', lease: { id, token: Number(first), urgency } }
      }
    } catch {
      return undefined
    }
  }

  /** For who would not fetch it; undefined also if the store does not answer in time. */
  async peek(key: string): Promise<Foreign | undefined> {
    const { link } = this.#options
    if (!link.isUp) return undefined
    const keys = this.#keys(this.idOf(key))
    try {
      const call = { keys, args: [largestBytes], timeoutMs: readTimeoutMs }
      const [bytes] = await link.exchange(peekScript, call)
      return bytes === undefined ? undefined : await this.#opened(key, bytes as Buffer)
    } catch {
      return undefined
    }
  }

  /** Keeps it for all replicas, if it is newer than what they have, and gives the lease back. */
  async put(key: string, stored: Foreign, { id, token }: Lease): Promise<void> {
    const { clock, envelopes, link, maxBytes, store } = this.#options
    const lifetimeMs = Math.floor(stored.errorUntil - clock.now())
    const { era, storeClock } = link
    if (era === undefined || lifetimeMs < 1) return this.#gaveUp(id, token)
    const shared = moved(stored, at => storeClock.toStore(at))
    const head = { requestedAt: shared.requestedAt, token, era }
    const bytes = await envelopes.seal(key, head, shared)
    if (bytes.length > largestBytes) return this.#gaveUp(id, token)
    const written = readHead(Buffer.from(writeHead(head)))!
    const args = [
      ...[...link.common, era, '', bytes, lifetimeMs, maxBytes],
      ...[token, written.requestedAt, link.channel, `done ${id}`]
    ]
    await store.run(putScript, { keys: this.#keys(id), args })
  }

  /** @param says what to tell those who wait */
  async release({ id, token }: Lease, says: string): Promise<void> {
    const { link, store } = this.#options
    await store.run(releaseScript, {
      keys: [link.key(`cache:lease:${id}`)],
      args: [token, link.channel, says]
    })
  }

  /**
   * Says that the holder of these leases is still there.
   * @param says what to tell those who wait, if the first of them is its own
   * @returns of each whether it is its own: false if there is another holder by now
   */
  async hold(leases: readonly HeldLease[], says = ''): Promise<readonly boolean[]> {
    const { link, store } = this.#options
    const each = leases.flatMap(({ isSent, token, urgency }) => {
      const state = isSent ? 'sent' : 'waiting'
      return [token, classes[urgency], state]
    })
    const held = await store.run(holdScript, {
      keys: leases.map(({ id }) => link.key(`cache:lease:${id}`)),
      args: [link.owner, leaseMs, link.channel, says, ...each]
    })
    return leases.map((_, index) => Array.isArray(held) && held[index] === 1)
  }

  #gaveUp(id: string, token: number): Promise<void> {
    return this.release({ id, token, urgency: 'bulk' }, `done ${id}`)
  }

  #keys(id: string): string[] {
    const { link } = this.#options
    const names = ['cache:index', 'cache:sizes', `cache:page:${id}`, `cache:lease:${id}`]
    return [...link.commonKeys, ...names.map(name => link.key(name))]
  }

  async #found(key: string, bytes: Buffer): Promise<Approach> {
    return {
      ...{ kind: 'page', head: bytes.subarray(0, headLength) },
      page: await this.#opened(key, bytes)
    }
  }

  async #opened(key: string, bytes: Buffer): Promise<Foreign | undefined> {
    const { clock, envelopes, link } = this.#options
    const { era, storeClock } = link
    const known = readHead(bytes)
    // Its instants were told by another clock, and nobody knows how old it is.
    if (known && known.era !== era) return undefined
    const shared = await envelopes.unseal(key, bytes)
    if (!shared) {
      this.#discard(key, bytes.subarray(0, headLength))
      return undefined
    }
    const page = movedHere(shared, at => storeClock.earliestHere(at))
    return page.storedAt > clock.now() ? undefined : page
  }

  #discard(key: string, head: Buffer): void {
    const { link, store } = this.#options
    this.#tell()
    const keys = [link.key(`cache:page:${this.idOf(key)}`)]
    store.run(discardScript, { keys, args: [head] }).catch(() => {})
  }

  #tell(): void {
    const { clock, warn } = this.#options
    const now = clock.now()
    if (now < this.#toldAt + tellEveryMs) return
    this.#toldAt = now
    warn('the store held something that is no page of this version; it was deleted')
  }
}

function moved({ value, ...instants }: Foreign, move: (at: number) => number): SharedPage {
  return { page: value, ...movedInstants(instants, move) }
}

function movedHere({ page, ...instants }: SharedPage, move: (at: number) => number): Foreign {
  return { value: page, ...movedInstants(instants, move) }
}

type Instants = Omit<SharedPage, 'page'>

function movedInstants(instants: Instants, move: (at: number) => number): Instants {
  return {
    requestedAt: move(instants.requestedAt),
    storedAt: move(instants.storedAt),
    freshUntil: move(instants.freshUntil),
    revalidateUntil: move(instants.revalidateUntil),
    errorUntil: move(instants.errorUntil),
    refreshAt: move(instants.refreshAt),
    periodMs: instants.periodMs
  }
}
