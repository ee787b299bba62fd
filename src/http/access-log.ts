/**
 * One line per request: who, what, what the cache did, how it ended and how long it took. The path
 * is logged cut and without its query, where somebody may have put a token; the request id stands
 * on the line because every line of this request's logger has it.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { cacheOutcome } from '../cache-status.ts'

export function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { cache, timing, error } = request.outcome ?? {}
  const line = {
    team: request.team || undefined,
    method: request.method,
    path: (request.raw.url ?? '').split('?', 1)[0]?.slice(0, 200).toWellFormed(),
    status: reply.statusCode,
    ms: round(reply.elapsedTime),
    cache: cache && cacheOutcome(cache),
    queueMs: timing && round(timing.queueMs),
    upstreamMs: timing && round(timing.upstreamMs),
    error: error?.code,
    evidence: error?.evidence,
    cause: causeOf(error?.cause)
  }
  request.log[reply.statusCode >= 500 ? 'warn' : 'info'](line, 'request')
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}

/** What lay behind an error, by code or class only: a cause's message may quote what came. */
function causeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const code = (cause as NodeJS.ErrnoException).code
  return code ?? cause.name
}
