/**
 * The peers: what one would take from npm instead, each told the same limit in the way its manual
 * says. A limiter calls `task` when it thinks that a call may be made.
 */

import Bottleneck from 'bottleneck'
import PQueue from 'p-queue'
import { RateLimiterMemory, RateLimiterQueue } from 'rate-limiter-flexible'
import { limit, windowMs } from './conditions.ts'

export type Limiter = (task: () => Promise<void>) => Promise<void>

export const limiters = {
  /** A sliding window over the starts. */
  'p-queue strict': () => {
    const queue = new PQueue({ interval: windowMs, intervalCap: limit, strict: true })
    return task => queue.add(task)
  },
  /** A reservoir that is filled again at fixed times. */
  'Bottleneck reservoir': () => {
    const bottleneck = new Bottleneck({
      reservoir: limit,
      reservoirRefreshAmount: limit,
      reservoirRefreshInterval: windowMs
    })
    return task => bottleneck.schedule(task)
  },
  /** One start per 50 ms, never a burst. */
  'Bottleneck minTime': () => {
    const bottleneck = new Bottleneck({ minTime: windowMs / limit })
    return task => bottleneck.schedule(task)
  },
  /** A fixed window that opens with its first start. */
  'rate-limiter-flexible': () => {
    const limiter = new RateLimiterMemory({ points: limit, duration: windowMs / 1000 })
    const queue = new RateLimiterQueue(limiter)
    return async task => {
      await queue.removeTokens(1)
      await task()
    }
  }
} as const satisfies Record<string, () => Limiter>

export type LimiterName = keyof typeof limiters
