/**
 * Answers from what is stored; else from one flight for everybody who asks for the same. Fresh
 * pages are served; stale ones are served while one refresh runs behind, or, later, only if no
 * newer one can be had (reuse.ts decides). Promises: only what the next room returned whole is ever
 * stored; a failed flight leaves the store as it was. It leaves to `chats` what a page is made of,
 * and to `schedule` when a call may be made.
 */

import type { ForwardReason } from '../cache-status.ts'
import { Cancellation } from '../cancellation.ts'
import { ServiceError } from '../errors.ts'
import type { Page } from '../page.ts'
import {
  type Call,
  type Found,
  keyOf,
  type Need,
  type PageProspect,
  type PageSource,
  type Send,
  type Stored,
  satisfies
} from '../ports.ts'
import { Flights } from './flights.ts'
import type { Idle } from './foresight.ts'
import { forwarded, hit, type Landed, notCached, reasonOf } from './found.ts'
import { assess, invalidated, usableOf } from './freshness.ts'
import { Reuse, refreshEveryMs } from './reuse.ts'
import type { SharedCache } from './shared-cache.ts'
import type { Foreign } from './shared-pages.ts'
import { StoredPages, type StoredPagesOptions } from './stored-pages.ts'

export interface CacheOptions extends StoredPagesOptions {
  readonly send: Send
  readonly idle: Idle
  /** What other replicas have; undefined if this is the only one. */
  readonly shared?: Pick<SharedCache, 'fly' | 'peek'> | undefined
}

export class Cache implements PageSource {
  readonly #options: CacheOptions
  readonly #flights: Flights<Landed>
  readonly #reuse: Reuse
  readonly #pages: StoredPages

  constructor(options: CacheOptions) {
    this.#options = options
    this.#flights = new Flights(options.clock)
    this.#pages = new StoredPages(options)
    this.#reuse = new Reuse({ ...options, isUnderWay: key => this.#flights.has(key) })
  }

