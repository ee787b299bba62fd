/**
 * What whoever waits has to expect: when its call will be sent, when its way would be free, and in
 * which words it is refused. Looks at the house as it stands and changes nothing.
 */

import type { Clock } from '../clock.ts'
import type { ServiceError } from '../errors.ts'
import type { CallProspect, Prospect } from '../ports.ts'
import type { ScheduleReport } from '../reports.ts'
import { canMake } from './admission.ts'
import type { Budget } from './budget.ts'
import { estimateFreeAt, estimateSendAt, type Outlook } from './estimate.ts'
import type { FairQueue } from './fair-queue.ts'
import { type Asking, foreseeCalls } from './foreseen-calls.ts'
import { hasPlace, type Places, type Resources, type Shares } from './reserves.ts'
import type { Sends } from './sends.ts'
import type { Waiting } from './waiting.ts'

export interface ProspectsOptions {
  readonly clock: Clock
  /** Uniform in [0, 1): spreads the return of those who were refused. */
  readonly random: () => number
  readonly windowMs: number
  /** Calls in any window, and in flight at once. */
  readonly limit: number
  readonly concurrency: number
}

export interface House {
  readonly sends: Sends
  readonly queue: FairQueue<Waiting>
  readonly shares: Shares
  readonly budget: Budget
}

/** An estimate looks no further ahead than this. */
const horizonWindows = 10

/** Much less than what is added by chance to spread those who return. */
const freeKnownForMs = 50

export class Prospects {
  readonly #options: ProspectsOptions
  readonly #house: House
  /** When the way is free, by class and team. */
  readonly #freeAt = new Map<string, { at: number; askedAt: number }>()

  constructor(options: ProspectsOptions, house: House) {
    this.#options = options
    this.#house = house
  }

  /** What every send depends on. */
  resources(now: number): Resources {
    const { budget, sends, shares } = this.#house
    return { ledger: sends.ledger, brake: sends.brake, shares, budget: budget.expectation(now) }
  }

  /** What stands in the way of sending, if anything does. */
  mode(now: number): ScheduleReport['mode'] {
    const { budget, sends } = this.#house
    const mode = sends.brake.mode(now)
    // An upstream that fails is still asked once a second: what keeps calls from that counts more.
    if (mode !== 'open' && mode !== 'failing') return mode
    const { hindrance, limit } = budget.expectation(now)
    return limit(now) === 0 ? hindrance : mode
  }

  /** Whether it will be sent in time if nothing else arrives. */
  canMake(waiting: Waiting, deadline: number): boolean {
    return canMake(waiting, this.#outlook(), deadline, this.#options)
  }

  /** What a call that waits has to expect, until its own deadline. */
  of(waiting: Waiting): Prospect {
    const outlook = this.#outlook()
    const sendAt = estimateSendAt(waiting, outlook, waiting.need.deadline)
    const waitMs = () => (sendAt < Infinity ? sendAt - outlook.now : this.freeInMs(waiting))
    return { sendAt, refusal: () => this.refusal(waitMs(), waiting) }
  }

  /** What would become of calls that came now. */
  foresee(asking: Asking, places: Places): readonly CallProspect[] {
    const { brake } = this.#house.sends
    const outlook = this.#outlook()
    const { now, queue } = outlook
    const mode = this.mode(now)
    const refusal = (waitMs: number) => brake.refusal({ mode, waitMs, waiting: queue.length })
    if (brake.refusesAll(now)) {
      const refused = { refusal: refusal(brake.nextSendAt() - now), rule: 'brake' } as const
      return asking.priorities.map(() => refused)
    }
    return foreseeCalls(asking, {
      ...{ outlook, refusal, horizon: now + this.#horizonMs(now) },
      hasPlace: line => hasPlace(asking.team, line, places),
      rule: mode === 'open' ? 'deadline' : 'brake',
      isProbing: mode === 'key-refused'
    })
  }

  /**
   * How long until one that comes back would be sent at once. Known for a moment: a crowd that is
   * refused together would else play the line forward for each.
   */
  freeInMs({ priority, team }: Waiting): number {
    const outlook = this.#outlook()
    const { now } = outlook
    const key = `${priority} ${team}`
    const known = this.#freeAt.get(key)
    if (known && now - known.askedAt < freeKnownForMs) return Math.max(known.at - now, 0)
    const horizon = now + this.#horizonMs(now)
    const at = Math.min(estimateFreeAt({ priority, team }, outlook, horizon), horizon)
    this.#freeAt.set(key, { at, askedAt: now })
    return at - now
  }

  #horizonMs(now: number): number {
    const { knownForMs } = this.#house.budget.expectation(now)
    return Math.min(knownForMs, horizonWindows * this.#options.windowMs)
  }

  /**
   * A little later for each, so that those who obey `Retry-After` do not return together. A call
   * that met a 429 was held up by that, whatever stands in the way of others by now.
   */
  refusal(waitMs: number, waiting?: Waiting): ServiceError {
    const { clock, random } = this.#options
    const { queue, sends } = this.#house
    const mode = waiting?.hasMet429 ? 'paused' : this.mode(clock.now())
    const laterMs = random() * Math.max(1000, waitMs / 10)
    return sends.brake.refusal({ mode, waitMs: waitMs + laterMs, waiting: queue.length })
  }

  #outlook(): Outlook<Waiting> {
    const now = this.#options.clock.now()
    const { budget, queue, sends, shares } = this.#house
    return { now, queue, sends, shares, budget: budget.expectation(now) }
  }
}
