/**
 * The pages that are stored: what of them is stale because of an event, and what is made of one that
 * arrives, from the upstream or from other replicas. A page that brings nothing new keeps its bytes
 * and its version, with all that was made of them.
 */

import type { Clock } from '../clock.ts'
import type { Page } from '../page.ts'
import { type Call, keyOf, type Reply, type Shelf, type Stored } from '../ports.ts'
import type { Foresight } from './foresight.ts'
import type { Landed } from './found.ts'
import { briefly, invalidated, type Lifetimes, shortened, stored } from './freshness.ts'
import { Invalidations } from './invalidations.ts'
import { newsOf, Rhythm } from './rhythm.ts'
import type { Foreign } from './shared-pages.ts'

export interface StoredPagesOptions {
  readonly clock: Clock
  readonly store: Shelf<Stored<Page>>
  readonly lifetimes: Lifetimes
  /** Uniform in [0, 1): spreads expiry. */
  readonly random: () => number
  /** What invalidates a page. */
  readonly tagsOf: (call: Call, page: Page) => Iterable<string>
  readonly foresight: Foresight
}

/** A reply, and when it was asked for. */
interface Arrived extends Reply {
  readonly askedAt: number
}

export class StoredPages {
  readonly #options: StoredPagesOptions
  readonly #rhythm: Rhythm
  readonly #invalidations = new Invalidations()
  #versions = 0

  constructor(options: StoredPagesOptions) {
    this.#options = options
    this.#rhythm = new Rhythm(options.lifetimes)
  }

  /** The stored page, stale if it was invalidated since it was asked for. */
  lookup(call: Call, team: string): Stored<Page> | undefined {
    return this.#current(call, this.#options.store.get(keyOf(call), team))
  }

  /** The same for who only looks. */
  peek(call: Call): Stored<Page> | undefined {
    return this.#current(call, this.#options.store.peek(keyOf(call)))
  }

  /** Everything that has one of these tags is stale from `at` on. */
  invalidate(tags: readonly string[], at: number): void {
    this.#invalidations.note(tags, at)
  }

  /** When it was, since it was asked for; undefined if it was not. */
  invalidatedAt(call: Call, { requestedAt, value }: Stored<Page>): number | undefined {
    return this.#invalidations.since(() => this.#options.tagsOf(call, value), requestedAt)
  }

  /** Keeps what the upstream answered. */
  keep(call: Call, team: string, { askedAt, page, sentAt, timing }: Arrived): Landed {
    const { clock, lifetimes, random, store } = this.#options
    // What happened while it waited for its turn, or before it was repeated, it knows of.
    const requestedAt = sentAt ?? askedAt
    const now = clock.now()
    // Pages loaded together are a first one and its followers: these are spread around it.
    const spread = call.offset > 0 ? random() : 0
    const content = this.#compared(page, store.get(keyOf(call), team), requestedAt)
    const arrival = { ...content, requestedAt, now, random: spread }
    const response = stored(arrival, page.isAbsent ? briefly(lifetimes) : lifetimes)
    return { stored: response, kept: store.set(keyOf(call), response, team), timing }
  }

  /** Keeps what another replica fetched, for no longer than if it had been fetched here. */
  adopt(call: Call, team: string, page: Foreign): Stored<Page> {
    const { store } = this.#options
    const known = store.get(keyOf(call), team)
    const response = this.#asHere({ ...page, ...this.#contentOf(page.value, known) })
    store.set(keyOf(call), response, team)
    return this.#current(call, response) ?? response
  }

  /** What that would come to; nothing is kept. */
  adopted(call: Call, page: Foreign): Stored<Page> {
    const response = this.#asHere({ ...page, version: 0 })
    return this.#current(call, response) ?? response
  }

  #asHere(response: Stored<Page>): Stored<Page> {
    const { lifetimes } = this.#options
    return shortened(response, response.value.isAbsent ? briefly(lifetimes) : lifetimes)
  }

  #current(call: Call, page: Stored<Page> | undefined): Stored<Page> | undefined {
    if (!page) return undefined
    const at = this.invalidatedAt(call, page)
    return at === undefined ? page : invalidated(page, at)
  }

  /** What is new about a page, and how long until it is worth the next call. */
  #compared(page: Page, known: Stored<Page> | undefined, requestedAt: number) {
    const { foresight, lifetimes } = this.#options
    const content = this.#contentOf(page, known)
    if (!known || !foresight.adaptive) return { ...content, periodMs: lifetimes.freshMs }
    const news = content.value === known.value ? 0 : newsOf(known.value, page)
    const elapsedMs = requestedAt - known.requestedAt
    return { ...content, periodMs: this.#rhythm.nextPeriodMs(news, elapsedMs) }
  }

  #contentOf(page: Page, known: Stored<Page> | undefined): Pick<Stored<Page>, 'value' | 'version'> {
    const isSame = known?.value.bytes.equals(page.bytes) === true
    return isSame
      ? { value: known.value, version: known.version }
      : { value: page, version: ++this.#versions }
  }
}

/** What a stored page takes in memory. */
export function storedBytes({ value }: Stored<Page>): number {
  return value.byteLength
}
