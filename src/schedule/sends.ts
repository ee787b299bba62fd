/**
 * The books of every send. Ledger, journal, brake, the measured latency and the event stream move
 * together here, so that no path can write one and forget another: a slot is taken and journaled
 * before a call leaves, and settled the way the call ended.
 */

import { ServiceError } from '../errors.ts'
import type { Emit, Priority } from '../ports.ts'
import type { ScheduleReport } from '../reports.ts'
import { Brake, type BrakeView } from './brake.ts'
import { type Budget, type Level, unshared } from './budget.ts'
import type { Journal } from './journal.ts'
import { type Elsewhere, giveUpMarginMs, guardMs, Ledger, type LedgerView } from './ledger.ts'

export interface SendsOptions {
  readonly journal: Journal
  readonly emit: Emit
  /** By default this process's alone. */
  readonly budget?: Budget
  /** Calls in any window. */
  readonly limit: number
  readonly windowMs: number
  /** Calls in flight at once. */
  readonly concurrency: number
}

/** Whose call leaves, and for which part of the window it needs a slot. */
export interface Sending {
  readonly team: string
  readonly priority: Priority
  readonly level: Level
}

/** A call under way. */
export interface Sent {
  readonly slot: number
  readonly sentAt: number
}

/** What the upstream's answers have made of sending. */
interface Braking {
  readonly mode: ScheduleReport['mode']
  readonly limit: number
}

/** Before anything was measured, a call is taken to last this long. */
const firstLatencyGuessMs = 200

export class Sends {
  readonly #ledger: Ledger
  readonly #brake: Brake
  readonly #options: SendsOptions
  readonly #budget: Budget
  #latencyMs = firstLatencyGuessMs

  constructor(options: SendsOptions) {
    const { emit, journal, limit, windowMs } = options
    const { doneAt, unknownUntil } = journal.history
    this.#options = options
    this.#budget = options.budget ?? unshared
    this.#ledger = new Ledger({ limit, windowMs, restored: doneAt })
    this.#brake = new Brake(options)
    this.#brake.hold(unknownUntil + windowMs + guardMs)
    emit({ type: 'schedule.restored', doneAt })
  }

  /** To be looked at: whatever is written, is written here. */
  get ledger(): LedgerView {
    return this.#ledger
  }

  get brake(): BrakeView {
    return this.#brake
  }

  /** How long a call takes, in milliseconds: a moving average. */
  get latencyMs(): number {
    return this.#latencyMs
  }

  /** Enters a send that leaves right after; there has to be a free slot. */
  begin({ team, priority, level }: Sending, now: number): Sent {
    const slot = this.#ledger.take(team, now)
    if (slot === undefined) throw new Error('a call was about to leave without a slot')
    this.#brake.sent(now)
    this.#options.journal.sent(slot, now)
    this.#budget.sent(slot, level, now)
    this.#options.emit({ type: 'schedule.sent', slot, at: now, team, priority })
    return { slot, sentAt: now }
  }

  succeeded(sent: Sent, now: number): void {
    this.#answered(sent, now)
    this.#brake.succeeded(sent.sentAt)
  }

  failed(sent: Sent, now: number, error: unknown): void {
    const held = this.#ledger.used(now)
    const contact = error instanceof ServiceError ? error.contact : undefined
    if (contact === 'unsent') this.#release(sent)
    else if (contact === 'answered') this.#answered(sent, now)
    else this.#settle(sent, now + giveUpMarginMs)
    if (!(error instanceof ServiceError)) return
    const { code, retryAfterMs } = error
    const nextFreeAt = this.#ledger.nextFreeAt(now)
    const before = this.#braking(now)
    this.#brake.failed({ code, sentAt: sent.sentAt, now, retryAfterMs, held, nextFreeAt })
    this.#tell(before, this.#braking(now), now)
    if (code === 'upstream_rate_limited') this.#budget.paused(this.#brake.pausedUntil)
  }

  /** What other replicas hold, and a 429 that one of them met. */
  heldElsewhere(elsewhere: Elsewhere): void {
    this.#ledger.mirror(elsewhere)
  }

  pausedElsewhere(until: number, now: number): void {
    this.#brake.pausedElsewhere(until, now)
  }

  #braking(now: number): Braking {
    return { mode: this.#brake.mode(now), limit: this.#brake.bounds(now).limit }
  }

  #tell(before: Braking, { limit, mode }: Braking, at: number): void {
    const { emit } = this.#options
    const isBraked = mode === 'paused' || mode === 'key-refused' || mode === 'failing'
    if (isBraked && mode !== before.mode) emit({ type: 'schedule.braked', at, mode })
    if (limit < before.limit) emit({ type: 'schedule.robbed', at, calls: before.limit - limit })
  }

  #answered(sent: Sent, now: number): void {
    this.#latencyMs += (now - sent.sentAt - this.#latencyMs) / 8
    this.#settle(sent, now)
  }

  #settle({ slot }: Sent, doneAt: number): void {
    this.#ledger.settle(slot, doneAt)
    this.#options.journal.settled(slot, doneAt)
    this.#budget.settled(slot, doneAt)
    this.#options.emit({ type: 'schedule.settled', slot, doneAt })
  }

  #release({ slot }: Sent): void {
    this.#ledger.release(slot)
    this.#options.journal.released(slot)
    this.#budget.released(slot)
    this.#options.emit({ type: 'schedule.released', slot })
  }
}
