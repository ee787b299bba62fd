/**
 * Cross-origin requests, for the origins that are configured and nobody else: answers preflights,
 * marks the others. Wildcards and credentials do not exist here; a token is sent by the page.
 */

import type { IncomingMessage } from 'node:http'
import fastifyCors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

export async function addCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  const shared = {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: exposedHeaders.join(', '),
    maxAge: 600
  }
  await app.register(fastifyCors, {
    delegator: (request, done) => {
      // Only a preflight is answered here; any other OPTIONS is a method we do not have.
      const preflight =
        request.headers.origin !== undefined &&
        request.headers['access-control-request-method'] !== undefined
      done(null, { ...shared, preflight })
    }
  })
}

/** The same marks for an answer that never comes past the plugin. */
export function corsHeadersFor(origins: readonly string[]) {
  const vary = origins.length > 0 ? { Vary: 'Origin' } : {}
  return ({ headers: { origin } }: IncomingMessage): Record<string, string> => {
    if (origin === undefined || !origins.includes(origin)) return vary
    const exposed = { 'Access-Control-Expose-Headers': exposedHeaders.join(', ') }
    return { ...vary, 'Access-Control-Allow-Origin': origin, ...exposed }
  }
}

/** Our headers that a page of another origin may read. */
const exposedHeaders = [
  'Age',
  'Cache-Status',
  'ETag',
  'Link',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Server-Timing',
  'WWW-Authenticate',
  'X-Export-Calls',
  'X-Export-Estimate',
  'X-Request-Id',
  'X-Total-Count'
]
