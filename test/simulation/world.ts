/**
 * The world outside of the service, in virtual time: a network with delays, and an upstream that
 * counts arrivals strictly, refuses, fails, loses and hangs, while somebody else spends from the
 * same key. Everything random comes from one seed. An arrival is stamped with the moment at which
 * the network delivered it, however late a stalled process would notice anything.
 */

import type { Random } from '../../simulator/random.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Call } from '../../src/ports.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { chatTexts, pageFor } from '../support/pages.ts'

export interface WorldOptions {
  readonly clock: FakeClock
  readonly random: Random
  readonly limit: number
  readonly windowMs: number
  readonly timeoutMs: number
  /** Chances, per call, of each misfortune. */
  readonly faults: Faults
}

interface Faults {
  /** Longer on the way than a call that was given up can be. */
  readonly slow: number
  readonly refused: number
  readonly lost: number
  readonly hang: number
  readonly broken: number
}

/** What the upstream holds; every sort and order of it is the same list here. */
export const chats = chatTexts(4000)

export class World {
  readonly #options: WorldOptions
  /** When our calls arrived, and when anybody's did. */
  readonly arrivals: number[] = []
  readonly #everybody: number[] = []
  keyWorks = true

  constructor(options: WorldOptions) {
    this.#options = options
  }

  /** Somebody else uses the key. */
  steal(count: number): void {
    for (let call = 0; call < count; call++) this.#everybody.push(this.#options.clock.now())
  }

  /** One attempt, as the upstream's door makes it. */
  attempt(call: Call): Promise<Page> {
    const { random, faults, timeoutMs } = this.#options
    if (random.chance(faults.refused)) return this.#later(random.below(50), unreachable('unsent'))
    const outMs = random.below(random.chance(faults.slow) ? timeoutMs - 400 : 400)
    const backMs = random.below(400)
    this.arrivals.push(this.#options.clock.now() + outMs)
    const judged = this.#judge(this.#options.clock.now() + outMs)
    if (random.chance(faults.hang)) return this.#later(timeoutMs, timedOut())
    if (random.chance(faults.lost))
      return this.#later(outMs - random.below(Math.min(outMs, 400) + 1), unreachable('unanswered'))
    return this.#later(outMs + backMs, judged ?? pageFor(call, chats))
  }

  /** What the upstream makes of an arrival: an error, or nothing to object. */
  #judge(at: number): ServiceError | undefined {
    const { limit, windowMs, random, faults } = this.#options
    const inWindow = this.#everybody.filter(other => other > at - windowMs && other <= at).length
    this.#everybody.push(at)
    if (inWindow >= limit) return tooMany(random.chance(0.5) ? random.below(5000) : undefined)
    if (!this.keyWorks)
      return new ServiceError('upstream_unauthorized', 'key', { contact: 'answered' })
    return random.chance(faults.broken) ? serverError() : undefined
  }

  #later(delayMs: number, outcome: Page | ServiceError): Promise<Page> {
    return new Promise((resolve, reject) => {
      this.#options.clock.after(delayMs, () =>
        outcome instanceof ServiceError ? reject(outcome) : resolve(outcome)
      )
    })
  }
}

const unreachable = (contact: 'unsent' | 'unanswered') =>
  new ServiceError('upstream_unreachable', 'network', { contact })

const timedOut = () => new ServiceError('upstream_timeout', 'slow', { contact: 'unanswered' })

const serverError = () =>
  new ServiceError('upstream_error', 'broken', { contact: 'answered', upstreamStatus: 503 })

const tooMany = (retryAfterMs: number | undefined) =>
  new ServiceError('upstream_rate_limited', 'too many', {
    contact: 'answered',
    ...(retryAfterMs !== undefined && { retryAfterMs })
  })
