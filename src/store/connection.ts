/**
 * One connection to the store, for ever: lost, it is made again at growing intervals up to half a
 * second. Nothing is queued while there is none and nothing is sent a second time, so whoever
 * asked knows what has become of it. The only file that knows ioredis.
 */

import { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import type { StoreAddress } from '../config-store.ts'
import { StoreError } from '../shared-store.ts'
import { bounded, TimedOutError } from './bounded.ts'
import { type Trouble, troubleOf } from './trouble.ts'

export interface ConnectionOptions {
  readonly address: StoreAddress
  readonly clock: Clock
  /** What it is called among the store's clients. */
  readonly name: string
  /** Each time that commands can be sent. */
  readonly onReady: () => void
  /** Each time that they cannot any more, and each time that it could not be made. */
  readonly onLost: (trouble: Trouble) => void
}

export type Command<Reply> = (redis: Redis) => Promise<Reply>

const longestPauseMs = 500
const connectTimeoutMs = 1000

export class Connection {
  readonly #redis: Redis
  readonly #clock: Clock
  /** What the connection said before it ended. */
  #lastError: Error | undefined
  #isReady = false

  constructor({ address, clock, name, onLost, onReady }: ConnectionOptions) {
    this.#clock = clock
    this.#redis = new Redis(optionsOf(address, name))
    this.#redis.on('error', error => {
      this.#lastError = error
      // Of Sentinels that know no master nothing else is ever heard.
      if (!this.#isReady) onLost(troubleOf(error))
    })
    this.#redis.on('ready', () => {
      // The wrong database would be one that others may use for something else.
      if (this.#lastError?.name === 'ReplyError') return this.drop()
      this.#lastError = undefined
      this.#isReady = true
      onReady()
    })
    this.#redis.on('close', () => {
      this.#isReady = false
      const error = this.#lastError ?? new Error('closed')
      this.#lastError = undefined
      onLost(troubleOf(error))
    })
  }

  get isReady(): boolean {
    return this.#isReady
  }

  connect(): void {
    // What becomes of it, `error` and `close` tell.
    this.#redis.connect().catch(() => {})
  }

  /** @throws {StoreError} `refused` if the store said no, `unsent` if it never heard of it */
  async send<Reply>(command: Command<Reply>, timeoutMs: number): Promise<Reply> {
    if (!this.#isReady) throw new StoreError('unsent', 'there is no connection to the store')
    try {
      return await bounded(this.#clock, command(this.#redis), timeoutMs)
    } catch (error) {
      throw storeErrorOf(error as Error)
    }
  }

  onMessage(listener: (channel: string, message: string) => void): void {
    this.#redis.on('message', listener)
  }

  /** Ends this connection and makes another one, which Sentinel may send elsewhere. */
  drop(): void {
    this.#isReady = false
    this.#redis.disconnect(true)
  }

  close(): void {
    this.#isReady = false
    // One that is ended in the middle of its handshake may complain twice.
    this.#redis.stream?.on('error', () => {})
    this.#redis.removeAllListeners('close')
    this.#redis.disconnect()
  }
}

function storeErrorOf(error: Error): StoreError {
  if (error instanceof TimedOutError) return new StoreError('unknown', error.message)
  if (error.name === 'ReplyError') return new StoreError('refused', error.message.slice(0, 300))
  const isUnsent = error.message.startsWith("Stream isn't writeable")
  return new StoreError(isUnsent ? 'unsent' : 'unknown', 'the connection to the store was lost')
}

function optionsOf(address: StoreAddress, name: string) {
  const { database, password, tls, username } = address
  return {
    ...placeOf(address),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
    db: database,
    connectionName: name,
    lazyConnect: true,
    // Nothing waits for a connection, and nothing goes out a second time by itself.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    // Who looks at the server is health.ts.
    enableReadyCheck: false,
    protocol: 2 as const,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: 100,
    retryStrategy: pauseMs
  }
}

function placeOf({ hosts, masterName, sentinelPassword, sentinelUsername, tls }: StoreAddress) {
  if (masterName === undefined) return { ...hosts[0]! }
  return {
    sentinels: hosts.map(host => ({ ...host })),
    name: masterName,
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    sentinelCommandTimeout: connectTimeoutMs,
    sentinelRetryStrategy: pauseMs,
    // An old master that was cut off from the others may still answer us.
    failoverDetector: true,
    sentinelReconnectStrategy: () => longestPauseMs
  }
}

/** Replicas that lost the same store do not come back at the same moment. */
function pauseMs(attempts: number): number {
  return Math.min(longestPauseMs, 25 * 2 ** attempts) * (0.5 + Math.random() / 2)
}
