/**
 * What Node's HTTP parser refuses on the operators' listener, in the envelope of all other errors:
 * there is no request to reply to, so the answer is written to the bare socket, which is closed.
 */

import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ServiceError } from '../errors.ts'
import { problemOf, problemType } from '../http/problem.ts'

/** Fastify's `clientErrorHandler`. */
export function onParserError(
  headers: Readonly<Record<string, string>>
): (error: { readonly code?: string }, socket: Duplex) => void {
  return ({ code }, socket) => {
    if (code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else socket.end(responseTo(refusalOf(code), headers))
  }
}

function responseTo(error: ServiceError, headers: Readonly<Record<string, string>>): string {
  const { status } = error.kind
  const body = JSON.stringify(problemOf(error, ''))
  const fields = {
    ...headers,
    'content-type': problemType,
    'content-length': Buffer.byteLength(body),
    connection: 'close'
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n')
}

function refusalOf(code: string | undefined): ServiceError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new ServiceError('headers_too_large', 'The request headers are too large.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ServiceError('request_timeout', 'The request did not arrive in time.')
    default:
      return new ServiceError('bad_request', 'The request is not valid HTTP.')
  }
}
