/**
 * Whether a stored page is reused (RFC 9111 section 4), and when it is fetched again: by its age, by
 * what the request wishes, by how lately it was fetched, how often it is read and what the budget
 * can spare. It decides; the cache acts, and tells of each page that was read or fetched again.
 */

import type { Page } from '../page.ts'
import { type Call, keyOf, type Need, type Stored, satisfies } from '../ports.ts'
import type { Foresight, Idle } from './foresight.ts'
import { assess, type Lifetimes } from './freshness.ts'
import { Recently } from './recently.ts'

export interface ReuseOptions {
  readonly lifetimes: Lifetimes
  readonly idle: Idle
  readonly foresight: Foresight
  /** Whether a flight for this key is under way. */
  readonly isUnderWay: (key: string) => boolean
}

/** A request's own wishes force at most one call per page in this time. */
const forceEveryMs = 5000

/** However often a page is made stale or a try for it fails: not again at once. */
export const refreshEveryMs = 2000

/** In this last part of its period, a page that is read is refreshed ahead. */
const aheadPart = 1 / 10

/** A page that is still fresh is fetched again if it had this many readers, or if the pressure is low. */
const readsPerCallAhead = 60
const lowPressure = 0.3

/** From this many lifetimes on, a caller waits for the refresh if the budget idles. */
const waitFromAge = 2

export class Reuse {
  readonly #options: ReuseOptions
  /** When stored pages were last fetched again; the first fetch is none of these. */
  readonly #refetched: Recently
  /** How often each stored response was read. */
  readonly #reads = new WeakMap<Stored<Page>, number>()

  constructor(options: ReuseOptions) {
    this.#options = options
    this.#refetched = new Recently(Math.max(forceEveryMs, options.lifetimes.freshMs))
  }

  noteRead(page: Stored<Page>): void {
    this.#reads.set(page, (this.#reads.get(page) ?? 0) + 1)
  }

  noteRefetch(call: Call, now: number): void {
    this.#refetched.note(keyOf(call), now)
  }

  /** @param page one that is usable: not expired, and new enough to mend what it is to mend */
  mayServe(page: Stored<Page>, call: Call, need: Need, now: number): boolean {
    const { idle, isUnderWay } = this.#options
    const { conditions } = need
    if (conditions && !satisfies(page, conditions, now)) {
      // A call that is under way is worth waiting for, and costs no further one.
      return this.wasForced(call, need, now) && !isUnderWay(keyOf(call))
    }
    switch (assess(page, now)) {
      case 'fresh':
        return true
      case 'stale-while-revalidate':
        return (
          conditions?.maxStaleMs !== undefined ||
          !this.isOld(page, now) ||
          this.isTooSoon(page, call, now) ||
          !idle.hasSlot(need.team, 'refresh')
        )
      default:
        // Who comes while it is being fetched again waits for that.
        return (
          conditions?.maxStaleMs !== undefined ||
          (this.isTooSoon(page, call, now) && !isUnderWay(keyOf(call)))
        )
    }
  }

  /** Whether wishes have had their call of this while, here or on another replica. */
  wasForced(call: Call, { conditions }: Need, now: number): boolean {
    const isRepair = conditions?.notBefore !== undefined
    return !isRepair && this.#refetched.within(keyOf(call), now, forceEveryMs)
  }

  /** Nobody should get chats as old as this while the budget idles. */
  isOld({ freshUntil, requestedAt }: Stored<Page>, now: number): boolean {
    return now - requestedAt > waitFromAge * (freshUntil - requestedAt)
  }

  /** Whether reading the page now sets off its refresh; while it is fresh, from idle budget. */
  isDue(page: Stored<Page>, team: string, now: number): boolean {
    if (now < this.dueAt(page)) return false
    const { idle } = this.#options
    return now >= page.freshUntil || (this.#isShared(page) && idle.hasSlot(team, 'refresh'))
  }

  dueAt({ freshUntil, periodMs, refreshAt }: Stored<Page>): number {
    const isAhead = this.#options.foresight.refreshAhead && refreshAt <= freshUntil
    return refreshAt - (isAhead ? aheadPart * periodMs : 0)
  }

  /**
   * A page is fetched again at most once in a while, which grows as the budget shrinks: however
   * often it is made stale or a try fails, but not where it has simply lived its whole lifetime.
   */
  isTooSoon({ requestedAt }: Stored<Page>, call: Call, now: number): boolean {
    const { idle, lifetimes } = this.#options
    const ageMs = now - requestedAt
    const wasTriedSince = this.#refetched.within(keyOf(call), now, ageMs)
    if (ageMs >= lifetimes.freshMs && !wasTriedSince) return false
    const left = Math.max(1 - idle.pressure(), Number.EPSILON)
    const everyMs = Math.min(refreshEveryMs / left, Math.max(lifetimes.freshMs, refreshEveryMs))
    return this.#refetched.within(keyOf(call), now, everyMs)
  }

  /** A call that need not be yet is to serve many, unless most of the budget is free anyway. */
  #isShared(page: Stored<Page>): boolean {
    return (
      (this.#reads.get(page) ?? 0) >= readsPerCallAhead ||
      this.#options.idle.pressure() < lowPressure
    )
  }
}
