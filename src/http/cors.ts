/**
 * Cross-origin requests, for the origins that are configured and nobody else: answers preflights,
 * marks the others, errors included. Wildcards and credentials do not exist here; a token is sent
 * by the page.
 */

import fastifyCors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

/** As long as browsers keep a preflight's answer: two hours in Chromium, longer in others. */
const preflightSeconds = 7200

export async function addCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  const shared = {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders,
    maxAge: preflightSeconds
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

/** What an answer needs that never passes the app's hooks, given the request's `Origin`. */
export type CrossOrigin = (origin: string | undefined) => Readonly<Record<string, string>>

export function corsHeadersFor(origins: readonly string[]): CrossOrigin {
  return origin => {
    if (origins.length === 0) return {}
    if (origin === undefined || !origins.includes(origin)) return { Vary: 'Origin' }
    return {
      Vary: 'Origin',
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Expose-Headers': exposedHeaders
    }
  }
}

/** Our headers that a page of another origin may read; Cache-Control and the like it always may. */
const exposedHeaders = [
  'Age',
  'Allow',
  'Cache-Status',
  'Content-Disposition',
  'ETag',
  'Link',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Server-Timing',
  'Vary',
  'WWW-Authenticate',
  'X-Export-Calls',
  'X-Export-Estimate',
  'X-Request-Id',
  'X-Total-Count'
].join(', ')
