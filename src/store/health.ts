/**
 * Whether the store can be asked. It is up once the server has told who it is and let a script of
 * ours write, and as long as it answers in time; at the first silence it is down, and up again
 * with the first PING that it answers in time. A connection on which nothing comes any more is
 * dropped: the server may be gone and nobody have said so.
 */

import type { Clock, Timer } from '../clock.ts'
import type { StoreState } from '../shared-store.ts'
import { readTimeoutMs, StoreError, storeTimeoutMs } from '../shared-store.ts'
import type { Connection } from './connection.ts'
import { factsOf } from './server-facts.ts'
import { passing, replyError, type Trouble, troubleOf } from './trouble.ts'

/** Between PINGs: while all is well, and while something is not. */
const calmMs = 1000
const anxiousMs = 200

/** Without any answer for so long, the connection is taken for dead. */
const deadAfterMs = 2000

/** Writes what nobody reads and says what nobody hears, to see whether a script may. */
const probe = `
redis.call('PUBLISH', KEYS[1], '1')
return redis.call('SET', KEYS[1], '1', 'PX', 1000)`

export interface HealthOptions {
  readonly clock: Clock
  readonly connection: Connection
  /** A key and a channel of ours that mean nothing. */
  readonly probeKey: string
  readonly onChange: (state: StoreState, trouble?: Trouble) => void
  readonly onWarning: (warning: string) => void
}

export class Health {
  readonly #options: HealthOptions
  #timer: Timer | undefined
  #runId: string | undefined
  #isUp = false
  #isSlow = false
  #answeredAt = 0
  /** Which connection it is: what an earlier one said is of no interest. */
  #generation = 0
  #isClosed = false

  constructor(options: HealthOptions) {
    this.#options = options
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** It answers, but not as quickly as a reader can wait. */
  get isSlow(): boolean {
    return this.#isSlow
  }

  connected(): void {
    this.#generation++
    this.#runId = undefined
    this.#answeredAt = this.#options.clock.now()
    this.#beatAfter(0)
  }

  lost(trouble: Trouble): void {
    this.#generation++
    this.#timer?.cancel()
    this.#fall(trouble)
  }

  /** What a command of somebody else has met with. */
  suffered(error: StoreError, timeoutMs: number): void {
    if (error.kind === 'refused') this.#refused(error)
    if (error.kind !== 'unknown' || !this.#options.connection.isReady) return
    this.#isSlow = true
    if (timeoutMs >= storeTimeoutMs) this.#fall(passing(error.message))
    this.#beatAfter(anxiousMs)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #refused(error: StoreError): void {
    const trouble = troubleOf(replyError(error.message))
    // Still connected to what has become a replica, or is about to be one.
    if (/^(READONLY|MASTERDOWN)/.test(error.message)) {
      this.#fall(trouble)
      this.#options.connection.drop()
    } else if (/^(LOADING|NOAUTH|NOPERM|CLUSTERDOWN|MOVED)/.test(error.message)) {
      this.#runId = undefined
      this.#fall(trouble)
      this.#beatAfter(anxiousMs)
    }
  }

  #beatAfter(delayMs: number): void {
    this.#timer?.cancel()
    if (this.#isClosed) return
    this.#timer = this.#options.clock.after(delayMs, () => void this.#beat(this.#generation))
  }

  async #beat(generation: number): Promise<void> {
    const { clock, connection } = this.#options
    try {
      const isQuick = await this.#ping()
      this.#runId ??= await this.#look()
      if (generation !== this.#generation) return
      this.#answeredAt = clock.now()
      this.#isSlow = !isQuick
      this.#rise()
    } catch (error) {
      if (generation !== this.#generation) return
      this.#failed(error)
    }
    if (connection.isReady) this.#beatAfter(this.#isUp && !this.#isSlow ? calmMs : anxiousMs)
  }

  /** @returns whether it answered while a reader would still wait; else none waits in the meantime */
  async #ping(): Promise<boolean> {
    const { clock, connection } = this.#options
    let isQuick = true
    const slow = clock.after(readTimeoutMs, () => {
      isQuick = false
      this.#isSlow = true
    })
    await connection.send(redis => redis.ping(), storeTimeoutMs).finally(() => slow.cancel())
    return isQuick
  }

  #failed(error: unknown): void {
    const { clock, connection } = this.#options
    const trouble = error instanceof UnusableError ? error.trouble : troubleFrom(error)
    this.#fall(trouble)
    const answered = error instanceof UnusableError || isRefusal(error)
    if (answered) this.#answeredAt = clock.now()
    if (error instanceof UnusableError && error.isElsewhere) connection.drop()
    if (clock.now() - this.#answeredAt > deadAfterMs) connection.drop()
  }

  /** @returns the server's run id; throws what makes it unusable */
  async #look(): Promise<string> {
    const { connection, onWarning, probeKey } = this.#options
    const info = await connection.send(redis => redis.info(), storeTimeoutMs)
    const { isReplica, runId, trouble, warning } = factsOf(info)
    if (trouble) throw new UnusableError(trouble, isReplica)
    await connection
      .send(redis => redis.eval(probe, 1, probeKey), storeTimeoutMs)
      .catch(error => {
        // That it has no room or too few replicas is for those to meet who want to write.
        if (!isRefusal(error) || !/^(OOM|MISCONF|NOREPLICAS)/.test(error.message)) throw error
      })
    if (warning !== undefined) onWarning(warning)
    return runId
  }

  #rise(): void {
    if (this.#isUp) return
    this.#isUp = true
    this.#options.onChange({ state: 'up', runId: this.#runId! })
  }

  /** Also told if it was down: what is wrong may be something else by now. */
  #fall(trouble: Trouble): void {
    this.#isUp = false
    this.#options.onChange({ state: 'down', reason: trouble.reason }, trouble)
  }
}

/** The server answers, and cannot be used. */
class UnusableError extends Error {
  readonly trouble: Trouble
  /** Another server may be usable. */
  readonly isElsewhere: boolean

  constructor(trouble: Trouble, isElsewhere: boolean) {
    super(trouble.reason)
    this.trouble = trouble
    this.isElsewhere = isElsewhere
  }
}

function isRefusal(error: unknown): error is StoreError {
  return error instanceof StoreError && error.kind === 'refused'
}

function troubleFrom(error: unknown): Trouble {
  if (isRefusal(error)) return troubleOf(replyError(error.message))
  return passing((error as Error).message)
}
