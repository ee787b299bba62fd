/**
 * What Node's HTTP parser refuses: there is no request to reply to, so the answer is written to the
 * bare socket, in its turn, and that is closed. Both listeners have this in common.
 */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ServiceError } from '../errors.ts'

interface ParserError extends Error {
  readonly code?: string | undefined
  readonly rawPacket?: unknown
}

/**
 * Fastify's `clientErrorHandler`.
 * @param answer made only if it is sent
 */
export function onParserError(answer: (error: ServiceError, packet: unknown) => string) {
  return (error: ParserError, socket: Duplex): void => {
    if (error.code === 'ECONNRESET') socket.destroy()
    else refuseRaw(socket, () => answer(errorOfParser(error), error.rawPacket))
  }
}

export function rawResponse(
  status: number,
  headers: Readonly<Record<string, string | number>>,
  body: string
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const start = `HTTP/1.1 ${status} ${STATUS_CODES[status]}`
  return [start, ...lines, 'Connection: close', '', body].join('\r\n')
}

/** Node's own marks on a socket: the response that has its turn, the request that is being read. */
type HttpSocket = Duplex & {
  readonly _httpMessage?: ServerResponse | null
  readonly parser?: { readonly incoming?: IncomingMessage | null } | null
}

/** Refusals that wait for their turn; the parser reports every further chunk as an error again. */
const waiting = new WeakSet<Duplex>()

/** @param answer made only if it is sent */
export function refuseRaw(socket: Duplex, answer: () => string): void {
  const { _httpMessage: pending, parser } = socket as HttpSocket
  const answered = pending ? pending.headersSent : parser?.incoming?.complete === false
  if (pending?.req.complete) {
    // The request before it was whole and is answered first, or it would take this for its answer.
    if (waiting.has(socket)) return
    waiting.add(socket)
    pending.once('close', () => {
      waiting.delete(socket)
      refuseRaw(socket, answer)
    })
  } else if (!socket.writable || answered) {
    // Its answer has begun, or is over while its body still comes: a second one would be a lie.
    socket.destroy()
  } else {
    socket.end(answer())
  }
}

function errorOfParser(error: ParserError): ServiceError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return startsWithLongLine(error.rawPacket)
        ? new ServiceError('uri_too_long', 'The URL is too long.')
        : new ServiceError('headers_too_large', 'The request headers are too large.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ServiceError('request_timeout', 'The request did not arrive in time.')
    default:
      return new ServiceError('bad_request', 'The request is not valid HTTP.')
  }
}

/** True if the packet is a request line that outgrew the parser's limit, rather than headers. */
function startsWithLongLine(packet: unknown): boolean {
  if (!Buffer.isBuffer(packet) || !/^[A-Z]+ /.test(packet.toString('latin1', 0, 10))) return false
  const end = packet.indexOf('\n')
  return end < 0 || end > 8000
}
