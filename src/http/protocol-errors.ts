/**
 * The errors that Node and Fastify would answer by themselves, below and beside the routes: what
 * the HTTP parser refuses, requests that never finish, `Expect` values nobody can meet, paths that
 * cannot be decoded. They get the same envelope, and the connection is closed where its state is
 * unknown.
 */

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, ServiceError } from '../errors.ts'
import type { Redactor } from '../observe/redact.ts'
import type { AccessLog } from './access-log.ts'
import type { CrossOrigin } from './cors.ts'
import { onParserError, rawResponse, refuseRaw } from './parser-errors.ts'
import { problemOf, problemType, sendProblem, toServiceError } from './problem.ts'

export interface ProtocolErrorsOptions {
  readonly log: AccessLog
  readonly redactor: Redactor
  readonly idOf: (request: IncomingMessage) => string
  /** What lets the page that asked read the answer. */
  readonly corsOf: CrossOrigin
}

/** Answers, and logs, what never becomes a request of the app. */
export class ProtocolErrors {
  readonly #options: ProtocolErrorsOptions

  constructor(options: ProtocolErrorsOptions) {
    this.#options = options
  }

  /** Fastify's `clientErrorHandler`: a bare socket, since there is no request to reply to. */
  readonly onClientError = onParserError((error, packet) =>
    this.#rawResponse(error, originIn(packet))
  )

  attach(server: Server): void {
    // CONNECT comes with a bare socket too; Node alone would hang up without a word.
    server.on('connect', (_, socket) => {
      const error = new ServiceError('bad_request', 'This service opens no tunnels.')
      refuseRaw(socket, () => this.#rawResponse(error))
    })
    // RFC 9110 section 10.1.1: `100-continue` is met, anything else is a 417.
    server.on('checkContinue', (request, response) => {
      sayContinue(response)
      server.emit('request', request, response)
    })
    server.on('checkExpectation', (request, response) => {
      const error = new ServiceError('expectation_failed', 'Only Expect: 100-continue can be met.')
      response.setHeader('Connection', 'close')
      this.refuse(request, response, error)
    })
  }

  /** Answers a request that the app never sees. */
  readonly refuse = (request: IncomingMessage, response: ServerResponse, error: ServiceError) => {
    const { idOf, redactor } = this.#options
    const url = redactor.cleanTarget(request.url ?? '')
    const { headers, body } = this.#response(error, url, idOf(request), request.headers.origin)
    response.writeHead(error.kind.status, headers).end(body)
  }

  #rawResponse(error: ServiceError, origin?: string): string {
    const { headers, body } = this.#response(error, '', randomUUID(), origin)
    return rawResponse(error.kind.status, headers, body)
  }

  #response(error: ServiceError, url: string, reqId: string, origin: string | undefined) {
    const { corsOf, log } = this.#options
    log.refused({ reqId, status: error.kind.status, error: error.code })
    const problem = problemOf(error, url)
    const body = JSON.stringify(problem)
    const headers = {
      ...corsOf(origin),
      'X-Request-Id': reqId,
      'Content-Type': problemType,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...(problem.retryAfter !== undefined && { 'Retry-After': problem.retryAfter })
    }
    return { headers, body }
  }
}

/**
 * At once, or when the answers to those ahead of it are sent, unless its own is there by then: Node
 * alone would put the 100 between the head and the body of that.
 */
function sayContinue(response: ServerResponse): void {
  const say = () => {
    if (!response.headersSent) response.writeContinue()
  }
  if (response.socket) say()
  else response.once('socket', say)
}

/** For a page to read why: its browser's `Origin`, if the parser had come to see it. */
function originIn(packet: unknown): string | undefined {
  if (!Buffer.isBuffer(packet)) return undefined
  return /^origin: *(\S+)\r$/im.exec(packet.toString('latin1'))?.[1]
}

const detailByRouterCode: Record<string, [ErrorCode, string]> = {
  FST_ERR_BAD_URL: ['bad_request', 'The percent-encoding of the URL is not valid UTF-8.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A part of the path is too long.']
}

/** Errors of the router itself, raised before any hook could run; none will, so it logs as well. */
export function routerErrorHandler(log: AccessLog, corsOf: CrossOrigin) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    const known = detailByRouterCode[error.code]
    const problem = known ? new ServiceError(...known) : toServiceError(error)
    request.outcome = { error: problem }
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff')
    reply.headers(corsOf(request.headers.origin))
    sendProblem(request, reply, problem)
    log.answered(request, reply)
  }
}
