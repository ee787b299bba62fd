/**
 * Sends a rendered answer in the best content coding that is there and that the client takes, or
 * 304 if the client has it already, in whatever coding.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatCacheStatus } from '../cache-status.ts'
import type { ListAnswer } from '../chats/chats.ts'
import type { Coding, Rendering } from '../chats/rendering.ts'
import type { Timing } from '../ports.ts'
import { entityTag, matchedTag } from './conditional.ts'
import { acceptedCodings } from './content-coding.ts'

/**
 * Says what the cache did, how old the answer is and what it took. RFC 9111 section 4.2:
 * `max-age - Age` is what remains of its freshness.
 */
export function describeAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: ListAnswer
): Rendering {
  const { status, timing } = answer
  request.outcome = { cache: status, ...(timing && { timing }) }
  reply.headers(agingHeaders(answer))
  if (timing) reply.header('server-timing', formatTiming(timing))
  return answer.rendering
}

/** Those that differ from one second to the next. */
export function agingHeaders({ ageMs, lifetimeMs, status }: ListAnswer) {
  return {
    'cache-status': formatCacheStatus(status),
    age: Math.floor(ageMs / 1000),
    'cache-control': `private, max-age=${Math.floor(lifetimeMs / 1000)}`
  }
}

/** Server-Timing in milliseconds. */
function formatTiming({ queueMs, upstreamMs }: Timing): string {
  return `queue;dur=${queueMs.toFixed(1)}, upstream;dur=${upstreamMs.toFixed(1)}`
}

/** 200 with the body, or 304 without (RFC 9110 section 15.4.5: same headers, no content). */
export function sendRendering(request: FastifyRequest, reply: FastifyReply, rendering: Rendering) {
  const { body, coding } = choose(rendering, request.headers['accept-encoding'])
  const tag = entityTag(rendering.digest, coding)
  addVary(reply, 'Accept-Encoding')
  const matched = isSafe(request)
    ? matchedTag(request.headers['if-none-match'], rendering.digest, tag)
    : undefined
  reply.header('etag', matched ?? tag)
  if (matched !== undefined) return reply.code(304).send()
  if (coding !== undefined) reply.header('content-encoding', coding)
  return reply.type('application/json; charset=utf-8').send(body)
}

/** RFC 9110 section 13.1.2: 304 is for GET and HEAD; a search is neither. */
function isSafe({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** The best that is there; if it is not the client's first wish, that one for the next time. */
export function choose(
  rendering: Rendering,
  acceptEncoding: string | undefined
): { body: Buffer; coding?: Coding } {
  const wishes = acceptedCodings(acceptEncoding)
  if (wishes[0]) rendering.prepare(wishes[0])
  for (const coding of wishes) {
    const body = rendering.coded(coding)
    if (body) return { body, coding }
  }
  return { body: rendering.body }
}

function addVary(reply: FastifyReply, field: string): void {
  const known = reply.getHeader('vary')
  reply.header('vary', known ? `${known}, ${field}` : field)
}
