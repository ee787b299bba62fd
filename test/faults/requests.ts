/** Requests as bytes, for what `fetch` would not send. */

import { signingKey } from '../support/canaries.ts'
import { tokens } from '../support/stack.ts'
import { sign as signWith } from '../support/webhooks.ts'
import type { Sent } from './runner.ts'

export const known = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\n`

const once = 'Connection: close\r\n'

/** A complete request of team blue, the last on its connection; each header ends in CRLF. */
export function requestOf(method: string, target: string, headers = '', body = ''): Sent {
  const bytes = Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${known}${once}${headers}\r\n`, 'latin1'),
    Buffer.from(body, 'latin1')
  ])
  return { name: `${method} ${target} ${headers}`.trim(), bytes, manner: { method } }
}

export const get = (target: string, headers = '') => requestOf('GET', target, headers)

/** Without a token, unless the headers bring one. */
export function strangerOf(target: string, headers: string): Sent {
  const bytes = `GET ${target} HTTP/1.1\r\nHost: x\r\n${once}${headers}\r\n`
  return { name: `${target} ${headers}`.trim(), bytes: Buffer.from(bytes, 'latin1') }
}

export const sign = (body: string | Buffer, key = signingKey) => signWith(body, key)

export interface Posted {
  readonly name: string
  readonly body: Buffer
  readonly type?: string
  readonly headers?: string
}

const field = (name: string, value: string | undefined) => (value ? `${name}: ${value}\r\n` : '')

/** A body to any route, with its length. */
export function post(target: string, { name, body, type, headers = '' }: Posted): Sent {
  const about = field('Content-Type', type) + field('Content-Length', `${body.length}`) + headers
  const head = `POST ${target} HTTP/1.1\r\n${known}${once}${about}\r\n`
  return { name, bytes: Buffer.concat([Buffer.from(head, 'latin1'), body]) }
}

/** An event as HelpCrunch would send it, rightly signed unless the headers are given. */
export function event(
  name: string,
  body: string | Buffer,
  headers: string = `X-HelpCrunch-Signature: ${sign(body)}\r\n`
): Sent {
  const bytes = Buffer.from(body as string)
  const about = `Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\n${headers}`
  const head = `POST /webhooks/helpcrunch HTTP/1.1\r\nHost: x\r\n${once}${about}\r\n`
  return { name, bytes: Buffer.concat([Buffer.from(head, 'latin1'), bytes]) }
}
