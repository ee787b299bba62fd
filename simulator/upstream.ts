/**
 * The simulator of the HelpCrunch API: a real HTTP server on 127.0.0.1 that answers as documented,
 * counts and judges every request, and goes wrong exactly as it is told to. The order of a
 * request: counted when its head is parsed, judged against the limit, given its fault, read,
 * delayed, answered. A fault wins over a refusal.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './answer.ts'
import { type Arrival, Arrivals, type SeenRequest } from './arrivals.ts'
import { Refusal } from './errors.ts'
import { type Fault, FaultQueue, perform } from './faults.ts'
import { Random } from './random.ts'
import { answerCall, type Manners, refusal } from './routes.ts'
import { Store } from './store.ts'

export interface Settings extends Manners {
  /** 0 for any free one. */
  readonly port: number
  readonly seed: number
  /** How many there are at the start. */
  readonly chats: number
  readonly limit: number
  readonly windowSeconds: number
  /** Every answer takes `latencyMs`, and up to `jitterMs` longer. */
  readonly latencyMs: number
  readonly jitterMs: number
  /** Whether a 429 says when to come back. */
  readonly retryAfter: boolean
  /** Whether the limit is kept by 429, or only counted. */
  readonly enforce: boolean
  /** Monotonic milliseconds; a test may bring its own. */
  readonly now: () => number
}

export interface Simulator {
  readonly port: number
  /** With `/v1`, without a slash at the end. */
  readonly baseUrl: string
  /** Its changes are seen by the next request. */
  readonly store: Store
  /** The latest 200,000, oldest first. */
  arrivals(): Arrival[]
  /** The latest 1,000, oldest first. */
  requests(): SeenRequest[]
  hits(): number
  /** The most arrivals in any half-open window of `windowSeconds`. */
  largestWindow(): number
  /** Forgets all arrivals, and so their share of the limit, and all faults; the chats stay. */
  reset(): void
  /** Each is taken by the next request that it matches. */
  fault(...faults: readonly Fault[]): void
  /** For all requests that take no queued fault, until called with undefined. */
  faultAll(fault: Fault | undefined): void
  /** Ends every connection at once, whatever it is waiting for; may be called again. */
  close(): Promise<void>
}

const defaults: Settings = {
  port: 0,
  seed: 1,
  chats: 1_000,
  apiKey: 'demo-key',
  limit: 120,
  windowSeconds: 60,
  latencyMs: 0,
  jitterMs: 0,
  errorShape: 'new',
  envelope: 'plain',
  retryAfter: false,
  enforce: true,
  now: () => performance.now()
}

const largestRequestBody = 2 ** 20

export async function startSimulator(options: Partial<Settings> = {}): Promise<Simulator> {
  const settings = { ...defaults, ...options }
  const upstream = new Upstream(settings)
  const server = createServer((request, response) => upstream.serve(request, response))
  server.listen(settings.port, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { store, arrivals, faults } = upstream
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    store,
    arrivals: () => arrivals.list(),
    requests: () => arrivals.requests(),
    hits: () => arrivals.hits,
    largestWindow: () => arrivals.largestWindow(),
    reset: () => {
      arrivals.reset()
      faults.clear()
    },
    fault: (...queued) => faults.push(...queued),
    faultAll: fault => faults.stand(fault),
    close: () =>
      new Promise(resolve => {
        upstream.stop()
        // A second call finds the server closed already: an error to the callback, fine to us.
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}

class Upstream {
  readonly store: Store
  readonly arrivals: Arrivals
  readonly faults = new FaultQueue()
  readonly #settings: Settings
  readonly #jitter: Random
  readonly #closing = new AbortController()

  constructor(settings: Settings) {
    this.#settings = settings
    this.#jitter = new Random(settings.seed)
    this.store = new Store(settings.seed, settings.chats)
    this.arrivals = new Arrivals(settings.windowSeconds * 1_000)
  }

  stop(): void {
    this.#closing.abort()
  }

  /** Fails only when the client is gone or the simulator closes; nobody is left to be told. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    this.#exchange(request, response).catch(() => response.destroy())
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { arrival, seen } = this.#record(request)
    const refused = this.#settings.enforce && this.arrivals.overLimit(this.#settings.limit)
    const fault = this.faults.take(arrival.target)
    seen.body = await read(request)
    await this.#sleep(this.#settings.latencyMs + this.#settings.jitterMs * this.#jitter.next())
    const answer = refused ? this.#tooMany() : this.#answer(seen)
    const sleep = (ms: number) => this.#sleep(ms)
    await perform(fault, { answer, response, socket: request.socket, sleep }, status => {
      arrival.status = status
    })
  }

  #record({ method = '', url: target = '', headers, rawHeaders }: IncomingMessage) {
    const arrival: Arrival = { at: this.#settings.now(), method, target, status: 0 }
    const seen: SeenRequest = { method, target, headers, rawHeaders, body: '' }
    this.arrivals.record(arrival, seen)
    return { arrival, seen }
  }

  #answer({ headers: { authorization }, ...seen }: SeenRequest): Answer {
    return answerCall({ ...seen, authorization }, this.store, this.#settings)
  }

  #tooMany(): Answer {
    const { errorShape, retryAfter, limit } = this.#settings
    const answer = refusal(new Refusal(429), errorShape)
    const seconds = Math.ceil(this.arrivals.freeInMs(limit) / 1_000)
    const headers = { ...answer.headers, 'retry-after': String(seconds) }
    return retryAfter ? { ...answer, headers } : answer
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.#closing.signal })
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > largestRequestBody) throw new Error('the request body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
