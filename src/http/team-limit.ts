/**
 * Each team's own request limit, counted by @fastify/rate-limit per team, not per address, in
 * windows of the monotonic clock. Its headers are the dead three-field draft, so the current
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) are written here.
 */

import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { SharedStore } from '../shared-store.ts'
import { TeamCounts, windowMs } from './team-counts.ts'

type Count = { current: number; ttl: number }
type Counted = (error: Error | null, count?: Count) => void

/** A store class for the plugin, which constructs it itself. */
const countsIn = (counts: TeamCounts) =>
  class PluginStore {
    incr(team: string, done: Counted): void {
      done(null, counts.count(team))
    }

    child(): PluginStore {
      return this
    }
  }

export interface TeamLimit {
  /** Counts a request; throws `team_rate_limited`. For a hook that runs once the team is known. */
  readonly check: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** Why the team's next request would be refused, if it would; counts nothing. */
  readonly refusal: (team: string) => ServiceError | undefined
  /** Whether its next request is within the limit; counts nothing. */
  readonly hasRoom: (team: string) => boolean
  /** Counts a request that is, and returns `RateLimit`'s value, if there is a limit. */
  readonly take: (team: string) => string | undefined
}

const unlimited: TeamLimit = {
  check: async () => {},
  refusal: () => undefined,
  hasRoom: () => true,
  take: () => undefined
}

/**
 * @param limit requests per minute and team; 0 turns the limit and its headers off
 * @param store through which replicas tell each other what they counted
 */
export async function createTeamLimit(
  app: FastifyInstance,
  clock: Clock,
  limit: number,
  store?: SharedStore
): Promise<TeamLimit> {
  if (limit === 0) return unlimited
  const counts = new TeamCounts(clock, store)
  app.addHook('onClose', async () => counts.stop())
  await app.register(fastifyRateLimit, {
    global: false,
    max: limit,
    timeWindow: windowMs,
    keyGenerator: request => request.team,
    store: countsIn(counts)
  })
  const count = app.createRateLimit()
  const policy = `"team";q=${limit};w=${windowMs / 1000}`
  const check: TeamLimit['check'] = async (request, reply) => {
    const seen = await count(request)
    if (seen.isAllowed) return
    reply.header('ratelimit-policy', policy)
    reply.header('ratelimit', limitValue(seen.remaining, seen.ttlInSeconds))
    if (seen.isExceeded) throw exceeded(request.team, limit, seen.ttl)
  }
  const refusal = (team: string) => {
    const { current, ttl } = counts.peek(team)
    return current >= limit ? exceeded(team, limit, ttl) : undefined
  }
  const take = (team: string) => {
    const { current, ttl } = counts.count(team)
    return limitValue(Math.max(limit - current, 0), Math.ceil(ttl / 1000))
  }
  return { check, refusal, hasRoom: team => counts.peek(team).current < limit, take }
}

function limitValue(remaining: number, seconds: number): string {
  return `"team";r=${remaining};t=${seconds}`
}

function exceeded(team: string, limit: number, retryAfterMs: number): ServiceError {
  const detail = `Team ${team} has made its ${limit} requests of this minute.`
  return new ServiceError('team_rate_limited', detail, { retryAfterMs })
}
