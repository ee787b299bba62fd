/**
 * The store that replicas share, on Redis or Valkey. Every command is bounded in time and sent at
 * most once; nothing is sent while the store is known not to answer. One line in the log when it
 * is lost and one when it is back, however often that is tried.
 */

import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { StoreAddress } from '../config-store.ts'
import {
  type Script,
  type ScriptCall,
  type SharedStore,
  StoreError,
  type StoreState,
  storeTimeoutMs
} from '../shared-store.ts'
import { type Command, Connection } from './connection.ts'
import { Health } from './health.ts'
import { Subscriptions } from './subscriptions.ts'
import { replyError, type Trouble, troubleOf, wordOf } from './trouble.ts'

export interface StoreLog {
  warn(message: string): void
  info(message: string): void
}

export interface RedisStoreOptions {
  readonly address: StoreAddress
  readonly namespace: string
  readonly clock: Clock
  readonly log: StoreLog
}

/** A store that comes and goes is not told of more often than this. */
const quietMs = 5000

export class RedisStore implements SharedStore {
  readonly namespace: string
  readonly #clock: Clock
  readonly #log: StoreLog
  readonly #commands: Connection
  readonly #subscriptions: Subscriptions
  readonly #health: Health
  readonly #shas = new WeakMap<Script, string>()
  readonly #watchers = new Set<(state: StoreState) => void>()
  readonly #verdict = Promise.withResolvers<Trouble | undefined>()
  #state: StoreState = { state: 'down', reason: 'it was not asked yet' }
  #runId: string | undefined
  #toldLossAt = -Infinity
  #toldReason: string | undefined
  /** When each of them was last told. */
  readonly #complainedAt = new Map<string, number>()

  constructor({ address, clock, log, namespace }: RedisStoreOptions) {
    this.namespace = namespace
    this.#clock = clock
    this.#log = log
    this.#commands = new Connection({
      ...{ address, clock, name: 'helpcrunch-proxy' },
      onReady: () => this.#health.connected(),
      onLost: trouble => this.#health.lost(trouble)
    })
    this.#subscriptions = new Subscriptions({
      ...{ address, clock, probeChannel: `${namespace}probe` },
      onRefused: ({ reason }) => this.#warnSometimes('deaf', `we may not listen to it: ${reason}`)
    })
    this.#health = new Health({
      ...{ clock, connection: this.#commands, probeKey: `${namespace}probe` },
      onChange: (state, trouble) => this.#changed(state, trouble),
      onWarning: warning => log.warn(warning)
    })
  }

  /** Connects; resolves with what is wrong, if something is, once that is known. */
  async open(): Promise<Trouble | undefined> {
    this.#commands.connect()
    this.#subscriptions.connect()
    return (await this.#verdict.promise) ?? this.#subscriptions.verdict()
  }

  close(): void {
    this.#health.close()
    this.#commands.close()
    this.#subscriptions.close()
  }

  get isUp(): boolean {
    return this.#health.isUp
  }

  async run(script: Script, call: ScriptCall): Promise<unknown> {
    const { args, asBytes, keys, timeoutMs = storeTimeoutMs } = call
    const rest = [keys.length, ...keys, ...args]
    const send = (name: 'EVAL' | 'EVALSHA', script: string) =>
      this.#send(
        redis =>
          asBytes ? redis.callBuffer(name, script, ...rest) : redis.call(name, script, ...rest),
        timeoutMs
      )
    try {
      return await send('EVALSHA', this.#shaOf(script))
    } catch (error) {
      if (!(error instanceof StoreError) || !error.message.startsWith('NOSCRIPT')) throw error
      return send('EVAL', script.lua)
    }
  }

  async delete(key: string): Promise<void> {
    await this.#send(redis => redis.unlink(key), storeTimeoutMs)
  }

  subscribe(channel: string, listener: (message: string) => void): void {
    this.#subscriptions.add(channel, listener)
  }

  watch(listener: (state: StoreState) => void): void {
    this.#watchers.add(listener)
    listener(this.#state)
  }

  async #send<Reply>(command: Command<Reply>, timeoutMs: number): Promise<Reply> {
    if (!this.isUp) throw new StoreError('unsent', 'the store does not answer')
    if (this.#health.isSlow && timeoutMs < storeTimeoutMs) {
      throw new StoreError('unsent', 'the store is slower than that')
    }
    try {
      return await this.#commands.send(command, timeoutMs)
    } catch (error) {
      if (error instanceof StoreError) {
        this.#health.suffered(error, timeoutMs)
        this.#complain(error)
      }
      throw error
    }
  }

  #shaOf(script: Script): string {
    const known = this.#shas.get(script)
    if (known !== undefined) return known
    const sha = createHash('sha1').update(script.lua).digest('hex')
    this.#shas.set(script, sha)
    return sha
  }

  #changed(state: StoreState, trouble: Trouble | undefined): void {
    this.#verdict.resolve(trouble)
    const before = this.#state
    this.#state = state
    this.#tell(state)
    if (before.state === 'down' && state.state === 'down') return
    if (state.state === 'up') this.#settle(state.runId)
    for (const listener of this.#watchers) listener(state)
  }

  /** After a failover the subscriber may still listen where nobody speaks any more. */
  #settle(runId: string): void {
    if (this.#runId !== undefined && this.#runId !== runId) this.#subscriptions.renew()
    this.#runId = runId
  }

  #tell(state: StoreState): void {
    const now = this.#clock.now()
    if (state.state === 'up') {
      if (this.#toldReason !== undefined) this.#log.info('the store that replicas share is used')
      this.#toldReason = undefined
      return
    }
    if (this.#toldReason === state.reason || now < this.#toldLossAt + quietMs) return
    this.#toldLossAt = now
    this.#toldReason = state.reason
    this.#log.warn(`REDIS_URL: the store is not used: ${state.reason}`)
  }

  /** It answers, and takes no writes. */
  #complain({ kind, message }: StoreError): void {
    const word = wordOf(message)
    if (kind !== 'refused' || !takesNoWrites.has(word)) return
    this.#warnSometimes(word, `the store takes no writes: ${troubleOf(replyError(message)).reason}`)
  }

  #warnSometimes(about: string, message: string): void {
    const now = this.#clock.now()
    if (now < (this.#complainedAt.get(about) ?? -Infinity) + complainEveryMs) return
    this.#complainedAt.set(about, now)
    this.#log.warn(`REDIS_URL: ${message}`)
  }
}

const takesNoWrites = new Set(['OOM', 'MISCONF', 'NOREPLICAS'])
const complainEveryMs = 60_000
