/** The upstream in virtual time: an answer takes its way there and back, and is true in between. */

import type { Random } from '../../simulator/random.ts'
import type { Clock } from '../../src/clock.ts'
import { latencyJitterMs, leastLatencyMs } from './conditions.ts'
import type { Desk } from './desk.ts'
import type { Snapshot } from './upstream-lists.ts'
import type { Part } from './workload.ts'

export interface VirtualUpstreamOptions {
  readonly clock: Clock
  readonly desk: Desk
  readonly random: Random
}

export class VirtualUpstream {
  readonly #options: VirtualUpstreamOptions
  /** When calls arrived. */
  readonly arrivals: number[] = []

  constructor(options: VirtualUpstreamOptions) {
    this.#options = options
  }

  async take(part: Part): Promise<Snapshot> {
    const { clock, desk } = this.#options
    await this.#way()
    const now = clock.now()
    this.arrivals.push(now)
    const snapshot = desk.at(now).take(part, now)
    await this.#way()
    return snapshot
  }

  #way(): Promise<void> {
    const { clock, random } = this.#options
    const delayMs = leastLatencyMs + random.next() * latencyJitterMs
    return new Promise(resolve => clock.after(delayMs, resolve))
  }
}
