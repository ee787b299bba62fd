/**
 * `GET /chats`: from a query to a list with its headers. What is cached how long, and what is
 * sent when, is decided further in; this file only says it in HTTP's words.
 */

import type { FastifyInstance, FastifyReply } from 'fastify'
import { formatCacheStatus } from '../cache-status.ts'
import type { Chats, ListAnswer } from '../chats/chats.ts'
import { type ListQuery, parseListQuery } from '../chats/query.ts'
import type { Clock } from '../clock.ts'
import type { Timing } from '../ports.ts'
import { listLinks } from './links.ts'
import { needOf } from './need.ts'
import { sendRendering } from './representation.ts'
import { listSchema } from './schemas.ts'

export interface ChatsRoutesOptions {
  readonly chats: Chats
  readonly clock: Clock
  readonly maxLimit: number
  readonly maxWaitMs: number
}

export function chatsRoutes(app: FastifyInstance, options: ChatsRoutesOptions): void {
  const { chats, clock, maxLimit, maxWaitMs } = options
  app.get('/chats', { schema: listSchema(maxLimit) }, async (request, reply) => {
    const [path = '', search = ''] = splitTarget(request.raw.url ?? '')
    const query = parseListQuery(search, maxLimit)
    const listed = chats.list(query, needOf(request, reply, clock, maxWaitMs))
    const answer = listed instanceof Promise ? await listed : listed
    request.outcome = { cache: answer.status, ...(answer.timing && { timing: answer.timing }) }
    describeFreshness(reply, answer)
    describeList(reply, path, query, answer.rendering.total)
    if (answer.timing) reply.header('server-timing', formatTiming(answer.timing))
    return sendRendering(request, reply, answer.rendering)
  })
}

function splitTarget(target: string): [string, string] {
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

/** RFC 9111 section 4.2: `max-age - Age` is what remains, so `max-age` is the whole lifetime. */
function describeFreshness(reply: FastifyReply, answer: ListAnswer): void {
  reply.header('cache-status', formatCacheStatus(answer.status))
  reply.header('age', Math.floor(answer.ageMs / 1000))
  reply.header('cache-control', `private, max-age=${Math.floor(answer.lifetimeMs / 1000)}`)
}

function describeList(reply: FastifyReply, path: string, query: ListQuery, total: number): void {
  reply.header('x-total-count', total)
  reply.header('link', listLinks(path.replace(/\/$/, ''), query, total))
}

/** Server-Timing in milliseconds. */
function formatTiming({ queueMs, upstreamMs }: Timing): string {
  return `queue;dur=${queueMs.toFixed(1)}, upstream;dur=${upstreamMs.toFixed(1)}`
}
