/**
 * Reads the windows of a walk through the schedule's door, past the cache, as `bulk`. A walk that is
 * under way is worth waiting for: what may pass is tried again with growing pauses until a window
 * has cost its patience. A walk that is only beginning is not: its caller is told what is wrong.
 */

import type { Signal } from '../../cancellation.ts'
import type { Clock } from '../../clock.ts'
import { type ErrorCode, ServiceError } from '../../errors.ts'
import type { Page } from '../../page.ts'
import type { Need, Send } from '../../ports.ts'
import { windowCall } from './walk.ts'

export interface ReadingOptions {
  readonly clock: Clock
  readonly send: Send
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** The window of the upstream's allowance, in which every slot comes back. */
  readonly windowMs: number
}

/**
 * How a window is worth waiting for: while an export begins, once and so long as its caller would;
 * as a guess, once; under way, again and again.
 */
export type Patience =
  | { readonly kind: 'opening'; readonly waitMs: number }
  | { readonly kind: 'guess' }
  | { readonly kind: 'under-way' }

/** Who a window is read for. */
export interface Errand {
  /** All teams that want it now, at least one. */
  readonly teams: readonly string[]
  /** Aborted when nobody does any more. */
  readonly signal: Signal
  readonly patience: Patience
}

/** How long one window of a walk under way is tried for, at least. */
export const leastPatienceMs = 5 * 60_000

/** In so many windows of the allowance even a walk with many others beside it has its turn. */
const patienceWindows = 3

const firstPauseMs = 1000
const longestPauseMs = 30_000

/** What another try may cure. */
const passing = new Set<ErrorCode>([
  'budget_exhausted',
  'upstream_rate_limited',
  'upstream_error',
  'upstream_invalid_response',
  'upstream_timeout',
  'upstream_unauthorized',
  'upstream_unreachable'
])

export class Reading {
  readonly #options: ReadingOptions
  #latencyMs = 0

  constructor(options: ReadingOptions) {
    this.#options = options
  }

  /** How long the latest call took at the upstream, in milliseconds. */
  get latencyMs(): number {
    return this.#latencyMs
  }

  /** @throws {ServiceError} what the last try failed with, or the signal's reason */
  async read(offset: number, errand: Errand): Promise<Page> {
    const { clock, windowMs } = this.#options
    const { patience } = errand
    const patienceMs = Math.max(leastPatienceMs, patienceWindows * windowMs)
    const until = clock.now() + (patience.kind === 'opening' ? patience.waitMs : patienceMs)
    if (patience.kind !== 'under-way') return await this.#try(offset, errand, until)
    for (let failures = 0; ; failures++) {
      try {
        return await this.#try(offset, errand, until)
      } catch (error) {
        const pauseMs = this.#pauseAfter(error, failures)
        if (clock.now() + pauseMs >= until) throw error
        await this.#pause(pauseMs, errand.signal)
      }
    }
  }

  async #try(offset: number, { signal, teams }: Errand, deadline: number): Promise<Page> {
    signal.throwIfAborted()
    const need: Need = { team: teams[0]!, teams, priority: 'bulk', deadline, signal }
    const { page, timing } = await unlessAborted(
      this.#options.send(windowCall(offset), need),
      signal
    )
    this.#latencyMs = timing.upstreamMs
    // From such a window a walk cannot go on, and it is not the end either.
    if (page.count < 2 && offset + page.count < page.total) throw tooShort()
    return page
  }

  /** Infinity after what will not pass. */
  #pauseAfter(error: unknown, failures: number): number {
    if (!(error instanceof ServiceError) || !passing.has(error.code)) return Infinity
    const pauseMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs)
    return Math.max(pauseMs * (0.5 + this.#options.random() / 2), error.retryAfterMs ?? 0)
  }

  async #pause(delayMs: number, signal: Signal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#options.clock.after(delayMs, resolve)
    await unlessAborted(promise, signal).finally(() => timer.cancel())
  }
}

/** The promise, unless the signal comes first; a call in flight then goes on for nobody. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: Signal): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function tooShort(): ServiceError {
  const detail = 'HelpCrunch sent fewer chats than the total says there are.'
  return new ServiceError('upstream_invalid_response', detail, { contact: 'answered' })
}
