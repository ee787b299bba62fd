/**
 * The exports that are running: who reads what, how far they are, and which of them walk together.
 * Promises: for readers that have left no further call is sent; a team has a bounded number of
 * exports; an export ends only if it is complete.
 */

import type { Clock } from '../../clock.ts'
import { ServiceError } from '../../errors.ts'
import type { Need, Send } from '../../ports.ts'
import type { ExportReport } from '../../reports.ts'
import type { Summary } from './formats.ts'
import { type BulkSupply, callsFor, callsLeft, durationMs } from './plan.ts'
import { type ExportQuery, placeOf } from './query.ts'
import { Reading } from './reading.ts'
import { type Cursor, SharedWalk } from './shared-walk.ts'

export interface ExportsOptions {
  readonly clock: Clock
  readonly send: Send
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly windowMs: number
  readonly supply: () => BulkSupply
}

/** What is known when the first window is there. */
export interface Plan {
  /** Chats in the whole list. */
  readonly total: number
  readonly calls: number
  readonly estimateMs: number
}

/** Exports that a team may have at one time. */
export const mostPerTeam = 4

export class Exports {
  readonly #options: ExportsOptions
  readonly #reading: Reading
  readonly #running = new Set<Export>()
  /** The latest walk of each range, which others may join while it begins. */
  readonly #walks = new Map<string, SharedWalk>()

  constructor(options: ExportsOptions) {
    this.#options = options
    this.#reading = new Reading(options)
  }

  /**
   * Begins an export; resolves when its first chats are there.
   *
   * @param id for the status
   * @throws {ServiceError} why it cannot begin
   */
  async open(id: string, query: ExportQuery, need: Need): Promise<Export> {
    this.#checkTeam(need.team)
    need.signal.throwIfAborted()
    const cursor = this.#walkFor(query, need).join(need.team)
    const { clock } = this.#options
    const estimate = (calls: number) => this.#estimateMs(calls)
    const done = (ended: Export) => this.#end(ended)
    const one = new Export({ id, cursor, clock, query, estimate, done })
    this.#running.add(one)
    need.signal.addEventListener('abort', () => one.close(need.signal.reason))
    try {
      await one.begin()
      need.signal.throwIfAborted()
      return one
    } catch (error) {
      one.close(error)
      throw error
    }
  }

  report(): ExportReport[] {
    return Array.from(this.#running, one => one.report())
  }

  /** Reads nothing more; what is not complete by then breaks off. */
  drain(retryAfterMs: number): void {
    const detail = 'The service is shutting down; the export is broken off.'
    const reason = new ServiceError('shutting_down', detail, { retryAfterMs })
    for (const { walk } of this.#running) walk.stop(reason)
  }

  #checkTeam(team: string): void {
    const own = Array.from(this.#running).filter(one => one.team === team)
    if (own.length < mostPerTeam) return
    const detail = `Team ${team} has ${mostPerTeam} exports running; one has to end first.`
    const retryAfterMs = Math.min(...own.map(one => one.report().etaSeconds * 1000))
    throw new ServiceError('team_rate_limited', detail, { retryAfterMs })
  }

  #walkFor(query: ExportQuery, need: Need): SharedWalk {
    const range = `${query.offset} ${query.after}`
    const known = this.#walks.get(range)
    if (known?.isJoinable) return known
    const { clock } = this.#options
    const walk = new SharedWalk({
      clock,
      place: placeOf(query),
      read: (offset, errand) => this.#reading.read(offset, errand),
      opening: { kind: 'opening', waitMs: need.deadline - clock.now() }
    })
    this.#walks.set(range, walk)
    return walk
  }

  #estimateMs(calls: number): number {
    const walks = new Set(Array.from(this.#running, one => one.walk)).size
    const { latencyMs } = this.#reading
    const { supply, windowMs } = this.#options
    return durationMs(calls, { ...supply(), windowMs, latencyMs, walks })
  }

  #end(ended: Export): void {
    this.#running.delete(ended)
    for (const [range, walk] of this.#walks) {
      if (!walk.isJoinable) this.#walks.delete(range)
    }
  }
}

interface ExportOptions {
  readonly id: string
  readonly cursor: Cursor
  readonly clock: Clock
  readonly query: ExportQuery
  /** How long so many further calls take, in milliseconds. */
  readonly estimate: (calls: number) => number
  readonly done: (ended: Export) => void
}

/** One reader's export. */
export class Export {
  readonly #options: ExportOptions
  readonly #startedAt: number
  #given = 0
  #closed: { readonly reason: unknown } | undefined

  constructor(options: ExportOptions) {
    this.#options = options
    this.#startedAt = options.clock.now()
  }

  get team(): string {
    return this.#options.cursor.team
  }

  get walk(): SharedWalk {
    return this.#options.cursor.walk
  }

  /** Has the first chats read, and none after them: perhaps only the plan is wanted. */
  begin(): Promise<void> {
    return this.walk.reach(this.#options.cursor)
  }

  get plan(): Plan {
    const { total } = this.walk
    const { estimate, query } = this.#options
    const calls = callsFor(total - placeOf(query).offset)
    return { total, calls, estimateMs: estimate(calls - 1) }
  }

  /**
   * The next chats, each as the bytes that the upstream sent; undefined once they are complete.
   *
   * @throws {ServiceError} why they never will be
   */
  async next(): Promise<readonly Buffer[] | undefined> {
    if (this.#closed) throw this.#closed.reason
    const batch = await this.walk.take(this.#options.cursor)
    this.#given += batch?.chats.length ?? 0
    return batch?.chats
  }

  /** To be asked for once `next` has come to the end. */
  get summary(): Summary {
    return { count: this.#done, total: this.walk.total, complete: true }
  }

  report(): ExportReport {
    const { id } = this.#options
    const { total } = this.walk
    return { id, team: this.team, done: this.#done, total, etaSeconds: this.#etaSeconds() }
  }

  /** Whoever read it does so no more; may be called again. */
  close(reason: unknown): void {
    this.#closed ??= { reason }
    const { cursor, done } = this.#options
    cursor.walk.leave(cursor, reason)
    done(this)
  }

  /** Chats given to the reader, those before the offset included. */
  get #done(): number {
    return this.#options.query.offset + this.#given
  }

  /** By the plan, or by the pace so far if the reader is slower. */
  #etaSeconds(): number {
    const { clock, estimate } = this.#options
    const left = Math.max(this.walk.total - this.#done, 0)
    const soFarMs = clock.now() - this.#startedAt
    const byPaceMs = this.#given > 0 ? (soFarMs * left) / this.#given : 0
    const byPlanMs = estimate(callsLeft(left))
    return Math.ceil(Math.max(byPlanMs, byPaceMs) / 1000)
  }
}