  find(call: Call, need: Need): Found | undefined {
    const now = this.#options.clock.now()
    if (need.conditions?.onlyIfCached) return this.#stored(call, need)
    const usable = usableOf(this.#pages.lookup(call, need.team), need, now)
    if (!usable || !this.#reuse.mayServe(usable, call, need, now)) return undefined
    return this.#read(usable, call, need, now)
  }

  again(call: Call, version: number, need: Need): Found | undefined {
    const now = this.#options.clock.now()
    const page = this.#pages.lookup(call, need.team)
    const isSame = page?.version === version && now < page.freshUntil
    return isSame ? this.#read(page, call, need, now) : undefined
  }

  /** What is here and as wished: no call is made for it, not even behind the answer. */
  #stored(call: Call, need: Need, detail?: string): Found | undefined {
    const now = this.#options.clock.now()
    const page = usableOf(this.#pages.lookup(call, need.team), need, now)
    if (!page || !satisfies(page, need.conditions ?? {}, now)) return undefined
    return hit(page, now, detail)
  }

  /** Where this replica has none as wished, another one may. */
  async #storedElsewhere(call: Call, need: Need): Promise<Found> {
    const foreign = await this.#options.shared?.peek(keyOf(call))
    if (foreign) this.#adopt(call, need.team, foreign)
    const found = this.#stored(call, need, 'shared')
    if (!found) throw notCached()
    return found
  }

  #read(page: Stored<Page>, call: Call, { team }: Need, now: number): Found {
    this.#reuse.noteRead(page)
    if (this.#reuse.isDue(page, team, now)) this.#refreshBehind(call, team, page)
    return hit(page, now)
  }

  readAhead(call: Call, team: string): void {
    const { clock, foresight, idle } = this.#options
    if (!foresight.readAhead || !idle.hasSlot(team, 'bulk')) return
    const now = clock.now()
    const known = this.#pages.lookup(call, team)
    if (this.#flights.has(keyOf(call)) || (known && now < known.revalidateUntil)) return
    // It leaves at once or not at all.
    this.#launchUnasked(call, { team, priority: 'bulk', deadline: now, signal: neverAborted })
  }

  /** What other replicas have stored, as it would be here; changes nothing. */
  async peekElsewhere(call: Call): Promise<Stored<Page> | undefined> {
    const foreign = await this.#options.shared?.peek(keyOf(call))
    return foreign && this.#pages.adopted(call, foreign)
  }

  /**
   * What `fetch` would come to now; changes nothing.
   *
   * @param elsewhere what others have stored of it
   */
  look(call: Call, need: Need, elsewhere?: Stored<Page>): PageProspect {
    const now = this.#options.clock.now()
    const key = keyOf(call)
    const own = this.#pages.peek(call)
    const isOlder =
      elsewhere !== undefined && (own?.requestedAt ?? -Infinity) < elsewhere.requestedAt
    const known = isOlder ? elsewhere : own
    const usable = usableOf(known, need, now)
    const isServed = usable !== undefined && this.#reuse.mayServe(usable, call, need, now)
    const isUnderWay = this.#flights.has(key)
    const flight = this.#flights.prospect(key, need)
    const isDue = isServed && this.#reuse.isDue(usable, need.team, now)
    return {
      ...{ call, isUnderWay, stored: known, freshness: known ? assess(known, now) : 'absent' },
      from: isServed ? 'store' : flight === 'none' ? 'call' : 'flight',
      isTooLate: !isServed && flight === 'too-late',
      isRefreshed: isDue && !isUnderWay && !this.#reuse.isTooSoon(usable, call, now),
      hasFallback: usable !== undefined
    }
  }

  /** Everything that has one of these tags is stale from `at` on. */
  invalidate(tags: readonly string[], at = this.#options.clock.now()): void {
    this.#pages.invalidate(tags, at)
  }

  /** Rejects with what the flight failed with, if nothing stale may be served instead. */
  fetch(call: Call, need: Need): Promise<Found> {
    const found = this.find(call, need)
    if (found) return Promise.resolve(found)
    if (need.conditions?.onlyIfCached) return this.#storedElsewhere(call, need)
    return this.#forward(call, need)
  }

  /** Keeps no more for as long as it takes than has to be known then: thousands may wait. */
  #forward(call: Call, need: Need): Promise<Found> {
    const now = this.#options.clock.now()
    const known = this.#pages.lookup(call, need.team)
    const fallback = usableOf(known, need, now)
    // Who mends an answer can do without: no call is repeated for it.
    const hasFallback = fallback !== undefined || need.conditions?.notBefore !== undefined
    const isJoiner = this.#flights.has(keyOf(call))
    const wish: Wish = { call, need, now, reason: reasonOf(known, now), isJoiner, fallback }
    const own = hasFallback ? { ...need, hasFallback } : need
    return this.#flights
      .join(keyOf(call), own, needs => this.#flyFor(wish, needs))
      .then(
        landed => this.#landed(landed, wish),
        error => this.#insteadOf(error, wish)
      )
  }

  #flyFor({ call, need, now }: Wish, needs: Need): Promise<Landed> {
    return this.#fly(call, needs, page => this.#isWanted(page, call, need, now))
  }

  #landed(landed: Landed, { call, isJoiner, need, now, reason }: Wish): Found | Promise<Found> {
    const at = this.#pages.invalidatedAt(call, landed.stored)
    // Who came after an event is not answered by a call from before it.
    if (isJoiner && at !== undefined && at <= now) return this.fetch(call, need)
    const page = at === undefined ? landed.stored : invalidated(landed.stored, at)
    if (landed.via === 'store') return this.#ofOthers(page, call, need, now)
    const status = forwarded(reason, landed, isJoiner || landed.via === 'peer')
    return { stored: page, status, ...(landed.timing && { timing: landed.timing }) }
  }

  #insteadOf(error: unknown, { call, fallback, need }: Wish): Found {
    const now = this.#options.clock.now()
    // Others may have had one that was too old to end the flight.
    const old = usableOf(this.#pages.lookup(call, need.team), need, now) ?? fallback
    if (!old || now >= old.errorUntil || !isOurTrouble(error)) throw error
    return hit(old, now, error.code)
  }

