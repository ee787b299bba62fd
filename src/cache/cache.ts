/**
 * Answers from what is stored; else from one flight for everybody who asks for the same. Fresh
 * pages are served; stale ones are served while one refresh runs behind, or, later, only if no
 * newer one can be had. Promises: only what the next room returned whole is ever stored; a failed
 * flight leaves the store as it was. It leaves to `chats` what a page is made of, and to `schedule`
 * when a call may be made.
 */

import type { CacheStatus, ForwardReason } from '../cache-status.ts'
import type { Clock } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { Call, Found, Need, Page, Send, Stored, Timing } from '../ports.ts'
import { Flights } from './flights.ts'
import { assess, invalidated, type Lifetimes, satisfies, stored } from './freshness.ts'
import { Invalidations } from './invalidations.ts'
import type { PageStore } from './memory-store.ts'
import { Recently } from './recently.ts'

export interface CacheOptions {
  readonly clock: Clock
  readonly store: PageStore
  readonly send: Send
  readonly lifetimes: Lifetimes
  /** Uniform in [0, 1): spreads expiry. */
  readonly random: () => number
  /** What invalidates a page. */
  readonly tagsOf: (call: Call, page: Page) => Iterable<string>
  /** Whether a call of this team could leave now without taking anything from anybody. */
  readonly hasIdleSlot: (team: string) => boolean
}

interface Landed {
  readonly stored: Stored<Page>
  readonly kept: boolean
  readonly timing: Timing
}

/** A request's own wishes force at most one call per page in this time. */
const forceEveryMs = 5000

/** A refresh behind an answer that failed is not tried again at once. */
const refreshEveryMs = 2000

/** From this many lifetimes on, a caller waits for the refresh if the budget idles. */
const waitFromAge = 2

export class Cache {
  readonly #options: CacheOptions
  readonly #flights: Flights<Landed>
  /** When stored pages were last fetched again; the first fetch is none of these. */
  readonly #refetched = new Recently(forceEveryMs)
  readonly #invalidations = new Invalidations()

  constructor(options: CacheOptions) {
    this.#options = options
    this.#flights = new Flights(options.clock)
  }

  /** @throws {ServiceError} what the flight failed with, if nothing stale may be served instead. */
  async fetch(call: Call, need: Need): Promise<Found> {
    const now = this.#options.clock.now()
    const known = this.#lookup(call)
    const usable = known && assess(known, now) !== 'expired' ? known : undefined
    if (usable && this.#mayServe(usable, call, need, now)) {
      if (now >= usable.freshUntil) this.#refreshBehind(call, need, usable)
      return hit(usable, now)
    }
    if (need.conditions?.onlyIfCached) {
      if (usable) return hit(usable, now)
      throw new ServiceError('not_cached', 'No answer is stored, and no call was allowed.')
    }
    return this.#forward(call, { ...ownOf(need), hasFallback: usable !== undefined }, known, usable)
  }

  /** Everything that has one of these tags is stale from now on. */
  invalidate(tags: readonly string[]): void {
    this.#invalidations.note(tags, this.#options.clock.now())
  }

  /** The stored page, stale if it was invalidated since it was asked for. */
  #lookup(call: Call): Stored<Page> | undefined {
    const { store, tagsOf } = this.#options
    const page = store.get(call.target)
    if (!page) return undefined
    const at = this.#invalidations.since(() => tagsOf(call, page.value), page.requestedAt)
    return at === undefined ? page : invalidated(page, at)
  }

  #mayServe(page: Stored<Page>, call: Call, need: Need, now: number): boolean {
    const { conditions } = need
    if (conditions && !satisfies(page, conditions, now)) {
      return (
        conditions.notBefore === undefined && this.#refetched.within(call.target, now, forceEveryMs)
      )
    }
    switch (assess(page, now)) {
      case 'fresh':
        return true
      case 'stale-while-revalidate':
        return conditions?.maxStaleMs !== undefined || !this.#isWorthWaiting(page, need, now)
      default:
        // However often it is made stale, and however it fails: not again at once.
        return (
          conditions?.maxStaleMs !== undefined ||
          this.#refetched.within(call.target, now, refreshEveryMs)
        )
    }
  }

  /** Nobody should get old chats while the budget idles. */
  #isWorthWaiting({ storedAt, freshUntil }: Stored<Page>, { team }: Need, now: number): boolean {
    const lifetimeMs = freshUntil - storedAt
    return now - storedAt > waitFromAge * lifetimeMs && this.#options.hasIdleSlot(team)
  }

  async #forward(
    call: Call,
    need: Need,
    known: Stored<Page> | undefined,
    fallback: Stored<Page> | undefined
  ): Promise<Found> {
    const { clock } = this.#options
    const collapsed = this.#flights.has(call.target)
    const reason = reasonOf(known, clock.now())
    if (known && !collapsed) this.#refetched.note(call.target, clock.now())
    try {
      const landed = await this.#flights.join(call.target, need, own => this.#fly(call, own))
      const status = forwarded(reason, landed.kept, collapsed)
      return { stored: landed.stored, status, timing: landed.timing }
    } catch (error) {
      const now = clock.now()
      if (!fallback || now >= fallback.errorUntil || !isOurTrouble(error)) throw error
      return hit(fallback, now, error.code)
    }
  }

  /** One refresh behind the answer; whether it succeeds is nobody's concern but the next reader's. */
  #refreshBehind(call: Call, need: Need, page: Stored<Page>): void {
    const now = this.#options.clock.now()
    if (this.#flights.has(call.target) || this.#refetched.within(call.target, now, refreshEveryMs))
      return
    this.#refetched.note(call.target, now)
    const refresh: Need = {
      team: need.team,
      priority: 'refresh',
      deadline: page.revalidateUntil,
      signal: neverAborted,
      hasFallback: true
    }
    this.#flights.join(call.target, refresh, own => this.#fly(call, own)).catch(() => {})
  }

  async #fly(call: Call, need: Need): Promise<Landed> {
    const { clock, lifetimes, random, send, store } = this.#options
    const requestedAt = clock.now()
    const { page, timing } = await send(call, need)
    // Pages loaded together are a first one and its followers: these are spread around it.
    const spread = call.offset > 0 ? random() : 0
    const response = stored(page, requestedAt, clock.now(), lifetimes, spread)
    return { stored: response, kept: store.set(call.target, response), timing }
  }
}

const neverAborted = new AbortController().signal

/** The caller's need without the caller's hooks, to which something is added. */
function ownOf({ team, priority, deadline, signal, conditions }: Need): Need {
  return { team, priority, deadline, signal, ...(conditions && { conditions }) }
}

function hit(page: Stored<Page>, now: number, detail?: string): Found {
  const ttlMs = page.freshUntil - now
  return { stored: page, status: { kind: 'hit', ttlMs, ...(detail && { detail }) } }
}

/** RFC 9211 section 2.2: `request` if a fresh response was there and the request did not want it. */
function reasonOf(known: Stored<Page> | undefined, now: number): ForwardReason {
  if (!known) return 'uri-miss'
  return now < known.freshUntil ? 'request' : 'stale'
}

function forwarded(reason: ForwardReason, kept: boolean, collapsed: boolean): CacheStatus {
  return { kind: 'forward', reason, status: 200, stored: kept, collapsed }
}

/** A failure to get an answer; a 400 or 404 from the upstream is an answer. */
function isOurTrouble(error: unknown): error is ServiceError {
  return error instanceof ServiceError && error.kind.status >= 502
}
