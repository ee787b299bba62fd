/**
 * How long the store takes to answer the soak itself, on a connection that none of its troubles are
 * on. Who lost a store that was as late here was not the only one.
 */

import { Redis } from 'ioredis'
import { systemClock } from '../src/clock.ts'

const everyMs = 50
/** How far back anybody asks. */
const keptMs = 10_000

interface Look {
  readonly at: number
  /** Unknown until it is answered. */
  ms: number | undefined
}

export class StoreProbe {
  readonly #redis: Redis
  readonly #timer: NodeJS.Timeout
  #looks: Look[] = []

  constructor(url: string) {
    this.#redis = new Redis(url, {
      ...{ enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: () => everyMs }
    })
    // A store that is killed is told of by who killed it.
    this.#redis.on('error', () => {})
    this.#timer = setInterval(() => void this.#look(), everyMs)
  }

  /** The longest that an answer took, or has taken so far, of what was asked since then. */
  longestMs(from: number): number {
    const now = systemClock.now()
    const since = this.#looks.filter(({ at, ms = now - at }) => at + ms >= from)
    return Math.max(0, ...since.map(({ at, ms = now - at }) => ms))
  }

  end(): void {
    clearInterval(this.#timer)
    this.#redis.disconnect()
  }

  async #look(): Promise<void> {
    const at = systemClock.now()
    this.#looks = this.#looks.filter(look => look.ms === undefined || look.at > at - keptMs)
    if (this.#looks.at(-1)?.ms === undefined && this.#looks.length > 0) return
    const look: Look = { at, ms: undefined }
    this.#looks.push(look)
    await this.#redis.ping().catch(() => {})
    look.ms = systemClock.now() - at
  }
}