  /** What others had stored ended the flight; who boarded it may have wished for something else. */
  #ofOthers(page: Stored<Page>, call: Call, need: Need, since: number): Found | Promise<Found> {
    if (!this.#isWanted(page, call, need, since)) return this.fetch(call, need)
    const now = this.#options.clock.now()
    if (this.#reuse.isDue(page, need.team, now)) this.#refreshBehind(call, need.team, page)
    return hit(page, now, 'shared')
  }

  /** Whether a page of other replicas, asked for at `since`, spares the call. */
  #isWanted(page: Stored<Page>, call: Call, need: Need, since: number): boolean {
    const { noCache, ...conditions } = need.conditions ?? {}
    const now = this.#options.clock.now()
    if (this.#reuse.isOld(page, now)) return false
    if (need.conditions && this.#reuse.wasForced(call, need, now)) return true
    // What was fetched after the request came is as new as a call of its own would bring.
    const notBefore = noCache ? Math.max(since, conditions.notBefore ?? since) : undefined
    const wishes = { ...conditions, ...(notBefore !== undefined && { notBefore }) }
    const wished = need.conditions ? { ...need, conditions: wishes } : need
    return this.#reuse.mayServe(page, call, wished, now)
  }

  /** One refresh behind the answer. */
  #refreshBehind(call: Call, team: string, page: Stored<Page>): void {
    const now = this.#options.clock.now()
    if (this.#flights.has(keyOf(call)) || this.#reuse.isTooSoon(page, call, now)) return
    this.#reuse.noteRefetch(call, now)
    this.#launchUnasked(call, {
      team,
      priority: 'refresh',
      // Some are shown later than that: to who accepts it, and where the last try was just now.
      deadline: Math.max(page.revalidateUntil, now + refreshEveryMs),
      signal: neverAborted,
      hasFallback: true
    })
  }

  /** Whether it succeeds is nobody's concern but the next reader's. */
  #launchUnasked(call: Call, need: Need): void {
    const isNews = (page: Stored<Page>) => this.#options.clock.now() < this.#reuse.dueAt(page)
    this.#flights.join(keyOf(call), need, own => this.#fly(call, own, isNews)).catch(() => {})
  }

  /** @param accepts whether a page that other replicas have is what it is for */
  #fly(call: Call, need: Need, accepts: (page: Stored<Page>) => boolean): Promise<Landed> {
    const { idle, shared } = this.#options
    if (!shared) return this.#send(call, need)
    return shared.fly(keyOf(call), need, {
      adopt: page => this.#adopt(call, need.team, page),
      accepts,
      hasSlot: () => idle.hasSlot(need.team, need.priority),
      call: own => this.#send(call, own)
    })
  }

  #adopt(call: Call, team: string, foreign: Foreign): Stored<Page> {
    const known = this.#pages.lookup(call, team)
    if (known && known.requestedAt >= foreign.requestedAt) return known
    // Somebody else did it, and then, whenever it was found here.
    if (known) this.#reuse.noteRefetch(call, foreign.requestedAt)
    return this.#pages.adopt(call, team, foreign)
  }

  #send(call: Call, need: Need): Promise<Landed> {
    const askedAt = this.#options.clock.now()
    if (this.#pages.lookup(call, need.team)) this.#reuse.noteRefetch(call, askedAt)
    return this.#options
      .send(call, need)
      .then(reply => this.#pages.keep(call, need.team, { askedAt, ...reply }))
  }
}

/** Whoever waits for a flight, and what there was when it came. */
interface Wish {
  readonly call: Call
  readonly need: Need
  readonly now: number
  readonly reason: ForwardReason
  /** It boarded a flight that was under way. */
  readonly isJoiner: boolean
  readonly fallback: Stored<Page> | undefined
}

const neverAborted = new Cancellation()

/** A failure to get an answer; a 400 or 404 from the upstream is an answer. */
function isOurTrouble(error: unknown): error is ServiceError {
  return error instanceof ServiceError && error.kind.status >= 502
}
