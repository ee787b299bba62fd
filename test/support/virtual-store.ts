/**
 * A store for simulations: a real redis-server runs the real scripts, on the simulation's clock and
 * behind the simulation's network. Time stands still while the server works; what the network does
 * (delays, cuts in either direction, a server that sleeps, forgets or is replaced) is virtual.
 */

import type { Redis } from 'ioredis'
import type { Clock } from '../../src/clock.ts'
import {
  type Script,
  type ScriptCall,
  type SharedStore,
  StoreError,
  type StoreState,
  storeTimeoutMs
} from '../../src/shared-store.ts'
import type { FakeClock } from './fake-clock.ts'

/** How the server is doing. */
export class VirtualServer {
  readonly clock: FakeClock
  readonly #redis: Redis
  readonly #namespace: string
  readonly #listeners = new Map<string, Set<() => void>>()
  /** Scripts that lie in its buffers while it sleeps. */
  #asleep: (() => void)[] | undefined
  #runs = 0
  /** What a replica of it knew, and when. */
  readonly #copies: { readonly at: number; readonly dumps: readonly [string, Buffer][] }[] = []
  runId = 'run-0'
  /** Scripts that it ran. */
  executions = 0
  /** What its clock is ahead of the simulation's. */
  skewMs = 0
  isRunning = true

  constructor(clock: FakeClock, redis: Redis, namespace: string) {
    this.clock = clock
    this.#redis = redis
    this.#namespace = namespace
  }

  /** All that it knew is gone. */
  async empty(): Promise<void> {
    const keys = await this.#redis.keys(`${this.#namespace}*`)
    if (keys.length > 0) await this.#redis.del(...keys)
  }

  /** Somebody else does something to a key of ours. */
  async meddle(command: string, name: string, ...args: string[]): Promise<void> {
    await this.#redis.call(command, `${this.#namespace}${name}`, ...args)
  }

  /** The same process, given back what it knew at the last `copy`. */
  async rollBack(): Promise<void> {
    const { runId } = this
    await this.failOver(0)
    this.runId = runId
  }

  /** Another process answers in its place, which missed what happened lately. */
  async failOver(missedMs: number): Promise<void> {
    const since = this.clock.now() - missedMs
    this.runId = `run-${++this.#runs}`
    this.#asleep = undefined
    const copy = this.#copies.findLast(({ at }) => at <= since)
    await this.empty()
    for (const [key, dump] of copy?.dumps ?? []) await this.#redis.restore(key, 0, dump)
  }

  sleep(): void {
    this.#asleep ??= []
  }

  /** It goes on with whatever came in the meantime. */
  wake(): void {
    const waiting = this.#asleep ?? []
    this.#asleep = undefined
    for (const go of waiting) go()
  }

