/**
 * Schedules of several replicas on one store, on a clock that is moved by hand: what a test of the
 * shared budget needs. The store is a real redis-server in virtual time (virtual-store.ts).
 */

import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Need, Priority } from '../../src/ports.ts'
import { type Journal, noJournal } from '../../src/schedule/journal.ts'
import type { Identity } from '../../src/schedule/replicas/identity.ts'
import { SharedBudget } from '../../src/schedule/replicas/shared-budget.ts'
import { Schedule } from '../../src/schedule/schedule.ts'
import { ProcessClock } from '../simulation/process-clock.ts'
import { FakeClock } from './fake-clock.ts'
import { callTo, pageOf } from './pages.ts'
import { startRedis } from './redis.ts'
import { VirtualServer, VirtualStore } from './virtual-store.ts'

export interface ReplicasOptions {
  readonly limit?: number
  readonly windowMs?: number
  readonly timeoutMs?: number
  readonly graceMs?: number
  /** Time that passes from one reading of the clock to the next; none by default. */
  readonly readingMs?: number
  readonly concurrency?: number
  readonly teams?: ReadonlyMap<string, number>
  /** How long the upstream takes. */
  readonly latencyMs?: () => number
  /** What becomes of a call; by default it is answered after `latencyMs`. */
  readonly fate?: () => Promise<void>
}

export interface Arrival {
  readonly at: number
  readonly replica: string
  readonly team: string
  readonly priority: Priority
}

export interface Replica {
  readonly name: string
  readonly schedule: Schedule
  readonly budget: SharedBudget
  readonly process: ProcessClock
  readonly store: VirtualStore
  readonly identity: Identity
  /** What became of its calls: `ok`, or the code of the error. */
  readonly outcomes: string[]
  ask(options?: Asking): AbortController
}

interface Asking {
  readonly team?: string
  readonly priority?: Priority
  readonly waitMs?: number
}

const emptyPage = pageOf([], 0)

export class Replicas {
  readonly clock = new FakeClock()
  readonly server: VirtualServer
  readonly arrivals: Arrival[] = []
  /** What they all wrote into their logs. */
  readonly warnings: string[] = []
  readonly #options: Required<Omit<ReplicasOptions, 'fate'>> & Pick<ReplicasOptions, 'fate'>
  readonly #identities = new Map<string, Identity>()

  constructor(redis: Redis, options: ReplicasOptions) {
    this.#options = {
      ...{
        limit: 12,
        windowMs: 6000,
        timeoutMs: 1000,
        graceMs: 20_000,
        concurrency: 64,
        readingMs: 0
      },
      ...{ teams: new Map([['blue', 1]]), latencyMs: () => 100 },
      ...options
    }
    this.server = new VirtualServer(this.clock, redis)
  }

  /** Also one that was killed: it comes back under its identity. */
  start(name: string, journal: Journal = noJournal): Replica {
    const { concurrency, fate, graceMs, latencyMs, limit, teams, timeoutMs, windowMs } =
      this.#options
    const process = new ProcessClock(this.clock, this.#options.readingMs)
    const identity = this.#identityOf(name)
    const store = new VirtualStore({
      ...{ server: this.server, clock: process },
      delayMs: () => 0.2
    })
    const budget = new SharedBudget({
      ...{ clock: process, store, identity, limit, windowMs, timeoutMs, graceMs },
      ...{ knowsItsCalls: true, log: { info: () => {}, warn: line => this.warnings.push(line) } }
    })
    let sending: Omit<Arrival, 'at'> = { replica: name, team: '', priority: 'bulk' }
    const schedule = new Schedule({
      ...{ clock: process, journal, budget, limit, windowMs, concurrency },
      ...{ random: () => 0, weights: teams, maxLength: 10_000 },
      emit: event => {
        if (event.type === 'schedule.sent') sending = { ...sending, ...event }
      },
      attempt: () => {
        const { priority, team } = sending
        this.arrivals.push({ at: this.clock.now(), replica: name, team, priority })
        const answer = () => new Promise<void>(resolve => process.after(latencyMs(), resolve))
        return process.unlessDead<Page>(() => (fate ?? answer)().then(() => emptyPage))
      }
    })
    const outcomes: string[] = []
    const ask = ({ team = 'blue', priority = 'interactive', waitMs = 1e6 }: Asking = {}) => {
      const caller = new AbortController()
      const need: Need = { team, priority, deadline: process.now() + waitMs, signal: caller.signal }
      schedule.send(callTo('/page'), need).then(
        () => outcomes.push('ok'),
        error => outcomes.push(error instanceof ServiceError ? error.code : 'left')
      )
      return caller
    }
    return { name, schedule, budget, process, store, identity, outcomes, ask }
  }

  #identityOf(name: string): Identity {
    const known = this.#identities.get(name)
    if (known) return known
    let memory: Identity['memory'] = { epoch: '', share: 0 }
    const identity: Identity = {
      id: name,
      get memory() {
        return memory
      },
      remember: next => {
        memory = next
      }
    }
    this.#identities.set(name, identity)
    return identity
  }
}

export async function openReplicas(t: Test, options: ReplicasOptions = {}): Promise<Replicas> {
  const server = await startRedis(t)
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  return new Replicas(redis, options)
}
