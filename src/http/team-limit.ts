/**
 * Each team's own request limit, counted by @fastify/rate-limit per team, not per address, in
 * windows of the monotonic clock. Its headers are the dead three-field draft, so the current
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) are written here.
 */

import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import { ServiceError } from '../errors.ts'

const windowMs = 60_000

type Count = { current: number; ttl: number }
type Counted = (error: Error | null, count?: Count) => void

/** A store class for the plugin, which constructs it itself; one key per team, so it stays small. */
const countsOn = (clock: Clock) =>
  class TeamCounts {
    readonly #windows = new Map<string, { startedAt: number; count: number }>()

    /** Counts one request in the window that started with the key's first request. */
    incr(key: string, done: Counted): void {
      const now = clock.now()
      let window = this.#windows.get(key)
      if (!window || now >= window.startedAt + windowMs) {
        window = { startedAt: now, count: 0 }
        this.#windows.set(key, window)
      }
      window.count++
      done(null, { current: window.count, ttl: window.startedAt + windowMs - now })
    }

    child(): TeamCounts {
      return this
    }
  }

export type TeamLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/**
 * @param limit requests per minute and team; 0 turns the limit and its headers off
 * @returns a check that throws `team_rate_limited`, for a hook that runs once the team is known
 */
export async function createTeamLimit(
  app: FastifyInstance,
  clock: Clock,
  limit: number
): Promise<TeamLimit> {
  if (limit === 0) return async () => {}
  await app.register(fastifyRateLimit, {
    global: false,
    max: limit,
    timeWindow: windowMs,
    keyGenerator: request => request.team,
    store: countsOn(clock)
  })
  const check = app.createRateLimit()
  const policy = `"team";q=${limit};w=${windowMs / 1000}`
  return async (request, reply) => {
    const seen = await check(request)
    if (seen.isAllowed) return
    reply.header('ratelimit-policy', policy)
    reply.header('ratelimit', `"team";r=${seen.remaining};t=${seen.ttlInSeconds}`)
    if (seen.isExceeded) throw exceeded(request.team, limit, seen.ttl)
  }
}

function exceeded(team: string, limit: number, retryAfterMs: number): ServiceError {
  const detail = `Team ${team} has made its ${limit} requests of this minute.`
  return new ServiceError('team_rate_limited', detail, { retryAfterMs })
}
