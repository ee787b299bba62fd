/**
 * The routes in TypeBox, for people and tools: `openapi.yaml` is generated from these schemas.
 * They describe; they do not validate, because Ajv would coerce what `chats/query.ts` refuses, and
 * they do not serialise, because a chat passes through as the bytes the upstream sent.
 */

import { type TSchema, Type } from '@sinclair/typebox'
import { defaultLimit, largestOffset, orders, sorts } from '../chats/query.ts'
import { type ErrorCode, errorKinds } from '../errors.ts'
import { problemType } from './problem.ts'

const oneOf = (values: readonly string[], options: object) =>
  Type.Unsafe<string>({ type: 'string', enum: [...values], ...options })

const chatSchema = Type.Object(
  { id: Type.Integer({ description: 'May exceed 2^53: parse with care.' }) },
  {
    additionalProperties: true,
    description:
      'A chat, byte for byte the JSON value that HelpCrunch sent. Its documented members come in ' +
      'several forms (times as integers, strings or null); new ones may appear at any time.'
  }
)

const listBody = Type.Object(
  {
    data: Type.Array(chatSchema, {
      description: 'Never fewer than asked for while there are more.'
    }),
    meta: Type.Object(
      { total: Type.Integer({ minimum: 0, description: 'Chats in the whole list.' }) },
      { additionalProperties: true }
    )
  },
  { additionalProperties: true }
)

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
  { description: 'Problem details (RFC 9457).' }
)

const header = (schema: TSchema, description: string) => ({ ...schema, description })

export const commonHeaders = {
  'X-Request-Id': header(Type.String(), 'Yours if it was 1-64 of A-Z a-z 0-9 _ -, else a new one.')
}

const limitHeaders = {
  'RateLimit-Policy': header(Type.String(), "Your team's own limit: quota and window in seconds."),
  RateLimit: header(Type.String(), "What remains of your team's own limit, and for how long.")
}

const retryHeaders = {
  'Retry-After': header(Type.Integer({ minimum: 1 }), 'Seconds until it is worth coming back.')
}

const freshnessHeaders = {
  'Cache-Status': header(
    Type.String(),
    'What the cache did (RFC 9211), e.g. helpcrunch-proxy; hit; ttl=12.'
  ),
  Age: header(Type.Integer({ minimum: 0 }), 'Seconds since the oldest part of the answer arrived.'),
  'Cache-Control': header(
    Type.String(),
    'private, max-age=<freshness lifetime>; max-age - Age remains.'
  ),
  ETag: header(Type.String(), 'Strong validator of these bytes in this coding.'),
  Vary: header(Type.String(), 'Accept-Encoding, and Origin with CORS.')
}

const listHeaders = {
  ...freshnessHeaders,
  Link: header(Type.String(), 'first, prev, next, last (RFC 8288); no next on the last page.'),
  'X-Total-Count': header(Type.Integer({ minimum: 0 }), 'Chats in the whole list.'),
  'Server-Timing': header(Type.String(), 'queue and upstream in ms, when a call was made.')
}

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
    description: here.map(code => `\`${code}\`: ${errorKinds[code].title}`).join('. '),
    headers: {
      ...commonHeaders,
      ...counting,
      ...([429, 503].includes(status) && retryHeaders),
      ...(status === 401 && { 'WWW-Authenticate': header(Type.String(), 'Bearer') }),
      ...(status === 405 && { Allow: header(Type.String(), 'The methods that the route takes.') })
    },
    content: { [problemType]: { schema: problemBody } }
  }
}

/** What can go wrong on every route that asks for a token. */
const guardCodes: ErrorCode[] = [
  'bad_request',
  'unauthenticated',
  'method_not_allowed',
  'request_timeout',
  'uri_too_long',
  'expectation_failed',
  'team_rate_limited',
  'headers_too_large',
  'internal_error'
]

/** What can go wrong where a call to HelpCrunch may be made. */
const callCodes: ErrorCode[] = [
  'upstream_unauthorized',
  'upstream_invalid_response',
  'upstream_error',
  'upstream_unreachable',
  'budget_exhausted',
  'upstream_rate_limited',
  'shutting_down',
  'upstream_timeout',
  'not_cached'
]

export function listSchema(maxLimit: number) {
  return {
    operationId: 'listChats',
    summary: 'A window of the chat list',
    description:
      'Same query and same JSON as HelpCrunch. An absent `sort` or `order` is a list of its own, in ' +
      "HelpCrunch's default order. Under `/v1`, `budget_exhausted` and `upstream_rate_limited` have status 429.",
    tags: ['chats'],
    querystring: Type.Object({
      sort: Type.Optional(oneOf(sorts, { description: 'What the list is sorted by.' })),
      order: Type.Optional(oneOf(orders, { description: 'In either case.' })),
      offset: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: largestOffset,
          default: 0,
          description: 'Chats to skip.'
        })
      ),
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: maxLimit,
          default: Math.min(defaultLimit, maxLimit),
          description: 'Chats to return.'
        })
      )
    }),
    response: {
      200: {
        description:
          'The window; empty past the end of the list. In brotli or gzip once that was made for an earlier answer.',
        headers: { ...commonHeaders, ...limitHeaders, ...listHeaders },
        content: { 'application/json': { schema: listBody } }
      },
      304: {
        description: 'What `If-None-Match` names is still current.',
        headers: { ...commonHeaders, ...limitHeaders, ...listHeaders }
      },
      ...problemResponses(
        ['invalid_query', 'upstream_rejected', ...guardCodes, ...callCodes],
        limitHeaders
      )
    }
  }
}
