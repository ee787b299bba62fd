/**
 * One run of the whole service but its sockets, in virtual time, from one seed: teams that ask,
 * flood and leave, an upstream and a network that go wrong, an event loop that stalls, a process
 * that is killed and started again on the journal it left. After every event the promises are
 * checked; the first one broken ends the run in an error that names the seed.
 */

import { largestWindow } from '../../simulator/arrivals.ts'
import { Random } from '../../simulator/random.ts'
import type { ListAnswer } from '../../src/chats/chats.ts'
import { parseConfig } from '../../src/config.ts'
import { ServiceError } from '../../src/errors.ts'
import { openJournal } from '../../src/schedule/journal.ts'
import { giveUpMarginMs } from '../../src/schedule/ledger.ts'
import { joinRooms, type Rooms } from '../../src/service.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { chatsOf, windowOf } from '../support/pages.ts'
import { ProcessClock } from './process-clock.ts'
import { chats, World } from './world.ts'

export interface Run {
  readonly answered: number
  readonly refused: number
  readonly arrivals: number
  readonly kills: number
}

export interface RunOptions {
  readonly seed: number
  readonly directory: string
  /** Slots that the service believes to have beyond the upstream's limit: 0 unless it has to fail. */
  readonly extraSlots?: number
}

const windowMs = 60_000
const timeoutMs = 10_000
const steps = 120

interface Caller {
  readonly settleBy: number
  readonly controller: AbortController
}

class Simulation {
  readonly #seed: number
  readonly #directory: string
  readonly #random: Random
  readonly #clock = new FakeClock()
  readonly #limit: number
  readonly #slots: number
  readonly #world: World
  readonly #callers = new Set<Caller>()
  #process: ProcessClock
  #rooms: Rooms
  #stalledMs = 0
  readonly #counts = { answered: 0, refused: 0, kills: 0 }

