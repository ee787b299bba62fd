/**
 * The connection on which messages come, because one that has subscribed can do little else. What
 * is said while it is lost is lost: who listens must not depend on hearing everything.
 */

import type { Clock, Timer } from '../clock.ts'
import type { StoreAddress } from '../config-store.ts'
import { StoreError, storeTimeoutMs } from '../shared-store.ts'
import { bounded } from './bounded.ts'
import { Connection } from './connection.ts'
import { replyError, type Trouble, troubleOf } from './trouble.ts'

/** How soon it shows that nobody is at the other end any more. */
const pingEveryMs = 2000
const mostSilences = 3

/** It is not known any sooner whether we may listen at all. */
const verdictWithinMs = 1000

export interface SubscriptionsOptions {
  readonly address: StoreAddress
  readonly clock: Clock
  /** A channel of ours that means nothing. */
  readonly probeChannel: string
  /** The store does not let us listen. */
  readonly onRefused: (trouble: Trouble) => void
}

export class Subscriptions {
  readonly #clock: Clock
  readonly #connection: Connection
  readonly #options: SubscriptionsOptions
  readonly #listeners = new Map<string, Set<(message: string) => void>>()
  readonly #verdict = Promise.withResolvers<Trouble | undefined>()
  #isRefused = false
  #timer: Timer | undefined
  #silences = 0

  constructor(options: SubscriptionsOptions) {
    const { address, clock, probeChannel } = options
    this.#options = options
    this.#clock = clock
    // So that it shows at once whether we may.
    this.#listeners.set(probeChannel, new Set())
    this.#connection = new Connection({
      ...{ address, clock, name: 'helpcrunch-proxy-listener' },
      onReady: () => this.#listen(),
      // Whatever is wrong, the connection for commands meets it as well, and tells.
      onLost: () => this.#timer?.cancel()
    })
    this.#connection.onMessage((channel, message) => {
      for (const listener of this.#listeners.get(channel) ?? []) listener(message)
    })
  }

  connect(): void {
    this.#connection.connect()
  }

  /** What is wrong, if it is known soon and only an operator can mend it. */
  verdict(): Promise<Trouble | undefined> {
    const { promise } = this.#verdict
    return bounded(this.#clock, promise, verdictWithinMs).catch(() => undefined)
  }

  close(): void {
    this.#timer?.cancel()
    this.#connection.close()
  }

  /** Listens at the server that is the right one now. */
  renew(): void {
    if (this.#connection.isReady) this.#connection.drop()
  }

  add(channel: string, listener: (message: string) => void): void {
    const known = this.#listeners.get(channel)
    if (known) {
      known.add(listener)
      return
    }
    this.#listeners.set(channel, new Set([listener]))
    if (this.#connection.isReady) this.#listen([channel])
  }

  #listen(channels: readonly string[] = [...this.#listeners.keys()]): void {
    this.#silences = 0
    this.#pingLater()
    this.#connection
      .send(redis => redis.subscribe(...channels), storeTimeoutMs)
      .then(() => this.#judge(undefined))
      .catch(error => {
        const isRefused = error instanceof StoreError && error.kind === 'refused'
        if (isRefused) this.#judge(troubleOf(replyError(error.message)))
        else this.renew()
      })
  }

  #judge(trouble: Trouble | undefined): void {
    this.#isRefused = trouble !== undefined
    this.#verdict.resolve(trouble)
    if (trouble) this.#options.onRefused(trouble)
  }

  #pingLater(): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.after(pingEveryMs, () => void this.#ping())
  }

  async #ping(): Promise<void> {
    if (this.#isRefused) return this.#listen()
    try {
      await this.#connection.send(redis => redis.ping(), storeTimeoutMs)
      this.#silences = 0
    } catch {
      this.#silences++
    }
    if (!this.#connection.isReady) return
    if (this.#silences < mostSilences) this.#pingLater()
    else this.renew()
  }
}
