/**
 * Answers from what is stored while it is fresh; else from one flight for everybody who asks for
 * the same. Promises: only what the next room returned whole is ever stored; a failed flight
 * leaves the store as it was. It leaves to `chats` what a page is made of, and to `schedule` when
 * a call may be made.
 */

import type { CacheStatus, ForwardReason } from '../cache-status.ts'
import type { Clock } from '../clock.ts'
import type { Call, Found, Need, Page, Send, Stored, Timing } from '../ports.ts'
import { Flights } from './flights.ts'
import { assess, type Lifetimes, stored } from './freshness.ts'
import type { PageStore } from './memory-store.ts'

export interface CacheOptions {
  readonly clock: Clock
  readonly store: PageStore
  readonly send: Send
  readonly lifetimes: Lifetimes
}

interface Landed {
  readonly stored: Stored<Page>
  readonly kept: boolean
  readonly timing: Timing
}

export class Cache {
  readonly #options: CacheOptions
  readonly #flights: Flights<Landed>

  constructor(options: CacheOptions) {
    this.#options = options
    this.#flights = new Flights(options.clock)
  }

  /** @throws {ServiceError} what the flight failed with. */
  async fetch(call: Call, need: Need): Promise<Found> {
    const now = this.#options.clock.now()
    const known = this.#options.store.get(call.target)
    if (known && assess(known, now) === 'fresh') {
      return { stored: known, status: { kind: 'hit', ttlMs: known.freshUntil - now } }
    }
    const collapsed = this.#flights.has(call.target)
    const landed = await this.#flights.join(call.target, need, own => this.#fly(call, own))
    const status = forwarded(known ? 'stale' : 'uri-miss', landed.kept, collapsed)
    return { stored: landed.stored, status, timing: landed.timing }
  }

  async #fly(call: Call, need: Need): Promise<Landed> {
    const { clock, lifetimes, send, store } = this.#options
    const { page, timing } = await send(call, need)
    const response = stored(page, clock.now(), lifetimes)
    return { stored: response, kept: store.set(call.target, response), timing }
  }
}

function forwarded(reason: ForwardReason, kept: boolean, collapsed: boolean): CacheStatus {
  return { kind: 'forward', reason, status: 200, stored: kept, collapsed }
}
