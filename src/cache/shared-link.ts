/**
 * The line to what the caches of all replicas share: the store's clock, the era in which what it
 * keeps can be understood, and what has become stale. News comes by message at once; messages get
 * lost, so each exchange also says how many there were, and there is one every second. What could
 * not be told, because the store was away, is told when it is back.
 */

import { randomBytes } from 'node:crypto'
import type { Clock, Timer } from '../clock.ts'
import {
  type Script,
  type ScriptCall,
  type SharedStore,
  StoreError,
  storeTimeoutMs
} from '../shared-store.ts'
import { StoreClock } from '../store-clock.ts'
import { everything } from './invalidations.ts'
import { invalidateScript, syncScript } from './shared-scripts.ts'

export interface LinkOptions {
  readonly store: SharedStore
  readonly clock: Clock
  /** How long any page may be served. */
  readonly keepMs: number
  readonly warn: (message: string) => void
}

/** Another replica was told at `at` that these are stale. */
export type OnNews = (tags: readonly string[], at: number) => void

/** Messages lost are made up for within this. */
const syncEveryMs = 1000

/** That many invalidations are kept for who missed them; what was before is stale to whoever did. */
const mostEntries = 1000

/** That many tags wait for the store's return. */
const mostUntold = 1000

export class Link {
  /** Tells this replica from all others, and from itself before a restart. */
  readonly owner = randomBytes(8).toString('hex')
  readonly channel: string
  readonly storeClock = new StoreClock()
  readonly #options: LinkOptions
  readonly #listeners = new Set<(message: string) => void>()
  readonly #untold = new Set<string>()
  #onNews: OnNews = () => {}
  #mark = ''
  #era: string | undefined
  /** The store's clock has jumped in this one. */
  #overEra = ''
  /** The last invalidation that is known here; who knows none yet is told of the last ones. */
  #seq = 0
  #timer: Timer | undefined
  #isStopped = false

  constructor(options: LinkOptions) {
    this.#options = options
    this.channel = this.key('cache')
  }

