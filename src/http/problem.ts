/**
 * The error envelope: problem details (RFC 9457) that HelpCrunch clients can read as well, because
 * `errors[]` is there. The one place where a `ServiceError` becomes a status, headers and a body.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, type ErrorEntry, ServiceError } from '../errors.ts'

export const problemType = 'application/problem+json'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: ErrorCode
  readonly errors: readonly ErrorEntry[]
  /** Seconds, as in `Retry-After`. */
  readonly retryAfter?: number
}

/**
 * @param url the request target as it came; of it only the path is shown, cut, never the query
 * @param status instead of the code's own
 */
export function problemOf(
  error: ServiceError,
  url: string,
  status: number = error.kind.status
): Problem {
  const retryAfter = retryAfterSeconds(error)
  return {
    type: `/docs#${error.code}`,
    title: error.kind.title,
    status,
    detail: error.message,
    instance: instanceOf(url),
    code: error.code,
    errors: error.entries,
    ...(retryAfter !== undefined && { retryAfter })
  }
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: ServiceError) {
  const problem = problemOf(error, request.raw.url ?? '', statusOf(error, isForClients(request)))
  if (problem.retryAfter !== undefined) reply.header('retry-after', problem.retryAfter)
  if (error.code === 'unauthenticated' && !reply.hasHeader('www-authenticate')) {
    reply.header('www-authenticate', 'Bearer')
  }
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .type(problemType)
    .send(JSON.stringify(problem))
}

/** What went wrong, in our words, for errors that Fastify and Node raise. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error
  const { statusCode, message = '' } = (error ?? {}) as { statusCode?: number; message?: string }
  const code = codeByStatus[statusCode ?? 500]
  if (code) return new ServiceError(code, message, { cause: error })
  return new ServiceError('internal_error', 'The service failed; the log has the cause.', {
    cause: error
  })
}

const codeByStatus: Record<number, ErrorCode | undefined> = {
  400: 'bad_request',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type'
}

/** HelpCrunch clients, who live under /v1, know no 503 for a rate limit. */
const knownAs429 = new Set<ErrorCode>(['budget_exhausted', 'upstream_rate_limited'])

/** @param forClients whether it is told to a HelpCrunch client */
export function statusOf({ code, kind }: ServiceError, forClients: boolean): number {
  return forClients && knownAs429.has(code) ? 429 : kind.status
}

function isForClients({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.url?.startsWith('/v1/') === true
}

/** Every 429 and 503 says when it is worth coming back: at least a second, rounded up. */
function retryAfterSeconds({ retryAfterMs }: ServiceError): number | undefined {
  return retryAfterMs === undefined ? undefined : Math.max(Math.ceil(retryAfterMs / 1000), 1)
}

/** The path as a URI reference (RFC 9457 section 3.1.5). */
function instanceOf(url: string): string {
  const path = url.split('?', 1)[0] ?? ''
  return encodeURI(path.slice(0, 200).toWellFormed()).replaceAll('%25', '%')
}
