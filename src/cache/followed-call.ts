/**
 * The call of another replica, as whoever waits here for the same sees it: whether it has left, what
 * they are told if it came to nothing, and until when it is worth waiting for it to leave.
 */

import { ServiceError } from '../errors.ts'
import { type Need, slackMs } from '../ports.ts'
import type { Approach } from './shared-pages.ts'

/** What it takes to get hold of a lease and of a slot, both from the store, at most. */
const lastMomentMs = 250

/** It is time to do something, or to give up. */
export type Late = 'last moment' | 'late'

export class FollowedCall {
  readonly need: Need
  /** Before the deadline: for who has little time, half of that. */
  readonly #lastMomentMs: number
  #isSent = false

  constructor(need: Need, now: number) {
    this.need = need
    this.#lastMomentMs = Math.min(lastMomentMs, Math.max(need.deadline - now, 0) / 2)
  }

  get isSent(): boolean {
    return this.#isSent
  }

  /** While it has not left: the next instant at which it may be time. */
  lateAt(now: number): number {
    const { deadline } = this.need
    const lastMoment = deadline - this.#lastMomentMs
    // Who does not wait at all still hears of a call that leaves now.
    return now < lastMoment ? lastMoment : Math.max(deadline, now + slackMs / 2)
  }

  /** Whether it is: it may have left by then, and joiners may have moved the deadline. */
  latenessAt(now: number): 'look' | Late {
    const { deadline } = this.need
    if (this.#isSent || now < deadline - this.#lastMomentMs) return 'look'
    return now < deadline ? 'last moment' : 'late'
  }

  /** From how things stand, in case that no message came. */
  learn(found: Approach | undefined): void {
    if (found?.kind === 'page') this.#isSent = false
    else if (found?.kind === 'held' && found.isSent) this.sent()
    else this.cameToNothing(lost())
  }

  sent(): void {
    if (this.#isSent) return
    this.#isSent = true
    this.need.onSent?.()
  }

  /** Whose time was over has had its call, and this is what came of it. */
  cameToNothing(failure: ServiceError): void {
    if (!this.#isSent) return
    this.#isSent = false
    this.need.onRetry?.(failure)
  }
}

function lost(): ServiceError {
  const detail = 'Another replica made this call, and is not heard of any more.'
  const options = { contact: 'unanswered', retryAfterMs: 1000 } as const
  return new ServiceError('upstream_unreachable', detail, options)
}
