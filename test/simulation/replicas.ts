/**
 * Several replicas, one store, one upstream, in virtual time, from one seed: teams that ask each of
 * them, replicas that are killed, suspended and cut off, a store that stops, sleeps, forgets, is
 * replaced by a copy that missed the last second, or has its clock set. After every event: all
 * replicas' calls together keep the law.
 */

import type { Redis } from 'ioredis'
import { largestWindow } from '../../simulator/arrivals.ts'
import { Random } from '../../simulator/random.ts'
import { parseConfig } from '../../src/config.ts'
import { openJournal } from '../../src/schedule/journal.ts'
import { giveUpMarginMs } from '../../src/schedule/ledger.ts'
import { openIdentity } from '../../src/schedule/replicas/identity.ts'
import { SharedBudget } from '../../src/schedule/replicas/shared-budget.ts'
import { makeStateDir } from '../../src/schedule/state-dir.ts'
import { joinRooms, type Rooms } from '../../src/service.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { windowOf } from '../support/pages.ts'
import { VirtualServer, VirtualStore } from '../support/virtual-store.ts'
import { ProcessClock } from './process-clock.ts'
import { chats, World } from './world.ts'

export interface ReplicasRun {
  readonly answered: number
  readonly refused: number
  readonly arrivals: number
  /** Calls of replicas that spent their share without the store. */
  readonly aloneCalls: number
  readonly kills: number
}

export interface ReplicasOptions {
  readonly seed: number
  readonly directory: string
  readonly redis: Redis
  /** Slots that the replicas believe to have beyond the upstream's limit. */
  readonly extraSlots?: number
}

const windowMs = 10_000
const timeoutMs = 3000
const steps = 80
const replicaCount = 3

const troubleNames = [
  ...(['kill', 'suspend', 'resume', 'cut', 'deafen', 'sleep', 'wake', 'stop'] as const),
  ...(['empty', 'fail over', 'set clock', 'mend'] as const)
]
type TroubleName = (typeof troubleNames)[number]

interface Replica {
  readonly name: string
  process: ProcessClock
  store: VirtualStore
  rooms: Rooms
  budget: SharedBudget
}

class Simulation {
  readonly #options: ReplicasOptions
  readonly #random: Random
  readonly #clock = new FakeClock()
  readonly #limit: number
  readonly #world: World
  readonly #server: VirtualServer
  readonly #replicas: Replica[]
  /** Each seed knows only some: where everything happens, nothing lasts. */
  readonly #troubles: readonly TroubleName[]
  readonly #graceMs: number
  #checked = 0
  readonly #counts = { answered: 0, refused: 0, aloneCalls: 0, kills: 0 }