  /** Its replica catches up. */
  async copy(): Promise<void> {
    const keys = await this.#redis.keys(`${this.#namespace}ledger:*`)
    const dumps: [string, Buffer][] = []
    for (const key of keys) {
      const dump = await this.#redis.dumpBuffer(key)
      if (dump) dumps.push([key, dump])
    }
    this.#copies.push({ at: this.clock.now(), dumps })
    if (this.#copies.length > 3) this.#copies.shift()
  }

  async execute({ lua }: Script, { args, keys }: ScriptCall): Promise<unknown> {
    if (this.#asleep) await new Promise<void>(resolve => this.#asleep?.push(resolve))
    this.executions++
    const [time, said] = [`${this.#namespace}virtual-time`, `${this.#namespace}said`]
    const microseconds = Math.round((this.clock.wall() + this.skewMs) * 1000)
    const virtual = [...keys, time, said]
    const results = await this.clock.hold(
      this.#redis
        .multi()
        .set(time, microseconds)
        .eval(virtualized(lua, keys.length), virtual.length, ...virtual, ...args)
        .lrange(said, 0, -1)
        .del(said)
        .exec()
    )
    const [, [failure, reply], [, channels]] = results as [
      unknown,
      [Error | null, unknown],
      [null, string[]]
    ]
    for (const channel of channels) for (const tell of this.#listeners.get(channel) ?? []) tell()
    if (failure) throw new StoreError('refused', failure.message)
    return reply
  }

  listen(channel: string, listener: () => void): void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }
}

const seams = /-- Seams[\s\S]*?-- End of seams\./

function virtualized(lua: string, keyCount: number): string {
  if (!seams.test(lua)) throw new Error('the script has no seams')
  return lua.replace(
    seams,
    `local function microseconds() return tonumber(redis.call('GET', KEYS[${keyCount + 1}])) end
     local function tell(channel) redis.call('RPUSH', KEYS[${keyCount + 2}], channel) end`
  )
}

export interface LinkOptions {
  readonly server: VirtualServer
  readonly namespace: string
  /** The replica's own clock: it stops with its process. */
  readonly clock: Clock
  /** One way, in milliseconds. */
  readonly delayMs: () => number
}

const probeEveryMs = 200

/** One replica's way to the server. */
export class VirtualStore implements SharedStore {
  readonly namespace: string
  readonly #options: LinkOptions
  readonly #watchers: ((state: StoreState) => void)[] = []
  #isUp = true
  #runId: string
  /** What the network lets through. */
  canAsk = true
  canHear = true
  /** How much later than usual what it says arrives. */
  lagMs = 0

  constructor(options: LinkOptions) {
    this.#options = options
    this.namespace = options.namespace
    this.#runId = options.server.runId
    this.#probe()
  }

  get isUp(): boolean {
    return this.#isUp
  }

  async run(script: Script, call: ScriptCall): Promise<unknown> {
    if (!this.#isUp) throw new StoreError('unsent', 'the store does not answer')
    const { server } = this.#options
    try {
      // A connection to a process that is gone does not reach the one that came after it.
      if (server.runId !== this.#runId) throw new StoreError('unknown', 'the connection broke')
      return await this.#roundTrip(() => server.execute(script, call))
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'refused') this.#fall()
      throw error
    }
  }

  async read(): Promise<undefined> {}
  async write(): Promise<void> {}
  async delete(): Promise<void> {}
  publish(): void {}

  subscribe(channel: string, listener: (message: string) => void): void {
    const { clock, delayMs, server } = this.#options
    server.listen(channel, () => {
      if (this.canHear) clock.after(delayMs(), () => listener('turn'))
    })
  }

  watch(listener: (state: StoreState) => void): void {
    this.#watchers.push(listener)
    listener(this.#state)
  }

  get #state(): StoreState {
    return this.#isUp ? { state: 'up', runId: this.#runId } : { state: 'down', reason: 'silence' }
  }

  /** The world's clock carries what is on its way; ours, how long we wait for it. */
  #roundTrip<Reply>(act: () => Promise<Reply>): Promise<Reply> {
    const { clock, delayMs, server } = this.#options
    const reaches = this.canAsk && server.isRunning
    const backMs = delayMs()
    return new Promise((resolve, reject) => {
      const late = clock.after(storeTimeoutMs, () => reject(new StoreError('unknown', 'no answer')))
      const settle = (act: () => void) => {
        late.cancel()
        act()
      }
      if (!reaches) return
      const answer = (tell: () => void) => {
        if (this.canHear) clock.after(backMs, tell)
      }
      server.clock.after(delayMs() + this.lagMs, () => {
        act().then(
          reply => answer(() => settle(() => resolve(reply))),
          error => answer(() => settle(() => reject(error)))
        )
      })
    })
  }

  #fall(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#tell()
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher(this.#state)
  }

  /** Asks whether it is there, and whether it is still the same. */
  #probe(): void {
    const { clock, server } = this.#options
    clock.after(probeEveryMs, () => {
      this.#roundTrip(async () => server.runId).then(
        runId => {
          if (runId !== this.#runId) this.#fall()
          this.#runId = runId
          this.#rise()
          this.#probe()
        },
        () => {
          this.#fall()
          this.#probe()
        }
      )
    })
  }

  #rise(): void {
    if (this.#isUp) return
    this.#isUp = true
    this.#tell()
  }
}
