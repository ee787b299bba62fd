/**
 * A store for simulations: a real redis-server runs the real scripts, on the simulation's clock and
 * behind the simulation's network. Time stands still while the server works; its time, when keys
 * expire, who hears its messages and what the network does (delays, cuts in either direction, a
 * server that sleeps, forgets or is replaced) are virtual.
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

let servers = 0

/** How the server is doing. */
export class VirtualServer {
  readonly clock: FakeClock
  readonly #redis: Redis
  /** No other server's, though many are one process. */
  readonly namespace = `{virtual-${process.pid}-${servers++}}:`
  readonly #listeners = new Map<string, Set<(message: string) => void>>()
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

  constructor(clock: FakeClock, redis: Redis) {
    this.clock = clock
    this.#redis = redis
  }

  /** All that it knew is gone. */
  async empty(): Promise<void> {
    const keys = await this.#redis.keys(`${this.namespace}*`)
    if (keys.length > 0) await this.#redis.del(...keys)
  }

  /** As when `maxmemory` is reached: whatever would take more of it is refused. */
  async fill(): Promise<void> {
    await this.clock.hold(this.#redis.config('SET', 'maxmemory', '1'))
  }

  /** Somebody else does something to a key of ours. */
  async meddle(command: string, name: string, ...args: string[]): Promise<void> {
    await this.#redis.call(command, `${this.namespace}${name}`, ...args)
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
    const keys = await this.#redis.keys(`${this.namespace}ledger:*`)
    const dumps: [string, Buffer][] = []
    for (const key of keys) {
      const dump = await this.#redis.dumpBuffer(key)
      if (dump) dumps.push([key, dump])
    }
    this.#copies.push({ at: this.clock.now(), dumps })
    if (this.#copies.length > 3) this.#copies.shift()
  }

  async execute({ lua }: Script, { args, asBytes = false, keys }: ScriptCall): Promise<unknown> {
    if (this.#asleep) await new Promise<void>(resolve => this.#asleep?.push(resolve))
    this.executions++
    const microseconds = Math.round((this.clock.wall() + this.skewMs) * 1000)
    const all = [...keys, ...args, microseconds, `${this.namespace}expiries`]
    const run = this.#redis.callBuffer('EVAL', virtualized(lua), keys.length, ...all)
    const failed = (error: Error) => {
      throw new StoreError('refused', error.message)
    }
    const [said, reply] = (await this.clock.hold(run).catch(failed)) as [Buffer[], unknown]
    for (let at = 0; at < said.length; at += 2) this.say(String(said[at]), String(said[at + 1]))
    return asBytes ? reply : texts(reply)
  }

  async delete(key: string): Promise<void> {
    await this.clock.hold(this.#redis.del(key))
  }

  say(channel: string, message: string): void {
    for (const tell of this.#listeners.get(channel) ?? []) tell(message)
  }

  listen(channel: string, listener: (message: string) => void): void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(listener))
  }
}

/** What scripts may do that has to do with time or with listeners is done by the simulation. */
const virtualRedis = `
local said, clock, expiries = {}, tonumber(ARGV[#ARGV - 1]), ARGV[#ARGV]
local nowMs = math.floor(clock / 1000)
local real = redis
for _, key in ipairs(real.call('ZRANGEBYSCORE', expiries, '-inf', nowMs)) do
  real.call('DEL', key)
  real.call('ZREM', expiries, key)
end
local function live(key, ms) real.call('ZADD', expiries, nowMs + ms, key) end
local function forget(...)
  real.call('ZREM', expiries, ...)
  return real.call('DEL', ...)
end
local virtual = {
  DEL = forget,
  UNLINK = forget,
  TIME = function()
    return { math.floor(clock / 1000000), clock % 1000000 }
  end,
  PUBLISH = function(channel, message)
    said[#said + 1], said[#said + 2] = channel, message
    return 0
  end,
  PEXPIRE = function(key, ms)
    if real.call('EXISTS', key) == 1 then live(key, ms) end
  end,
  PTTL = function(key)
    local at = real.call('ZSCORE', expiries, key)
    return at and tonumber(at) - nowMs or -1
  end,
  SET = function(key, value, px, ms)
    real.call('ZREM', expiries, key)
    if px then live(key, ms) end
    return real.call('SET', key, value)
  end
}
local function seen(act)
  return function(command, ...)
    if virtual[command] then return virtual[command](...) end
    return act(command, ...)
  end
end
local redis = { call = seen(real.call), pcall = seen(real.pcall) }
`

function virtualized(lua: string): string {
  return `${virtualRedis}\nlocal function script()\n${lua}\nend\nreturn { said, script() }`
}

/** As the store's client gives them to who does not ask for bytes. */
function texts(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(texts)
  return Buffer.isBuffer(reply) ? reply.toString() : reply
}

export interface LinkOptions {
  readonly server: VirtualServer
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
  #isClosed = false
  #runId: string
  /** What the network lets through. */
  canAsk = true
  canHear = true
  /** How much later than usual what it says arrives. */
  lagMs = 0

  constructor(options: LinkOptions) {
    this.#options = options
    this.namespace = options.server.namespace
    this.#runId = options.server.runId
    this.#probe()
  }

  get isUp(): boolean {
    return this.#isUp
  }

  close(): void {
    this.#isClosed = true
  }

  async run(script: Script, call: ScriptCall): Promise<unknown> {
    if (!this.#isUp) throw new StoreError('unsent', 'the store does not answer')
    const { server } = this.#options
    try {
      // A connection to a process that is gone does not reach the one that came after it.
      if (server.runId !== this.#runId) throw new StoreError('unknown', 'the connection broke')
      return await this.#roundTrip(() => server.execute(script, call), call.timeoutMs)
    } catch (error) {
      const isSlow = (call.timeoutMs ?? storeTimeoutMs) < storeTimeoutMs
      if (!(error instanceof StoreError) || !(isSlow || error.kind === 'refused')) this.#fall()
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    await this.#roundTrip(() => this.#options.server.delete(key))
  }

  subscribe(channel: string, listener: (message: string) => void): void {
    const { clock, delayMs, server } = this.#options
    server.listen(channel, message => {
      if (this.canHear) clock.after(delayMs(), () => listener(message))
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
  #roundTrip<Reply>(act: () => Promise<Reply>, timeoutMs = storeTimeoutMs): Promise<Reply> {
    const { clock, delayMs, server } = this.#options
    const reaches = this.canAsk && server.isRunning
    const backMs = delayMs()
    return new Promise((resolve, reject) => {
      const late = clock.after(timeoutMs, () => reject(new StoreError('unknown', 'no answer')))
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
      if (this.#isClosed) return
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