  constructor({ seed, directory, extraSlots = 0 }: RunOptions) {
    this.#seed = seed
    this.#directory = directory
    this.#random = new Random(seed)
    this.#limit = 6 + this.#random.below(60)
    this.#slots = this.#limit + extraSlots
    const [slow, refused, lost, hang, broken] = [0.1, 0.05, 0.05, 0.03, 0.1]
    // Some upstreams never fail: there the limit itself is what is reached.
    const faulty = this.#random.chance(0.6) ? 1 : 0
    this.#world = new World({
      clock: this.#clock,
      random: this.#random,
      limit: this.#limit,
      windowMs,
      timeoutMs,
      faults: {
        slow,
        refused: refused * faulty,
        lost: lost * faulty,
        hang: hang * faulty,
        broken: broken * faulty
      }
    })
    this.#process = new ProcessClock(this.#clock)
    this.#rooms = this.#start()
    this.#clock.afterEach = () => this.#check()
  }

  async run(): Promise<Run> {
    for (let step = 0; step < steps; step++) {
      await this.#step()
      await this.#clock.advance(this.#random.below(4000))
      this.#check()
    }
    this.#world.keyWorks = true
    await this.#clock.advance(2 * windowMs + timeoutMs)
    this.#check()
    this.#assert(this.#callers.size === 0, 'somebody was never answered')
    return { ...this.#counts, arrivals: this.#world.arrivals.length }
  }

  async #step(): Promise<void> {
    const dice = this.#random.next()
    if (dice < 0.55) this.#ask(this.#random.below(6))
    else if (dice < 0.7) this.#ask(this.#random.below(60))
    else if (dice < 0.8) this.#leave()
    else if (dice < 0.84) this.#world.steal(this.#random.below(this.#limit))
    else if (dice < 0.88) this.#stall(this.#random.below(20_000))
    else if (dice < 0.9) this.#world.keyWorks = !this.#world.keyWorks
    else if (dice < 0.94) await this.#killAndRestart()
  }

  #start(): Rooms {
    const config = parseConfig({
      HELPCRUNCH_API_KEY: 'simulated',
      TEAM_TOKENS:
        'blue=0123456789abcdef-blue,green=0123456789abcdef-green:2,red=0123456789abcdef-red',
      UPSTREAM_LIMIT: String(this.#slots),
      QUEUE_MAX_WAIT_SECONDS: '20',
      QUEUE_MAX_LENGTH: '80',
      CACHE_FRESH_SECONDS: '5'
    })
    const clock = this.#process
    const journal = openJournal({
      directory: this.#directory,
      capacity: this.#slots,
      windowMs,
      timeoutMs,
      giveUpMarginMs,
      now: clock.now(),
      bootId: `boot-of-seed-${this.#seed}`,
      warn: message => this.#assert(false, message)
    })
    return joinRooms({
      config,
      clock,
      journal,
      attempt: call => clock.unlessDead(() => this.#world.attempt(call)),
      random: () => this.#random.next()
    })
  }

  #ask(count: number): void {
    const team = this.#random.pick(['blue', 'blue', 'green', 'red'])
    for (let asked = 0; asked < count; asked++) {
      const waitMs = this.#random.below(20_000)
      const controller = new AbortController()
      const now = this.#clock.now()
      const caller: Caller = { settleBy: now + waitMs + timeoutMs, controller }
      this.#callers.add(caller)
      const limit = 1 + this.#random.below(150)
      const offset = this.#random.below(chats.length - 200)
      const need = {
        team,
        priority: 'interactive',
        deadline: now + waitMs,
        signal: controller.signal
      } as const
      const use = ({ rendering }: ListAnswer) => this.#answered(rendering.body, offset, limit)
      Promise.resolve(this.#rooms.chats.list(windowOf({ offset, limit }), need, use))
        .catch(error => this.#failed(error))
        .finally(() => this.#callers.delete(caller))
    }
  }

  #answered(body: Buffer, offset: number, limit: number): void {
    this.#counts.answered++
    const wanted = chats.slice(offset, offset + limit).map(text => JSON.parse(text).id)
    const got = chatsOf(body).map(chat => (chat as { id: number }).id)
    this.#assert(got.join() === wanted.join(), 'an answer was not what the upstream holds')
  }

  #failed(error: unknown): void {
    this.#counts.refused++
    const expected = error instanceof ServiceError || (error as Error).message === 'left'
    this.#assert(expected, `an unexpected failure: ${error}`)
  }

  #leave(): void {
    for (const { controller } of this.#callers) {
      if (this.#random.chance(0.3)) controller.abort(new Error('left'))
    }
  }

  #stall(ms: number): void {
    this.#clock.stall(ms)
    this.#stalledMs += ms
  }

  /** kill -9: nothing is said to anybody; what was on its way arrives all the same. */
  async #killAndRestart(): Promise<void> {
    this.#process.kill()
    this.#callers.clear()
    this.#counts.kills++
    await this.#clock.advance(this.#random.below(5000))
    this.#process = new ProcessClock(this.#clock)
    this.#rooms = this.#start()
  }

  #check(): void {
    const now = this.#clock.now()
    const arrivals = this.#world.arrivals.toSorted((a, b) => a - b)
    this.#assert(largestWindow(arrivals, windowMs) <= this.#limit, 'the law is broken')
    const { maxInAnyWindow } = this.#rooms.audit
    this.#assert(maxInAnyWindow <= this.#slots, `the audit saw ${maxInAnyWindow} of ${this.#slots}`)
    for (const { settleBy } of this.#callers) {
      this.#assert(now <= settleBy + this.#stalledMs + 1, 'somebody waits past the deadline')
    }
  }

  #assert(holds: boolean, what: string): void {
    if (!holds) throw new Error(`seed ${this.#seed}: ${what}`)
  }
}

/** @throws {Error} naming the seed, at the first promise that does not hold */
export function simulate(options: RunOptions): Promise<Run> {
  return new Simulation(options).run()
}