  start(onNews: OnNews): void {
    const { store } = this.#options
    this.#onNews = onNews
    store.subscribe(this.channel, message => this.#heard(message))
    store.watch(state => {
      this.#timer?.cancel()
      if (state.state === 'down') this.#say('down')
      else this.#greet(state.runId)
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  get isUp(): boolean {
    return this.#options.store.isUp && !this.#isStopped
  }

  /** As it is known here; pages of any other one mean nothing. */
  get era(): string | undefined {
    return this.#era
  }

  key(name: string): string {
    return this.#options.store.namespace + name
  }

  /** The keys that all scripts of the cache begin with. */
  get commonKeys(): readonly string[] {
    return ['cache', 'cache:log'].map(name => this.key(name))
  }

  /** Messages of others and of this replica, and `down` when none will come for a while. */
  listen(listener: (message: string) => void): void {
    this.#listeners.add(listener)
  }

  /** Tells the others what is stale. */
  announce(tags: readonly string[]): void {
    for (const tag of tags) this.#untold.add(tag)
    if (this.#untold.size > mostUntold) {
      this.#untold.clear()
      this.#untold.add(everything)
    }
    if (this.isUp) void this.#tell()
  }

  /**
   * Runs a script that answers the store's time, era and news first.
   *
   * @returns the rest of its answer
   * @throws {StoreError} also if the store's clock has jumped since it was last asked
   */
  async exchange(script: Script, call: ScriptCall): Promise<readonly unknown[]> {
    const { clock, store } = this.#options
    const askedAt = clock.now()
    const args = [...this.common, this.#seq, ...call.args]
    const answer = await store.run(script, { ...call, args, asBytes: true })
    const [time, era, seq, entries, ...rest] = answer as [
      number,
      Buffer,
      number,
      Buffer[],
      ...unknown[]
    ]
    const itsEra = era.toString('latin1')
    const isOtherMemory = this.#enter(itsEra)
    if (!this.storeClock.observe({ askedAt, heardAt: clock.now(), time })) {
      this.#overEra = itsEra
      this.#era = undefined
      throw new StoreError('refused', "the store's clock has jumped")
    }
    if (isOtherMemory) void this.#sync()
    else this.#catchUp(seq, entries.map(String))
    return rest
  }

  /** @returns whether it is another one, in which invalidations are counted anew */
  #enter(era: string): boolean {
    const isOther = this.#era !== undefined && this.#era !== era && this.#seq > 0
    if (isOther) this.#seq = 0
    this.#era = era
    return isOther
  }

  /** The arguments that all scripts of the cache begin with. */
  get common(): readonly (string | number)[] {
    const newEra = this.#mark + randomBytes(4).toString('hex')
    return [this.#mark, newEra, this.#overEra, Math.ceil(this.#options.keepMs)]
  }

  /** Another process need not have the memory or the clock of the one before. */
  #greet(runId: string): void {
    const mark = runId.slice(0, 8).padEnd(8, '0')
    if (mark !== this.#mark) {
      this.#mark = mark
      this.#era = undefined
      this.#seq = 0
      this.storeClock.forget()
    }
    void this.#sync()
  }

  async #sync(): Promise<void> {
    this.#timer?.cancel()
    if (!this.isUp) return
    try {
      await this.exchange(syncScript, { keys: this.commonKeys, args: [] })
      await this.#tell()
    } catch (error) {
      this.repair(error)
    }
    this.#timer?.cancel()
    if (this.isUp) this.#timer = this.#options.clock.after(syncEveryMs, () => void this.#sync())
  }

  async #tell(): Promise<void> {
    const tags = [...this.#untold]
    if (tags.length === 0 || this.#mark === '') return
    this.#untold.clear()
    const entry = JSON.stringify({ by: this.owner, tags })
    const args = [...this.common, entry, mostEntries, this.channel]
    const call = { keys: this.commonKeys, args, timeoutMs: storeTimeoutMs }
    await this.#options.store.run(invalidateScript, call).catch(error => {
      for (const tag of tags) this.#untold.add(tag)
      this.repair(error)
    })
  }

  /** Something else stands where the cache keeps its books; whoever put it there, it is in the way. */
  repair(error: unknown): void {
    if (!(error instanceof StoreError) || !error.message.includes('WRONGTYPE')) return
    this.#options.warn('the store held something else where the cache keeps its books; deleted')
    for (const key of [...this.commonKeys, this.key('cache:index'), this.key('cache:sizes')]) {
      this.#options.store.delete(key).catch(() => {})
    }
  }

  #heard(message: string): void {
    if (message.startsWith('news ')) this.#hearNews(message.slice('news '.length))
    else this.#say(message)
  }

  #say(message: string): void {
    for (const listener of this.#listeners) listener(message)
  }

  #hearNews(entry: string): void {
    const seq = numberOf(entry)
    if (this.#era === undefined || seq <= this.#seq) return
    if (seq === this.#seq + 1) this.#apply(entry)
    else void this.#sync()
  }

  /** @param entries the last one first */
  #catchUp(seq: number, entries: readonly string[]): void {
    if (seq <= this.#seq) return
    const oldest = entries.at(-1)
    // Whatever those were about that are not known any more: they were before these.
    if (oldest === undefined) this.#onNews([everything], this.#options.clock.now())
    else if (numberOf(oldest) > this.#seq + 1) this.#onNews([everything], this.#timeOf(oldest))
    for (const entry of entries.toReversed()) this.#apply(entry)
    this.#seq = Math.max(this.#seq, seq)
  }

  #apply(entry: string): void {
    const [, text] = /^\d+ \d+ (.*)$/s.exec(entry) ?? []
    if (text === undefined) return
    this.#seq = Math.max(this.#seq, numberOf(entry))
    const { by, tags } = parsed(text)
    if (by !== this.owner) this.#onNews(tags, this.#timeOf(entry))
  }

  #timeOf(entry: string): number {
    const now = this.#options.clock.now()
    if (!this.storeClock.isKnown) return now
    return Math.min(this.storeClock.latestHere(Number(entry.split(' ', 2)[1])), now)
  }
}

/** A store is open to others: what nobody of ours can have written may have been about anything. */
function parsed(text: string): { readonly by?: unknown; readonly tags: readonly string[] } {
  try {
    const { by, tags } = JSON.parse(text)
    if (Array.isArray(tags)) return { by, tags }
  } catch {}
  return { tags: [everything] }
}

function numberOf(entry: string): number {
  return Number.parseInt(entry, 10)
}
