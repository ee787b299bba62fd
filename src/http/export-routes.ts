/**
 * `GET /chats/export`: every chat as one long body. What is wrong before the first chat is there is
 * an ordinary problem; after that there is but one way to say it: the connection is broken off, and
 * the body never ends cleanly unless it is complete. `HEAD` tells the plan and reads one window.
 */

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Export, Exports, Plan } from '../chats/export/exports.ts'
import { formats } from '../chats/export/formats.ts'
import { type ExportQuery, parseExportQuery } from '../chats/export/query.ts'
import type { AccessLog } from './access-log.ts'
import { exportSchema } from './export-schema.ts'
import { type NeedOptions, needOf } from './need.ts'
import { toServiceError } from './problem.ts'

export interface ExportRoutesOptions extends NeedOptions {
  readonly exports: Exports
  readonly log: AccessLog
}

export function exportRoutes(app: FastifyInstance, options: ExportRoutesOptions): void {
  const { exports, log } = options
  app.get('/chats/export', { schema: exportSchema }, async (request, reply) => {
    const [, search = ''] = /\?(.*)$/s.exec(request.raw.url ?? '') ?? []
    const query = parseExportQuery(search)
    const one = await exports.open(request.id, query, needOf(request, options))
    describe(reply, query, one.plan)
    if (request.method === 'HEAD') {
      one.close(new Error('Only the plan was asked for.'))
      return reply.send(Readable.from([]))
    }
    const body = Readable.from(bodyOf(one, query), { objectMode: false })
    watch({ request, reply, body, one, log })
    return reply.send(body)
  })
}

function describe(reply: FastifyReply, query: ExportQuery, plan: Plan): void {
  reply
    .type(formats[query.format].mediaType)
    .header('content-disposition', `attachment; filename="chats.${query.format}"`)
    .header('cache-control', 'no-store')
    .header('x-total-count', plan.total)
    .header('x-export-calls', plan.calls)
    .header('x-export-estimate', Math.ceil(plan.estimateMs / 1000))
}

/** Small, so that a slow reader is seen to take them. */
const pieceBytes = 32 * 1024

/** A window is read and rendered when the one before was taken. */
async function* bodyOf(one: Export, { format: name, hasEnd, offset }: ExportQuery) {
  const format = formats[name]
  yield format.start(offset > 0)
  let isFirst = true
  for (let chats = await one.next(); chats; chats = await one.next()) {
    yield* piecesOf(format.chats(chats, isFirst))
    isFirst = false
  }
  yield format.end(hasEnd ? one.summary : undefined)
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

interface Watched {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly body: Readable
  readonly one: Export
  readonly log: AccessLog
}

/** What becomes of the body is said in the log, because no status can say it any more. */
function watch({ request, reply, body, one, log }: Watched): void {
  body.once('error', cause => {
    const error = toServiceError(cause)
    note(request, { cut: 'broken', error })
    if (error.code === 'internal_error') log.failed(request, cause)
    // Without chunks, only a reset tells the end from a break (RFC 9112 section 8).
    if (request.raw.httpVersion === '1.0') request.raw.socket.resetAndDestroy()
  })
  reply.raw.once('close', () => {
    one.close(new Error('The reader is done.'))
    if (reply.raw.writableFinished) return
    if (!request.outcome?.cut) note(request, { cut: 'left' })
    log.answered(request, reply)
  })
}

function note(request: FastifyRequest, outcome: NonNullable<FastifyRequest['outcome']>): void {
  request.outcome = { ...request.outcome, ...outcome }
}
