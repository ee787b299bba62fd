/**
 * The cache's part of what replicas share: pages and who fetches them, and what is stale. Without a
 * store that answers, each replica is by itself, and is told what it missed when there is one.
 */

import type { Clock } from '../clock.ts'
import type { Need } from '../ports.ts'
import type { SharedStore } from '../shared-store.ts'
import type { Envelopes } from './envelope.ts'
import type { Landed } from './found.ts'
import { type Cargo, SharedFlights } from './shared-flights.ts'
import { Link, type OnNews } from './shared-link.ts'
import { type Foreign, SharedPages } from './shared-pages.ts'

export interface SharedCacheOptions {
  readonly store: SharedStore
  readonly clock: Clock
  /** How long any page may be served. */
  readonly keepMs: number
  /** Bytes that all pages may take in the store. */
  readonly maxBytes: number
  /** The store gets no page in clear text. */
  readonly envelopes: Pick<Envelopes, 'seal' | 'unseal'>
  readonly warn: (message: string) => void
}

export class SharedCache {
  readonly #link: Link
  readonly #flights: SharedFlights
  readonly #pages: SharedPages

  constructor(options: SharedCacheOptions) {
    this.#link = new Link(options)
    this.#pages = new SharedPages({ ...options, link: this.#link })
    const common = { link: this.#link, pages: this.#pages }
    this.#flights = new SharedFlights({ clock: options.clock, ...common })
  }

  /** @param onNews another replica was told at `at` that these are stale */
  start(onNews: OnNews): void {
    this.#link.start(onNews)
  }

  stop(): void {
    this.#link.stop()
  }

  /** A page that others have, or one call for all of them. */
  fly(key: string, need: Need, cargo: Cargo): Promise<Landed> {
    return this.#flights.fly(key, need, cargo)
  }

  /** A page that others have, for who would not fetch it. */
  peek(key: string): Promise<Foreign | undefined> {
    return this.#pages.peek(key)
  }

  /** Tells the others what is stale. */
  announce(tags: readonly string[]): void {
    this.#link.announce(tags)
  }
}
