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

/** By team. */
type Windows = Map<string, { startedAt: number; count: number }>

/** A store class for the plugin, which constructs it itself; one key per team, so it stays small. */
const countsOn = (clock: Clock, windows: Windows) =>
  class TeamCounts {
    /** Counts one request in the window that started with the key's first request. */
    incr(key: string, done: Counted): void {
      const now = clock.now()
      let window = windows.get(key)
      if (!window || now >= window.startedAt + windowMs) {
        window = { startedAt: now, count: 0 }
        windows.set(key, window)
      }
      window.count++
      done(null, { current: window.count, ttl: window.startedAt + windowMs - now })
    }

    child(): TeamCounts {
      return this
    }
  }

export interface TeamLimit {
  /** Counts a request; throws `team_rate_limited`. For a hook that runs once the team is known. */
  readonly check: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** Why the team's next request would be refused, if it would; counts nothing. */
  readonly refusal: (team: string) => ServiceError | undefined
}

/** @param limit requests per minute and team; 0 turns the limit and its headers off */
export async function createTeamLimit(
  app: FastifyInstance,
  clock: Clock,
  limit: number
): Promise<TeamLimit> {
  if (limit === 0) return { check: async () => {}, refusal: () => undefined }
  const windows: Windows = new Map()
  await app.register(fastifyRateLimit, {
    global: false,
    max: limit,
    timeWindow: windowMs,
    keyGenerator: request => request.team,
    store: countsOn(clock, windows)
  })
  const count = app.createRateLimit()
  const policy = `"team";q=${limit};w=${windowMs / 1000}`
  const check: TeamLimit['check'] = async (request, reply) => {
    const seen = await count(request)
    if (seen.isAllowed) return
    reply.header('ratelimit-policy', policy)
    reply.header('ratelimit', `"team";r=${seen.remaining};t=${seen.ttlInSeconds}`)
    if (seen.isExceeded) throw exceeded(request.team, limit, seen.ttl)
  }
  const refusal = (team: string) => {
    const window = windows.get(team)
    const leftMs = window ? window.startedAt + windowMs - clock.now() : 0
    const isOver = window !== undefined && leftMs > 0 && window.count >= limit
    return isOver ? exceeded(team, limit, leftMs) : undefined
  }
  return { check, refusal }
}

function exceeded(team: string, limit: number, retryAfterMs: number): ServiceError {
  const detail = `Team ${team} has made its ${limit} requests of this minute.`
  return new ServiceError('team_rate_limited', detail, { retryAfterMs })
}
