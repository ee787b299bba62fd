/**
 * What is in use elsewhere, as models that are kinder than the originals: their calls go out at
 * once and without a limit, waiters are woken the moment the answer arrives (nginx looks every half
 * second), nothing is ever evicted.
 */

import { freshMs, pageSizes, staleWhileRevalidateMs } from './conditions.ts'
import type { Candidate, Subject, World } from './subject.ts'
import type { Snapshot } from './upstream-lists.ts'
import type { Part, Request } from './workload.ts'

interface Policy {
  /** What is fetched and stored for a request. */
  readonly partFor: (request: Request) => Part
  readonly staleWhileRevalidateMs: number
}

interface Kept {
  readonly snapshot: Snapshot
  readonly storedAt: number
}

const exactUrl = ({ list, offset, limit }: Request): Part => ({ list, offset, limit })

const pageSize = Math.max(...pageSizes)

/** The page of 100 that the request is in: all page sizes divide it. */
const alignedPage = ({ list, offset }: Request): Part => {
  return { list, offset: offset - (offset % pageSize), limit: pageSize }
}

export const exactUrls = model('exact URL, locking (nginx, Varnish)', {
  partFor: exactUrl,
  staleWhileRevalidateMs: 0
})

export const exactUrlsRevalidated = model('exact URL, stale-while-revalidate', {
  partFor: exactUrl,
  staleWhileRevalidateMs
})

export const alignedPages = model('aligned pages, stale-while-revalidate', {
  partFor: alignedPage,
  staleWhileRevalidateMs
})

function model(name: string, policy: Policy): Candidate {
  return { name, enter: world => new Model(world, policy) }
}

/** One flight per key, for which all who ask wait; stale answers are refreshed by one behind them. */
class Model implements Subject {
  readonly #world: World
  readonly #policy: Policy
  readonly #kept = new Map<string, Kept>()
  readonly #flights = new Map<string, Promise<Kept>>()

  constructor(world: World, policy: Policy) {
    this.#world = world
    this.#policy = policy
  }

  async ask(request: Request) {
    const part = this.#policy.partFor(request)
    const { snapshot } = await this.#find(part)
    const from = request.offset - part.offset
    const to = Math.min(from + request.limit, snapshot.chats.length)
    return [{ snapshot, from, to }]
  }

  #find(part: Part): Kept | Promise<Kept> {
    const key = `${part.list} ${part.offset} ${part.limit}`
    const kept = this.#kept.get(key)
    const ageMs = kept ? this.#world.clock.now() - kept.storedAt : Infinity
    if (kept && ageMs < freshMs) return kept
    const flight = this.#flights.get(key) ?? this.#fly(key, part)
    return kept && ageMs < freshMs + this.#policy.staleWhileRevalidateMs ? kept : flight
  }

  #fly(key: string, part: Part): Promise<Kept> {
    const flight = this.#world.upstream.take(part).then(snapshot => {
      const kept = { snapshot, storedAt: this.#world.clock.now() }
      this.#kept.set(key, kept)
      this.#flights.delete(key)
      return kept
    })
    this.#flights.set(key, flight)
    return flight
  }
}
