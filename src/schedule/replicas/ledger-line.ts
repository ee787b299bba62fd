/**
 * The line to the shared ledger: what every exchange says, until when the store may carry it out by
 * the store's own clock, and the comparison of that clock with ours, before which no answer is
 * believed (membership.ts, 1 and 6).
 */

import type { Clock } from '../../clock.ts'
import { type SharedStore, StoreError, storeTimeoutMs } from '../../shared-store.ts'
import { StoreClock } from '../../store-clock.ts'
import { guardMs } from '../ledger.ts'
import { closedSlots } from '../reserves.ts'
import type { Identity } from './identity.ts'
import {
  type Answer,
  type Common,
  exchange,
  type Left,
  type Refused,
  type Request
} from './shared-ledger.ts'

export interface LedgerLineOptions {
  readonly clock: Clock
  readonly store: SharedStore
  readonly identity: Identity
  readonly limit: number
  readonly windowMs: number
  readonly graceMs: number
  readonly silentMs: number
  readonly leaseMs: number
  /** The memory that this replica knows. */
  readonly epoch: () => string
}

/** What an exchange says besides. */
type Said<Op extends Request['op']> = Omit<Extract<Request, { op: Op }>, keyof Common | 'op'>

/** In a memory that nobody knows: whoever is connected and lost the last one has come by then. */
const freshHoldMs = 1500

/** The store answered that it did nothing, and why. */
class RefusedError extends Error {
  constructor(reason: Refused['refused']) {
    super(refusals[reason])
  }
}

const refusals: Record<Refused['refused'], string> = {
  epoch: 'its memory is another one',
  member: 'it does not know this replica any more',
  late: 'an exchange arrived too late'
}

export class LedgerLine {
  readonly #options: LedgerLineOptions
  readonly #storeClock = new StoreClock()
  /** Whose clock it is. */
  #clockOf: string | undefined

  constructor(options: LedgerLineOptions) {
    this.#options = options
  }

  /** What the names of replicas are added to, to tell them that it is worth asking. */
  get channel(): string {
    return `${this.#options.store.namespace}turn:`
  }

  /** What the store's clock reads, before anything is asked of it that depends on that. */
  async readClock(runId: string): Promise<void> {
    const { clock, store } = this.#options
    if (this.#clockOf !== runId) this.#storeClock.forget()
    this.#clockOf = runId
    const askedAt = clock.now()
    const { time } = await exchange<{ time: number }>(store, { op: 'hello' })
    await this.#compareClocks(askedAt, time)
  }

  /** @throws if the store refused, its clock was set, or it did not answer; so do the next ones */
  join(said: Omit<Said<'join'>, 'freshHoldMs'>, askedAt: number): Promise<Answer> {
    return this.#ask({ ...this.#common(askedAt), ...said, op: 'join', freshHoldMs }, askedAt)
  }

  sync(said: Said<'sync'>, askedAt: number): Promise<Answer> {
    return this.#ask({ ...this.#common(askedAt), ...said, op: 'sync' }, askedAt)
  }

  async leave(said: Said<'leave'>, now: number): Promise<Left> {
    const request: Request = { ...this.#common(now), ...said, op: 'leave' }
    return unlessRefused(await exchange<Left>(this.#options.store, request))
  }

  async #ask(request: Request, askedAt: number): Promise<Answer> {
    const answer = await exchange<Answer>(this.#options.store, request)
    await this.#compareClocks(askedAt, answer.time)
    return unlessRefused(answer)
  }

  async #compareClocks(askedAt: number, time: number): Promise<void> {
    const { clock, epoch, store } = this.#options
    if (this.#storeClock.observe({ askedAt, heardAt: clock.now(), time })) return
    await exchange(store, { op: 'reset', epoch: epoch() })
    throw new StoreError('unknown', 'its clock was set')
  }

  #common(now: number): Common {
    const { graceMs, identity, leaseMs, limit, silentMs, windowMs } = this.#options
    return {
      ...{ id: identity.id, channel: this.channel, limit, windowMs, guardMs, silentMs, graceMs },
      ...{ leaseMs, closed: closedSlots },
      validUntil: Math.floor(this.#storeClock.toStore(now + storeTimeoutMs))
    }
  }
}

function unlessRefused<Expected extends object>(answer: Expected | Refused): Expected {
  if ('refused' in answer) throw new RefusedError(answer.refused)
  return answer
}
