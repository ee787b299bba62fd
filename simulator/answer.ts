/**
 * An answer as a value, before it is sent, and the two ways of sending it: by Node, correctly, or
 * as raw bytes that a fault may then cut, stall or drip.
 */

import { type ServerResponse, STATUS_CODES } from 'node:http'

/** Names in lower case. */
export type Headers = Readonly<Record<string, string | string[]>>

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export function json(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(body) }
}

export function send(answer: Answer, response: ServerResponse): void {
  response.writeHead(answer.status, { ...lengthOf(answer), ...answer.headers })
  response.end(answer.body)
}

/** The bytes of the head; the body is framed by content-length unless told otherwise. */
export function headOf(answer: Answer, framing: Headers = lengthOf(answer)): Buffer {
  const headers = { connection: 'close', ...framing, ...answer.headers }
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map(value => `${name}: ${value}\r\n`)
  )
  const { status } = answer
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`)
}

/** A 204 and a 304 may not have one (RFC 9110 §8.6 and §15.4.5). */
function lengthOf({ status, body }: Answer): Headers {
  return status === 204 || status === 304 ? {} : { 'content-length': String(body.length) }
}
