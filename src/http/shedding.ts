/**
 * Load shedding: what is one too many (overload.ts) is refused before Fastify, the token or a limit
 * cost anything, in the same envelope as every error. Whether the service lives is always answered,
 * and an export, which would go on asking for long, is the first to be put off.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { ServiceError } from '../errors.ts'
import type { Overload } from './overload.ts'

export interface SheddingOptions {
  readonly overload: Overload
  /** Whoever is refused while draining is told so instead. */
  readonly draining: () => boolean
  /** Writes the answer and the log line. */
  readonly refuse: (request: IncomingMessage, response: ServerResponse, error: ServiceError) => void
}

const alwaysAnswered = /^(?:\/v1)?\/(?:healthz|readyz)\/?(?:\?|$)/
const exporting = /^(?:\/v1)?\/chats\/export\/?(?:\?|$)/

/** A listener that hands over to `next` whatever is admitted. */
export function shedding(next: RequestListener, options: SheddingOptions): RequestListener {
  const { draining, overload, refuse } = options
  return (request, response) => {
    const admitted = overload.admits()
    const isLong = overload.share < 1 && exporting.test(request.url ?? '')
    const isShed = (!admitted || isLong) && !draining() && !alwaysAnswered.test(request.url ?? '')
    if (!isShed) next(request, response)
    else refuse(request, response, tooMuch(overload.retryAfterSeconds()))
  }
}

/** Made once for each number of seconds: an error's stack costs as much as half of the answer. */
const made = new Map<number, ServiceError>()

function tooMuch(retryAfterSeconds: number): ServiceError {
  const known = made.get(retryAfterSeconds)
  if (known) return known
  const detail = 'More is asked than this service can answer just now.'
  const error = new ServiceError('overloaded', detail, { retryAfterMs: retryAfterSeconds * 1000 })
  made.set(retryAfterSeconds, error)
  return error
}
