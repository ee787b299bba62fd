/**
 * `POST /webhooks/helpcrunch`: signed events make stored pages stale, and nothing else. The
 * signature is checked over the raw bytes before anything is read from them; an event that was
 * seen before has no second effect; unknown ones are fine. Answered at once.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type ErrorCode, ServiceError } from '../errors.ts'
import { countHeader } from './request-checks.ts'
import { commonHeaders, openCodes, problemResponses } from './schemas.ts'

export interface WebhookOptions {
  readonly signingKey: string
  readonly onEvent: (event: string, eventData: unknown) => void
}

const longestBody = 256 * 1024
const rememberedIds = 10_000

/** One plugin for all prefixes, so that an event has one effect wherever it is sent again. */
export function createWebhookRoutes({ onEvent, signingKey }: WebhookOptions) {
  const seen = new Set<string>()
  return async (app: FastifyInstance): Promise<void> => {
    // Whatever the type says: the bytes are what is signed.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
    const route = { config: { open: true }, bodyLimit: longestBody, schema }
    app.post('/webhooks/helpcrunch', route, async request => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
      if (!isSigned(body, signatureOf(request), signingKey)) throw unsigned()
      const { event, eventData, id } = envelopeOf(body)
      if (isNew(seen, id)) onEvent(event, eventData)
      return { status: 'ok' }
    })
  }
}

/** Remembers the latest ids; an event without one is always new. */
function isNew(seen: Set<string>, id: string): boolean {
  if (seen.has(id)) return false
  if (id !== '') seen.add(id)
  const [oldest] = seen
  if (seen.size > rememberedIds && oldest !== undefined) seen.delete(oldest)
  return true
}

/** Empty unless there is exactly one. */
function signatureOf({ headers, raw }: FastifyRequest): string {
  const name = 'x-helpcrunch-signature'
  return countHeader(raw.rawHeaders, name) === 1 ? String(headers[name]) : ''
}

/** HMAC-SHA1 of the raw body, 40 hex characters, compared in constant time. */
function isSigned(body: Buffer, signature: string, key: string): boolean {
  if (!/^[0-9a-f]{40}$/.test(signature)) return false
  const wanted = createHmac('sha1', key).update(body).digest()
  return timingSafeEqual(Buffer.from(signature, 'hex'), wanted)
}

function unsigned(): ServiceError {
  return new ServiceError(
    'unauthenticated',
    'Sign the body: X-HelpCrunch-Signature, HMAC-SHA1 in hex.'
  )
}

function envelopeOf(body: Buffer): { event: string; eventData: unknown; id: string } {
  const envelope = parse(body)
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 200) : '')
  return { event: text(envelope.event), eventData: envelope.eventData, id: text(envelope.id) }
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (isObject) return value as Record<string, unknown>
  } catch {}
  throw new ServiceError('invalid_body', 'The body is signed, but it is not a JSON object.')
}

const problems: readonly ErrorCode[] = [
  ...openCodes,
  'invalid_body',
  'unauthenticated',
  'body_too_large',
  'overloaded'
]

const schema = {
  operationId: 'receiveEvent',
  summary: 'An event of HelpCrunch',
  description:
    'Signed by `X-HelpCrunch-Signature`, the HMAC-SHA1 of the raw body in hex. Makes the pages stale whose ' +
    'order or content the event can change. On if `WEBHOOK_SIGNING_KEY` is set.',
  tags: ['webhooks'],
  security: [],
  headers: Type.Object({
    'X-HelpCrunch-Signature': Type.String({
      pattern: '^[0-9a-f]{40}$',
      description: 'HMAC-SHA1 in hex.'
    })
  }),
  body: Type.Object(
    {
      event: Type.Optional(Type.String()),
      eventData: Type.Optional(
        Type.Unknown({ description: 'An object, or its JSON as a string.' })
      ),
      id: Type.Optional(Type.String({ description: 'An event seen before has no second effect.' }))
    },
    { additionalProperties: true, description: 'As HelpCrunch sends it.' }
  ),
  response: {
    200: {
      description: 'Taken, also if it was unknown or seen before.',
      headers: commonHeaders,
      content: { 'application/json': { schema: Type.Object({ status: Type.String() }) } }
    },
    ...problemResponses(problems)
  }
}
