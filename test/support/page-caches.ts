/**
 * Caches on a clock that is moved by hand: one with its own memory alone, or those of replicas that
 * share a store, which is a real redis-server in virtual time (virtual-store.ts).
 */

import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { Cache } from '../../src/cache/cache.ts'
import { Envelopes } from '../../src/cache/envelope.ts'
import { type Lifetimes, longestMs } from '../../src/cache/freshness.ts'
import { MemoryStore } from '../../src/cache/memory-store.ts'
import { SharedCache } from '../../src/cache/shared-cache.ts'
import type { SharedPagesOptions } from '../../src/cache/shared-pages.ts'
import { storedBytes } from '../../src/cache/stored-pages.ts'
import type { Send } from '../../src/ports.ts'
import { noForesight, noneIdle } from './budget.ts'
import type { FakeClock } from './fake-clock.ts'
import { startRedis } from './redis.ts'
import { VirtualServer, VirtualStore } from './virtual-store.ts'

export interface CachesOptions {
  readonly lifetimes: Lifetimes
  readonly send: Send
  /** What invalidates a page: by default its target. */
  readonly maxBytes?: number
}

export interface OneCache {
  readonly cache: Cache
  /** Makes them stale, for everybody. */
  invalidate(tags: readonly string[]): void
  close(): void
}

/** Opens a cache; what it has in common with those that were opened before is what is shared. */
export type OpenCache = () => Promise<OneCache>

const roomyBytes = 10_000_000

export function ownMemory(clock: FakeClock, options: CachesOptions): OpenCache {
  const memory = memoryOf(options)
  const cache = cacheOn(clock, options, memory)
  const invalidate = (tags: readonly string[]) => cache.invalidate(tags)
  return async () => ({ cache, invalidate, close: () => {} })
}

/** Opens as many servers as are wanted, each of which is empty. */
export async function virtualServers(t: Test, clock: FakeClock): Promise<() => VirtualServer> {
  const server = await startRedis(t)
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  return () => new VirtualServer(clock, redis)
}

/** Each with a memory of its own, empty at first. */
export function sharedStore(server: VirtualServer, options: CachesOptions): OpenCache {
  const { clock } = server
  return async () => {
    const store = new VirtualStore({ server, clock, delayMs: () => 0.2 })
    const shared = new SharedCache({
      ...{ clock, store, keepMs: longestMs(options.lifetimes), warn: () => {} },
      maxBytes: options.maxBytes ?? roomyBytes,
      envelopes: heldEnvelopes(clock)
    })
    const cache = cacheOn(clock, options, memoryOf({ ...options, maxBytes: roomyBytes }), shared)
    shared.start((tags, at) => cache.invalidate(tags, at))
    // Until it knows the store's clock.
    await clock.advance(5)
    const invalidate = (tags: readonly string[]) => {
      cache.invalidate(tags)
      shared.announce(tags)
    }
    const close = () => {
      shared.stop()
      store.close()
    }
    return { cache, invalidate, close }
  }
}

/** Compression takes real time. */
export function heldEnvelopes(clock: FakeClock): SharedPagesOptions['envelopes'] {
  const envelopes = new Envelopes('a-key')
  return {
    seal: (key, head, page) => clock.hold(envelopes.seal(key, head, page)),
    unseal: (key, bytes) => clock.hold(envelopes.unseal(key, bytes))
  }
}

const memoryOf = ({ maxBytes = roomyBytes }: CachesOptions) =>
  new MemoryStore({ maxBytes, weights: new Map() }).shelf('page', storedBytes)

function cacheOn(
  clock: FakeClock,
  { lifetimes, send }: CachesOptions,
  store: ReturnType<typeof memoryOf>,
  shared?: SharedCache
): Cache {
  return new Cache({
    ...{ clock, lifetimes, send, shared, store },
    ...{ random: () => 0, idle: noneIdle, foresight: noForesight },
    tagsOf: ({ target }) => [target]
  })
}
