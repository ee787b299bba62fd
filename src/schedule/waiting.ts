/**
 * A call from its arrival until it is settled: what is wanted, by whom, and what was set up for the
 * time of its wait. It knows nothing of slots, lines or other calls.
 */

import type { Timer } from '../clock.ts'
import type { ServiceError } from '../errors.ts'
import type { Call, Need, Place, Priority, Prospect, Reply } from '../ports.ts'
import type { Queued } from './fair-queue.ts'

/** What those who wait have in common, so that none has functions of its own. */
export interface Line {
  /** Its caller has left. */
  left(waiting: Waiting): void
  /** Another team wants it as well, and it stands in line. */
  joined(waiting: Waiting, team: string): void
  prospectOf(waiting: Waiting): Prospect
}

export class Waiting implements Queued, Place {
  readonly call: Call
  readonly need: Need
  readonly arrivedAt: number
  /** Settles once. */
  readonly reply: Promise<Reply>
  readonly resolve: (reply: Reply) => void
  readonly reject: (reason: unknown) => void
  /** Why it stands in line again, once it was tried. */
  failure: ServiceError | undefined
  inLine = false
  #timer: Timer | undefined
  readonly #line: Line

  constructor(call: Call, need: Need, arrivedAt: number, line: Line) {
    const { promise, reject, resolve } = Promise.withResolvers<Reply>()
    this.call = call
    this.need = need
    this.arrivedAt = arrivedAt
    this.reply = promise
    this.resolve = resolve
    this.reject = reject
    this.#line = line
  }

  get team(): string {
    return this.need.team
  }

  get teams(): Iterable<string> {
    return this.need.teams ?? [this.need.team]
  }

  get hasMet429(): boolean {
    return this.failure?.code === 'upstream_rate_limited'
  }

  get priority(): Priority {
    return this.need.priority
  }

  /** From now on the caller may leave, and the timer, if any, stands for what happens otherwise. */
  watch(timer?: Timer): void {
    this.#timer?.cancel()
    this.#timer = timer
    this.need.signal.addEventListener('abort', this)
  }

  /** Takes down whatever `watch` set up. */
  rest(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.need.signal.removeEventListener('abort', this)
  }

  /** The caller has left between `watch` and `rest`. */
  handleEvent(): void {
    this.#line.left(this)
  }

  prospect(): Prospect {
    return this.#line.prospectOf(this)
  }

  join(team: string): void {
    if (this.inLine) this.#line.joined(this, team)
  }
}