  constructor(options: ReplicasOptions) {
    const { redis, seed } = options
    this.#options = options
    this.#random = new Random(seed)
    this.#limit = 6 + this.#random.below(40)
    const [slow, refused, lost, hang, broken] = [0.05, 0.02, 0.02, 0.02, 0.03]
    this.#world = new World({
      clock: this.#clock,
      random: this.#random,
      limit: this.#limit + 10_000,
      windowMs,
      timeoutMs,
      faults: { slow, refused, lost, hang, broken }
    })
    this.#server = new VirtualServer(this.#clock, redis)
    this.#troubles = ['mend', ...troubleNames.filter(() => this.#random.chance(0.4))]
    this.#graceMs = this.#random.pick([3000, 30_000])
    this.#replicas = Array.from({ length: replicaCount }, (_, index) => this.#start(`r${index}`))
    this.#clock.afterEach = () => this.#check()
  }

  async run(): Promise<ReplicasRun> {
    for (let step = 0; step < steps; step++) {
      await this.#step()
      if (this.#random.chance(0.3)) await this.#server.copy()
      await this.#clock.advance(this.#random.below(this.#random.chance(0.1) ? 20_000 : 2000))
    }
    await this.#calmDown()
    await this.#server.empty()
    const { arrivals } = this.#world
    return { ...this.#counts, arrivals: arrivals.length }
  }

  async #step(): Promise<void> {
    const replica = this.#random.pick(this.#replicas)
    if (this.#random.chance(0.6)) this.#ask(replica, this.#random.below(30))
    else await this.#befall(this.#random.pick(this.#troubles), replica)
  }

  async #befall(trouble: TroubleName, replica: Replica): Promise<void> {
    const { process, store } = replica
    switch (trouble) {
      case 'kill':
        return this.#killAndRestart(replica)
      case 'suspend':
        return process.suspend()
      case 'resume':
        return process.resume()
      case 'cut':
        store.canAsk = false
        return
      case 'deafen':
        store.canHear = false
        return
      case 'sleep':
        return this.#server.sleep()
      case 'wake':
        return this.#server.wake()
      case 'stop':
        this.#server.isRunning = !this.#server.isRunning
        return
      case 'empty':
        return this.#server.empty()
      case 'fail over':
        return this.#server.failOver(this.#random.below(1500))
      case 'set clock':
        this.#server.skewMs += this.#random.below(120_000) - 60_000
        return
      case 'mend':
        return this.#mend()
    }
  }

  /** Everything works again, and so it has to: everybody is answered. */
  async #calmDown(): Promise<void> {
    this.#mend()
    await this.#clock.advance(3 * windowMs + 2 * this.#graceMs)
    for (const replica of this.#replicas) this.#ask(replica, 3)
    const before = this.#counts.answered
    await this.#clock.advance(2 * windowMs + timeoutMs)
    const answered = this.#counts.answered - before
    this.#assert(answered > 0, `nobody is answered in the end (${this.#standings()})`)
  }

  #mend(): void {
    this.#server.isRunning = true
    this.#server.wake()
    for (const { process, store } of this.#replicas) {
      process.resume()
      store.canAsk = true
      store.canHear = true
    }
  }

  #start(name: string): Replica {
    const { directory, extraSlots = 0 } = this.#options
    const slots = this.#limit + extraSlots
    const process = new ProcessClock(this.#clock)
    const own = `${directory}/${name}`
    makeStateDir(own)
    const config = parseConfig({
      HELPCRUNCH_API_KEY: 'simulated',
      TEAM_TOKENS: 'blue=0123456789abcdef-blue,green=0123456789abcdef-green:2',
      UPSTREAM_LIMIT: String(slots),
      UPSTREAM_WINDOW_SECONDS: String(windowMs / 1000),
      UPSTREAM_TIMEOUT_SECONDS: String(timeoutMs / 1000),
      CACHE_FRESH_SECONDS: '1',
      CACHE_STALE_WHILE_REVALIDATE_SECONDS: '1',
      CACHE_STALE_IF_ERROR_SECONDS: '2'
    })
    const journal = openJournal({
      ...{ directory: own, capacity: slots, windowMs, timeoutMs, giveUpMarginMs },
      now: process.now(),
      bootId: `boot-of-seed-${this.#options.seed}`,
      warn: message => this.#assert(false, message)
    })
    const store = new VirtualStore({
      ...{ server: this.#server, clock: process },
      delayMs: () => this.#random.below(this.#random.chance(0.05) ? 200 : 4)
    })
    const budget = new SharedBudget({
      ...{ clock: process, store, identity: openIdentity(own), limit: slots, windowMs, timeoutMs },
      ...{ graceMs: this.#graceMs, knowsItsCalls: true, log: { info: () => {}, warn: () => {} } }
    })
    const rooms = joinRooms({
      ...{ config, clock: process, journal, budget },
      attempt: call => {
        if (budget.report().mode === 'alone') this.#counts.aloneCalls++
        return process.unlessDead(() => this.#world.attempt(call))
      },
      random: () => this.#random.next()
    })
    return { name, process, store, rooms, budget }
  }

  #ask({ process, rooms }: Replica, count: number): void {
    for (let asked = 0; asked < count; asked++) {
      const need = {
        team: this.#random.pick(['blue', 'green']),
        priority: this.#random.pick(['interactive', 'interactive', 'bulk'] as const),
        deadline: process.now() + this.#random.below(20_000),
        signal: new AbortController().signal
      }
      const window = windowOf({ offset: this.#random.below(chats.length - 200), limit: 10 })
      const use = () => void this.#counts.answered++
      Promise.resolve(rooms.chats.list(window, need, use)).catch(() => void this.#counts.refused++)
    }
  }

  /** kill -9: its place is taken by another process in the same directory. */
  async #killAndRestart(replica: Replica): Promise<void> {
    replica.process.kill()
    this.#counts.kills++
    await this.#clock.advance(this.#random.below(6000))
    this.#replicas[this.#replicas.indexOf(replica)] = this.#start(replica.name)
  }

  #check(): void {
    const { arrivals } = this.#world
    if (arrivals.length === this.#checked) return
    this.#checked = arrivals.length
    const sorted = arrivals.toSorted((a, b) => a - b)
    const most = largestWindow(sorted, windowMs)
    this.#assert(most <= this.#limit, `the law is broken: ${most} of ${this.#limit}`)
  }

  #standings(): string {
    return this.#replicas.map(({ budget }) => budget.report().mode).join()
  }

  #assert(holds: boolean, what: string): void {
    if (!holds) throw new Error(`seed ${this.#options.seed}: ${what}`)
  }
}

/** @throws {Error} naming the seed, at the first promise that does not hold */
export function simulateReplicas(options: ReplicasOptions): Promise<ReplicasRun> {
  return new Simulation(options).run()
}
