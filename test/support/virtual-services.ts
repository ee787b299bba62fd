/**
 * Replicas of the service, without sockets, on a clock that is moved by hand: chats, cache and
 * schedule of each, joined by one store (virtual-store.ts), in front of one upstream.
 */

import type { Test } from 'tap'
import { SharedCache } from '../../src/cache/shared-cache.ts'
import { parseConfig } from '../../src/config.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Call, Conditions } from '../../src/ports.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { SharedBudget } from '../../src/schedule/replicas/shared-budget.ts'
import { joinRooms } from '../../src/service.ts'
import { ProcessClock } from '../simulation/process-clock.ts'
import { FakeClock } from './fake-clock.ts'
import { needOf } from './needs.ts'
import { heldEnvelopes, virtualServers } from './page-caches.ts'
import { chatTexts, pageFor, windowOf } from './pages.ts'
import { type VirtualServer, VirtualStore } from './virtual-store.ts'

/** A call that reached the upstream. */
export interface Arrived {
  readonly at: number
  readonly replica: string
  readonly call: Call
}

export interface Outcome {
  readonly replica: string
  readonly askedAt: number
  readonly deadline: number
  at?: number
  /** `ok`, or the code of the error. */
  code?: string
  retryAfterMs?: number | undefined
}

export interface VirtualReplica {
  readonly name: string
  readonly process: ProcessClock
  readonly store: VirtualStore
  readonly budget: SharedBudget
  /** Asks for the first chats of a page. */
  ask(about?: Asking): Outcome
}

interface Asking {
  readonly page?: number
  readonly waitMs?: number
  readonly conditions?: Conditions
}

const texts = chatTexts(1000)
const windowMs = 60_000
export const timeoutMs = 3000

export class VirtualServices {
  readonly clock: FakeClock
  readonly server: VirtualServer
  readonly arrived: Arrived[] = []
  readonly outcomes: Outcome[] = []
  readonly #limit: number
  /** What becomes of a call. */
  fate: (call: Call) => Promise<Page> = call => this.answered(call, 300)

  readonly #env: Readonly<Record<string, string>>

  constructor(
    clock: FakeClock,
    server: VirtualServer,
    limit: number,
    env: Readonly<Record<string, string>> = {}
  ) {
    this.#env = env
    this.clock = clock
    this.server = server
    this.#limit = limit
  }

  answered(call: Call, afterMs: number): Promise<Page> {
    return new Promise(resolve => this.clock.after(afterMs, () => resolve(pageFor(call, texts))))
  }

  failed(error: ServiceError, afterMs: number): Promise<Page> {
    return new Promise((_, reject) => this.clock.after(afterMs, () => reject(error)))
  }

  start(name: string): VirtualReplica {
    const limit = this.#limit
    const clock = new ProcessClock(this.clock)
    const config = parseConfig({
      HELPCRUNCH_API_KEY: 'simulated',
      UPSTREAM_LIMIT: String(limit),
      UPSTREAM_WINDOW_SECONDS: String(windowMs / 1000),
      UPSTREAM_TIMEOUT_SECONDS: String(timeoutMs / 1000),
      CACHE_READ_AHEAD: 'false',
      CACHE_REFRESH_AHEAD: 'false',
      ...this.#env
    })
    const store = new VirtualStore({ server: this.server, clock, delayMs: () => 0.2 })
    const memory = { epoch: '', share: 0 }
    const budget = new SharedBudget({
      ...{ clock, store, limit, windowMs, timeoutMs, graceMs: 20_000, knowsItsCalls: true },
      identity: { id: name, memory, remember: next => Object.assign(memory, next) },
      log: { info: () => {}, warn: () => {} }
    })
    const shared = new SharedCache({
      ...{ clock, store, keepMs: 100_000, maxBytes: 1e8, warn: () => {} },
      envelopes: heldEnvelopes(this.clock)
    })
    const rooms = joinRooms({
      ...{ config, clock, journal: noJournal, budget, shared, random: () => 0 },
      attempt: call => {
        this.arrived.push({ at: this.clock.now(), replica: name, call })
        return clock.unlessDead(() => this.fate(call))
      }
    })
    shared.start(rooms.makeStale)
    const ask: VirtualReplica['ask'] = ({ conditions, page = 0, waitMs = 8000 } = {}) => {
      const askedAt = this.clock.now()
      const outcome: Outcome = { replica: name, askedAt, deadline: askedAt + waitMs }
      this.outcomes.push(outcome)
      const note = (code: string, retryAfterMs?: number) =>
        Object.assign(outcome, { at: this.clock.now(), code, retryAfterMs })
      const window = windowOf({ offset: 100 * page, limit: 10 })
      const need = needOf({ deadline: outcome.deadline, ...(conditions && { conditions }) })
      Promise.resolve(rooms.chats.list(window, need, () => note('ok'))).catch(error =>
        note(error instanceof ServiceError ? error.code : String(error), error.retryAfterMs)
      )
      return outcome
    }
    return { name, process: clock, store, budget, ask }
  }
}

/** That many replicas that have joined. */
export async function startVirtualServices(t: Test, { count = 3, limit = 120, env = {} } = {}) {
  const clock = new FakeClock()
  const services = new VirtualServices(clock, (await virtualServers(t, clock))(), limit, env)
  const replicas = Array.from({ length: count }, (_, index) => services.start(`r${index}`))
  await clock.advance(2000)
  return { services, replicas, clock }
}
