/**
 * Chats, cache and schedule in virtual time, in front of an upstream of versioned lists: every call
 * takes a while to arrive and to come back, may fail or bring less than it should, and is on
 * record. What was promised of an answer is judged elsewhere, from these records alone.
 */

import type { Chats } from '../../src/chats/chats.ts'
import { type ListQuery, listParameters } from '../../src/chats/query.ts'
import { parseConfig } from '../../src/config.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Call, Conditions } from '../../src/ports.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { joinRooms } from '../../src/service.ts'
import { type OpenAnswer, openList } from './chats.ts'
import { FakeClock, settled } from './fake-clock.ts'
import { needOf } from './needs.ts'
import { pageOfVersion, VersionedLists } from './versioned-lists.ts'

/** What becomes of a call: the right page, less of it, or one of the ways to fail. */
export type Fate = 'whole' | 'short' | 'reset' | 'broken' | 'timeout'

/** A call as the upstream saw it. */
export interface Fetched {
  readonly call: Call
  readonly sentAt: number
  /** Infinity until then. */
  endedAt: number
  /** How many chats it brought, if it did not fail. */
  count: number | undefined
  /** The total that it told. */
  total: number
}

export interface Asked {
  readonly query: ListQuery
  readonly conditions?: Conditions
  readonly start: number
  readonly end: number
  /** How many calls had been made when it began and when it ended. */
  readonly calls: readonly [before: number, after: number]
  readonly answer: OpenAnswer | ServiceError
}

export interface Invalidation {
  readonly at: number
  readonly tag: string
}

/** Until then a call may be sent for a request. */
export const waitMs = 8000

export interface ListWorldOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Each call's way out and back, in milliseconds. */
  readonly latenciesMs: readonly number[]
}

export class ListWorld {
  readonly clock = new FakeClock()
  readonly lists = new VersionedLists()
  readonly fetched: Fetched[] = []
  readonly invalidations: Invalidation[] = []
  readonly #fates: Fate[] = []
  readonly #latenciesMs: readonly number[]
  readonly #chats: Chats
  readonly #invalidate: (tags: readonly string[]) => void
  /** When it was too late for somebody's call. */
  readonly refusals: number[] = []
  #latencies = 0

  constructor({ env = {}, latenciesMs }: ListWorldOptions) {
    const config = parseConfig({
      HELPCRUNCH_API_KEY: 'simulated',
      TEAM_TOKENS: 'blue=0123456789abcdef-blue',
      UPSTREAM_LIMIT: '100000',
      UPSTREAM_CONCURRENCY: '1000',
      CACHE_ADAPTIVE: 'false',
      CACHE_REFRESH_AHEAD: 'false',
      CACHE_READ_AHEAD: 'false',
      ...env
    })
    this.#latenciesMs = latenciesMs
    const { chats, invalidate } = joinRooms({
      config,
      clock: this.clock,
      journal: noJournal,
      attempt: call => this.#attempt(call),
      random: () => (this.#latency() % 100) / 100
    })
    this.#chats = chats
    this.#invalidate = invalidate
  }

  change(name: ListQuery, change: Parameters<VersionedLists['change']>[1]): void {
    this.lists.change(listName(name), change, this.clock.now())
  }

  /** At an instant at which nothing else happens, so that it is certain what was before it. */
  invalidate(tag: string): void {
    this.clock.stall(1)
    this.invalidations.push({ at: this.clock.now(), tag })
    this.#invalidate([tag])
    this.clock.stall(1)
  }

  /** The next calls end like this. */
  destine(fates: readonly Fate[]): void {
    this.#fates.push(...fates)
  }

  /** Asks, and lets time pass until it is answered. */
  ask(query: ListQuery, conditions?: Conditions): Promise<Asked> {
    return this.until(this.begin(query, conditions))
  }

  /** Lets time pass until this is settled. */
  async until<Value>(promise: Promise<Value>): Promise<Value> {
    let done = false
    const finish = () => {
      done = true
    }
    promise.then(finish, finish)
    await settled()
    while (!done) await this.clock.advance(50)
    return promise
  }

  /** Asks; time has to pass by other means. */
  async begin(query: ListQuery, conditions?: Conditions): Promise<Asked> {
    const { clock } = this
    const start = clock.now()
    const before = this.fetched.length
    const need = needOf({ deadline: start + waitMs, ...(conditions && { conditions }) })
    const answer = await openList(this.#chats, query, need).catch((error: unknown) => {
      if (error instanceof ServiceError) return error
      throw error
    })
    const end = clock.now()
    if (end >= start + waitMs) this.refusals.push(end)
    const calls = [before, this.fetched.length] as const
    return { query, start, end, calls, answer, ...(conditions && { conditions }) }
  }

  #latency(): number {
    return this.#latenciesMs[this.#latencies++ % this.#latenciesMs.length]!
  }

  async #attempt(call: Call): Promise<Page> {
    const { clock, fetched, lists } = this
    const record: Fetched = {
      ...{ call, sentAt: clock.now(), endedAt: Infinity, count: undefined, total: 0 }
    }
    fetched.push(record)
    const fate = this.#fates.shift() ?? 'whole'
    await this.#pass(this.#latency())
    const most = fate === 'short' ? Math.floor(call.limit / 2) : call.limit
    const page = pageOfVersion(lists.current(call.list.name), call, most)
    await this.#pass(fate === 'timeout' ? 10_000 : this.#latency())
    record.endedAt = clock.now()
    if (fate !== 'whole' && fate !== 'short') throw failures[fate]()
    record.count = page.count
    record.total = page.total
    return page
  }

  #pass(ms: number): Promise<void> {
    return new Promise(resolve => void this.clock.after(ms, resolve))
  }
}

const failures = {
  reset: () => new ServiceError('upstream_unreachable', 'network', { contact: 'unanswered' }),
  broken: () =>
    new ServiceError('upstream_error', 'broken', { contact: 'answered', upstreamStatus: 500 }),
  timeout: () => new ServiceError('upstream_timeout', 'slow', { contact: 'unanswered' })
}

/** The list as its calls name it. */
export function listName(query: ListQuery): string {
  return `/chats?${listParameters(query)}`
}
