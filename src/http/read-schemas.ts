/** The reads described: see schemas.ts for what these descriptions are and are not. */

import { Type } from '@sinclair/typebox'
import { defaultLimit, largestOffset, orders, sorts } from '../chats/query.ts'
import { codings } from '../chats/rendering.ts'
import type { ErrorCode } from '../errors.ts'
import {
  callCodes,
  commonHeaders,
  guardCodes,
  header,
  limitHeaders,
  oneOf,
  problemResponses,
  statusNote
} from './schemas.ts'

export const chatBody = Type.Object(
  { id: Type.Integer({ description: 'May exceed 2^53: parse with care.' }) },
  {
    title: 'Chat',
    additionalProperties: true,
    description:
      'A chat, byte for byte the JSON value that HelpCrunch sent. Its documented members come in ' +
      'several forms (times as integers, strings or null); new ones may appear at any time.'
  }
)

const messageBody = Type.Object(
  { id: Type.Integer() },
  {
    title: 'Message',
    additionalProperties: true,
    description: 'A message, byte for byte the JSON value that HelpCrunch sent.'
  }
)

const count = (description: string) => Type.Integer({ minimum: 0, description })

const dataOf = (item: typeof chatBody) =>
  Type.Array(item, { description: 'Never fewer than asked for while there are more.' })

const open = { additionalProperties: true }

const listBody = Type.Object(
  {
    data: dataOf(chatBody),
    meta: Type.Object({ total: count('Chats in the whole list.') }, open)
  },
  open
)

const messagesBody = Type.Object(
  { data: dataOf(messageBody), total: count('Messages of the chat.') },
  open
)

const searchBody = Type.Object(
  { data: dataOf(chatBody) },
  { ...open, description: 'The total is where HelpCrunch put it: `meta.total` or `total`.' }
)

const freshnessHeaders = {
  'Cache-Status': header(
    Type.String(),
    'What the cache did (RFC 9211), e.g. helpcrunch-proxy; hit; ttl=12.'
  ),
  Age: header(
    Type.Integer({ minimum: 0 }),
    'Seconds since the oldest part of the answer was asked for.'
  ),
  'Cache-Control': header(
    Type.String(),
    'private, max-age=<freshness lifetime>; max-age - Age remains.'
  ),
  ETag: header(Type.String(), 'Strong validator of these bytes in this coding.'),
  Vary: header(Type.String(), 'Accept-Encoding, and Origin with CORS.'),
  'Server-Timing': header(Type.String(), 'queue and upstream in ms, when a call was made.')
}

const codingHeader = {
  'Content-Encoding': header(
    oneOf(codings, {}),
    'If the body is coded, which only those see who accept it.'
  )
}

const listHeaders = {
  ...freshnessHeaders,
  Link: header(Type.String(), 'first, prev, next, last (RFC 8288); no next on the last page.'),
  'X-Total-Count': header(Type.Integer({ minimum: 0 }), 'Items in the whole list.')
}

const windowParameters = (maxLimit: number) => ({
  offset: Type.Optional(
    Type.Integer({ minimum: 0, maximum: largestOffset, default: 0, description: 'Items to skip.' })
  ),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: maxLimit,
      default: Math.min(defaultLimit, maxLimit),
      description: 'Items to return.'
    })
  )
})

const requestHeaders = (conditional: object) =>
  Type.Object({
    ...conditional,
    'Cache-Control': Type.Optional(
      Type.String({
        description: 'no-cache, max-age, min-fresh, max-stale, only-if-cached (RFC 9111).'
      })
    ),
    Prefer: Type.Optional(
      Type.String({ description: 'wait=<seconds>: the longest to wait for a call (RFC 7240).' })
    )
  })

const readHeaders = requestHeaders({
  'If-None-Match': Type.Optional(Type.String({ description: 'An ETag that was answered before.' }))
})

const idParameter = Type.Object({
  id: Type.String({
    pattern: '^\\d{1,30}$',
    description: 'Of the chat: digits.',
    examples: ['100005']
  })
})

export function listSchema(maxLimit: number) {
  return {
    operationId: 'listChats',
    summary: 'A window of the chat list',
    description: `Same query and same JSON as HelpCrunch. An absent \`sort\` or \`order\` is a list of its own, in HelpCrunch's default order. ${statusNote}`,
    tags: ['chats'],
    querystring: Type.Object({
      sort: Type.Optional(oneOf(sorts, { description: 'What the list is sorted by.' })),
      order: Type.Optional(oneOf(orders, { description: 'In either case.' })),
      ...windowParameters(maxLimit)
    }),
    headers: readHeaders,
    response: responses(listBody, listHeaders, ['invalid_query'])
  }
}

export const chatSchema = {
  operationId: 'getChat',
  summary: 'One chat',
  description: `The bare chat, as from HelpCrunch. ${statusNote}`,
  tags: ['chats'],
  params: idParameter,
  headers: readHeaders,
  response: responses(chatBody, freshnessHeaders, ['invalid_query', 'not_found', 'chat_not_found'])
}

export function messagesSchema(maxLimit: number) {
  return {
    operationId: 'listMessages',
    summary: 'A window of the messages of one chat',
    description: `Newest first; the total is at the top level, as from HelpCrunch. ${statusNote}`,
    tags: ['chats'],
    params: idParameter,
    querystring: Type.Object(windowParameters(maxLimit)),
    headers: readHeaders,
    response: responses(messagesBody, listHeaders, ['invalid_query', 'not_found', 'chat_not_found'])
  }
}

export function searchSchema(maxLimit: number) {
  const { Link: _, ...headers } = listHeaders
  const { 304: __, ...answers } = responses(searchBody, headers, searchCodes)
  return {
    operationId: 'searchChats',
    summary: 'Chats that match',
    description: `A read behind POST. Only shape and size are judged here; fields and operators are HelpCrunch's to judge. JSON is taken whatever the Content-Type. ${statusNote}`,
    tags: ['chats'],
    body: Type.Object(
      {
        comparison: Type.Optional(Type.String({ description: 'AND or OR.' })),
        filter: Type.Optional(
          Type.Array(Type.Object({}, open), { description: 'Of field, operator and value each.' })
        ),
        sort: Type.Optional(Type.String()),
        order: Type.Optional(Type.String({ description: 'In either case.' })),
        ...windowParameters(maxLimit)
      },
      open
    ),
    headers: requestHeaders({}),
    response: answers
  }
}

const searchCodes: ErrorCode[] = [
  'invalid_query',
  'invalid_body',
  'body_too_large',
  'unsupported_media_type'
]

function responses(body: object, headers: object, codes: readonly ErrorCode[]) {
  const sent = { ...commonHeaders, ...limitHeaders, ...headers }
  return {
    200: {
      description:
        'Empty past the end of a list. In brotli or gzip once that was made for an earlier answer.',
      headers: { ...sent, ...codingHeader },
      content: { 'application/json': { schema: body } }
    },
    304: {
      // No content, in the words of @fastify/swagger.
      type: 'null',
      description: 'What `If-None-Match` names is still current.',
      headers: sent
    },
    ...problemResponses(['upstream_rejected', ...codes, ...guardCodes, ...callCodes], limitHeaders)
  }
}
