/**
 * A schedule on a clock that is moved by hand, with an upstream that the test answers: what a test
 * of the schedule needs, and nothing of the other rooms.
 */

import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Event, Need, Priority } from '../../src/ports.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { Schedule, type ScheduleOptions } from '../../src/schedule/schedule.ts'
import { FakeClock } from './fake-clock.ts'
import { callTo, pageOf } from './pages.ts'

const emptyPage = pageOf([], 0)

/** A call that reached the upstream and waits for its answer. */
interface Arrived {
  readonly target: string
  readonly at: number
  answer(): void
  fail(error: Error): void
}

export interface Rig {
  readonly clock: FakeClock
  readonly schedule: Schedule
  readonly arrived: Arrived[]
  readonly events: Event[]
  /** What became of each call, by its target. */
  readonly outcomes: Map<string, { at: number; code: string; retryAfterMs: number | undefined }>
  /** Asks for a call; its outcome appears in `outcomes`. */
  ask(target: string, options?: Asking): AbortController
}

interface Asking {
  readonly team?: string
  readonly priority?: Priority
  readonly waitMs?: number
  readonly onQueued?: Need['onQueued']
}

export interface RigOptions extends Partial<ScheduleOptions> {
  /** Calls are answered by themselves after this long. */
  readonly latencyMs?: number | (() => number)
}

export function rig({ latencyMs, ...options }: RigOptions = {}): Rig {
  const clock = (options.clock as FakeClock | undefined) ?? new FakeClock()
  const arrived: Arrived[] = []
  const events: Event[] = []
  const outcomes: Rig['outcomes'] = new Map()
  const attempt = (call: { target: string }) =>
    new Promise<Page>((resolve, reject) => {
      arrived.push({
        target: call.target,
        at: clock.now(),
        answer: () => resolve(emptyPage),
        fail: reject
      })
      const delay = typeof latencyMs === 'function' ? latencyMs() : latencyMs
      if (delay !== undefined) clock.after(delay, () => resolve(emptyPage))
    })
  const schedule = new Schedule({
    clock,
    attempt,
    journal: noJournal,
    emit: event => void events.push(event),
    random: () => 0,
    weights: new Map([['blue', 1]]),
    limit: 12,
    windowMs: 60_000,
    concurrency: 100,
    maxLength: 1000,
    ...options
  })
  const ask = (
    target: string,
    { team = 'blue', priority = 'interactive', waitMs = 1e9, onQueued = () => {} }: Asking = {}
  ) => {
    const caller = new AbortController()
    const need: Need = {
      ...{ team, priority, deadline: clock.now() + waitMs, signal: caller.signal },
      onQueued
    }
    const note = (code: string, retryAfterMs?: number) =>
      outcomes.set(target, { at: clock.now(), code, retryAfterMs })
    schedule.send(callTo(target), need).then(
      () => note('ok'),
      error => note(error instanceof ServiceError ? error.code : 'left', error?.retryAfterMs)
    )
    return caller
  }
  return { clock, schedule, arrived, events, outcomes, ask }
}
