/**
 * What the descriptions of all routes share, in TypeBox: `openapi.yaml` is generated from these
 * schemas. They describe; they do not validate, because Ajv would coerce what the rooms refuse, and
 * they do not serialise, because a chat passes through as the bytes the upstream sent.
 */

import { type TSchema, Type } from '@sinclair/typebox'
import { type ErrorCode, errorKinds } from '../errors.ts'
import { problemType } from './problem.ts'

export const oneOf = (values: readonly string[], options: object) =>
  Type.Unsafe<string>({ type: 'string', enum: [...values], ...options })

const problemBody = Type.Object(
  {
    type: Type.String({ description: 'A URI reference that names the problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What happened this time, and what helps.' }),
    instance: Type.String({ description: 'The path that was asked for.' }),
    code: oneOf(Object.keys(errorKinds), { description: 'For programs.' }),
    errors: Type.Array(Type.Object({ code: Type.String(), message: Type.String() }), {
      description: 'As HelpCrunch clients read them, specific entries first.'
    }),
    retryAfter: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Seconds, as in Retry-After.' })
    )
  },
  { title: 'Problem', description: 'Problem details (RFC 9457), readable by HelpCrunch clients.' }
)

export const header = (schema: TSchema, description: string) => ({ ...schema, description })

export const commonHeaders = {
  'X-Request-Id': header(Type.String(), 'Yours if it was 1-64 of A-Z a-z 0-9 _ -, else a new one.')
}

export const limitHeaders = {
  'RateLimit-Policy': header(Type.String(), "Your team's own limit: quota and window in seconds."),
  RateLimit: header(Type.String(), "What remains of your team's own limit, and for how long.")
}

const retryHeaders = {
  'Retry-After': header(Type.Integer({ minimum: 1 }), 'Seconds until it is worth coming back.')
}

const upstreamRetryHeaders = {
  'Retry-After': header(
    Type.Integer({ minimum: 1 }),
    'Seconds until it is worth coming back, if HelpCrunch said so or its failures do.'
  )
}

/** They have these statuses everywhere else. */
export const statusNote =
  'Under `/v1`, `budget_exhausted` and `upstream_rate_limited` have status 429 instead of 503.'

/** Answered before the team is known and the request is counted. */
const uncounted = new Set([401, 408, 414, 417, 431])

/**
 * Codes of one status share a response; the status table of the contract is `errorKinds`.
 *
 * @param counting headers of every answer to a request that was counted against its team's limit
 */
export function problemResponses(codes: readonly ErrorCode[], counting: object = {}) {
  const statuses = [...new Set(codes.map(code => errorKinds[code].status))]
  return Object.fromEntries(
    statuses.map(status => {
      const here = codes.filter(code => errorKinds[code].status === status)
      return [status, problemResponse(status, here, uncounted.has(status) ? {} : counting)]
    })
  )
}

function problemResponse(status: number, here: readonly ErrorCode[], counting: object) {
  return {
    description: describeCodes(status, here),
    headers: {
      ...commonHeaders,
      ...counting,
      ...([429, 503].includes(status) && retryHeaders),
      ...([502, 504].includes(status) && upstreamRetryHeaders),
      ...(status === 401 && { 'WWW-Authenticate': header(Type.String(), 'Bearer') }),
      ...(status === 405 && { Allow: header(Type.String(), 'The methods that the route takes.') })
    },
    content: { [problemType]: { schema: problemBody } }
  }
}

function describeCodes(status: number, here: readonly ErrorCode[]): string {
  const each = here.map(code => `\`${code}\`: ${errorKinds[code].title}.`)
  if (status === 429) each.push(statusNote)
  return each.join(' ')
}

/** What can go wrong on every route. */
export const openCodes: readonly ErrorCode[] = [
  'bad_request',
  'method_not_allowed',
  'request_timeout',
  'uri_too_long',
  'expectation_failed',
  'headers_too_large',
  'internal_error',
  'shutting_down'
]

/** What can go wrong on every route that asks for a token. */
export const guardCodes: readonly ErrorCode[] = [
  ...openCodes,
  'overloaded',
  'unauthenticated',
  'team_rate_limited'
]

/** What can go wrong where a call to HelpCrunch may be made. */
export const callCodes: readonly ErrorCode[] = [
  'upstream_unauthorized',
  'upstream_invalid_response',
  'upstream_error',
  'upstream_unreachable',
  'budget_exhausted',
  'upstream_rate_limited',
  'upstream_timeout',
  'not_cached'
]
