/**
 * The architect: builds every room once and joins their doors, in the order a request takes.
 *
 *   http → chats → cache → schedule → upstream
 *
 * Nothing here knows the environment, ports or signals; those are main.ts's.
 */

import type { FastifyInstance } from 'fastify'
import { Cache } from './cache/cache.ts'
import { createMemoryStore } from './cache/memory-store.ts'
import { Chats } from './chats/chats.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { createApp } from './http/app.ts'
import type { Logger } from './observe/log.ts'
import { Schedule } from './schedule/schedule.ts'
import { createUpstream } from './upstream/client.ts'

const megabyte = 1024 * 1024

export interface Service {
  readonly app: FastifyInstance
  /** Turns readiness red; replies close their connections from now on. */
  unready(): void
  /** Refuses what waits for the upstream and all that will; calls in flight go on. */
  drain(retryAfterMs: number): void
  /** Ends everything; calls in flight fail. */
  close(): Promise<void>
}

export async function createService(
  config: Config,
  clock: Clock,
  logger: Logger
): Promise<Service> {
  const upstream = createUpstream({
    clock,
    baseUrl: config.HELPCRUNCH_BASE_URL,
    apiKey: config.HELPCRUNCH_API_KEY,
    timeoutMs: config.UPSTREAM_TIMEOUT_SECONDS * 1000,
    concurrency: config.UPSTREAM_CONCURRENCY,
    maxBodyBytes: Math.floor(config.UPSTREAM_MAX_BODY_MB * megabyte)
  })
  const schedule = new Schedule({
    clock,
    attempt: call => upstream.attempt(call),
    limit: config.UPSTREAM_LIMIT,
    windowMs: config.UPSTREAM_WINDOW_SECONDS * 1000,
    concurrency: config.UPSTREAM_CONCURRENCY,
    maxLength: config.QUEUE_MAX_LENGTH
  })
  const cache = new Cache({
    clock,
    store: createMemoryStore(config.CACHE_MAX_MB * megabyte),
    send: (call, need) => schedule.send(call, need),
    lifetimes: { freshMs: config.CACHE_FRESH_SECONDS * 1000 }
  })
  const chats = new Chats({ clock, fetch: (call, need) => cache.fetch(call, need) })

  let draining = false
  const app = await createApp({ config, clock, logger, chats, draining: () => draining })
  return {
    app,
    unready: () => {
      draining = true
    },
    drain: retryAfterMs => schedule.drain(retryAfterMs),
    close: async () => {
      await app.close()
      await upstream.close()
    }
  }
}
