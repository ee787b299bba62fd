/**
 * The connection on which messages come, because one that has subscribed can do little else. What
 * is said while it is lost is lost: who listens must not depend on hearing everything.
 */

import type { Clock, Timer } from '../clock.ts'
import type { StoreAddress } from '../config-store.ts'
import { storeTimeoutMs } from '../shared-store.ts'
import { Connection } from './connection.ts'

/** How soon it shows that nobody is at the other end any more. */
const pingEveryMs = 2000
const mostSilences = 3

export class Subscriptions {
  readonly #clock: Clock
  readonly #connection: Connection
  readonly #listeners = new Map<string, Set<(message: string) => void>>()
  #timer: Timer | undefined
  #silences = 0

  constructor({ address, clock }: { readonly address: StoreAddress; readonly clock: Clock }) {
    this.#clock = clock
    this.#connection = new Connection({
      ...{ address, clock, name: 'helpcrunch-proxy-listener' },
      onReady: () => this.#listen([...this.#listeners.keys()]),
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

  #listen(channels: readonly string[]): void {
    this.#silences = 0
    this.#pingLater()
    if (channels.length === 0) return
    this.#connection
      .send(redis => redis.subscribe(...channels), storeTimeoutMs)
      .catch(() => this.renew())
  }

  #pingLater(): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.after(pingEveryMs, () => void this.#ping())
  }

  async #ping(): Promise<void> {
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
