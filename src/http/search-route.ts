/**
 * `POST /chats/search`: a read behind POST, cached like the others by the canonical spelling of its
 * body. JSON is accepted whatever the type says, because some callers send none or `text/plain`.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Chats } from '../chats/chats.ts'
import { parseSearch } from '../chats/search.ts'
import { ServiceError } from '../errors.ts'
import type { Need } from '../ports.ts'
import { searchSchema } from './read-schemas.ts'
import { describeAnswer, sendRendering } from './representation.ts'

export interface SearchRouteOptions {
  readonly chats: Chats
  readonly need: (request: FastifyRequest, reply: FastifyReply) => Need
  readonly maxLimit: number
}

/** Searches are short; a longer one is somebody's mistake. */
const longestBody = 256 * 1024

export function addSearchRoute(app: FastifyInstance, options: SearchRouteOptions): void {
  const { chats, maxLimit, need } = options
  // In a scope of its own, so that other routes keep their parsers.
  app.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    const route = { schema: searchSchema(maxLimit), bodyLimit: longestBody }
    scope.post('/chats/search', route, async (request, reply) => {
      refuseCoded(request)
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      const answer = await chats.list(parseSearch(body, maxLimit), need(request, reply))
      reply.header('x-total-count', answer.rendering.total)
      return sendRendering(request, reply, describeAnswer(request, reply, answer))
    })
  })
}

/** Nobody has to unpack what may be a bomb to say that a search is short. */
function refuseCoded({ headers }: FastifyRequest): void {
  const coding = headers['content-encoding']
  if (coding === undefined || coding === 'identity') return
  throw new ServiceError('unsupported_media_type', 'Send the search without a content coding.')
}
