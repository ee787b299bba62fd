/**
 * `POST /chats/search`: a read behind POST, cached like the others by the canonical spelling of its
 * body. JSON is accepted whatever the type says, because some callers send none or `text/plain`.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Chats } from '../chats/chats.ts'
import { parseNoQuery } from '../chats/query.ts'
import { parseSearch } from '../chats/search.ts'
import { ServiceError } from '../errors.ts'
import { type NeedOptions, needOf } from './need.ts'
import { searchSchema } from './read-schemas.ts'
import { describeAnswer, sendRendering } from './representation.ts'

export interface SearchRouteOptions extends NeedOptions {
  readonly chats: Chats
  readonly maxLimit: number
}

/** Searches are short; a longer one is somebody's mistake, and would take long to read. */
const longestBody = 64 * 1024

export function addSearchRoute(app: FastifyInstance, options: SearchRouteOptions): void {
  const { chats, maxLimit } = options
  // In a scope of its own, so that other routes keep their parsers.
  app.register(async scope => {
    scope.removeAllContentTypeParsers()
    // Fastify refuses a type that it cannot read before any parser is asked.
    scope.addHook('onRequest', async ({ headers }) => {
      delete headers['content-type']
    })
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    const route = { schema: searchSchema(maxLimit), bodyLimit: longestBody }
    scope.post('/chats/search', route, async (request, reply) => {
      refuseCoded(request)
      parseNoQuery((request.raw.url ?? '').replace(/^[^?]*\??/, ''))
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      return chats.list(parseSearch(body, maxLimit), needOf(request, options), answer => {
        reply.header('x-total-count', answer.rendering.total)
        return sendRendering(request, reply, describeAnswer(request, reply, answer))
      })
    })
  })
}

/** Nobody has to unpack what may be a bomb to say that a search is short. */
function refuseCoded({ headers }: FastifyRequest): void {
  if (/^(identity)?$/i.test(headers['content-encoding'] ?? '')) return
  throw new ServiceError('unsupported_media_type', 'Send the search without a content coding.')
}
