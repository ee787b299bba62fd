/**
 * The head of an answer, of which most is the same each time and stands ready as text. What differs
 * from one answer to the next is written in between; date and connection are Node's, as always.
 */

import type { ServerResponse } from 'node:http'
import type { CacheStatus } from '../cache-status.ts'
import type { ListAnswer } from '../chats/chats.ts'
import { agingHeaders } from './representation.ts'

/** What the ordinary way sent, without what it would send otherwise the next time. */
export interface PreparedHead {
  readonly status: number
  /** Status line and headers. */
  readonly text: string
  steady: Steady
}

/** The head as it is for a second, and the seconds that it tells. */
interface Steady {
  readonly text: string
  readonly age: number
  readonly lifetime: number
  readonly ttl: number
}

const unsaid: Steady = { text: '', age: Number.NaN, lifetime: Number.NaN, ttl: Number.NaN }

const differing = new Set([
  'x-request-id',
  'ratelimit',
  'cache-status',
  'age',
  'cache-control',
  'content-length'
])

/** Said of one answer only, or once and never again. */
const unrepeatable = ['connection', 'retry-after', 'server-timing', 'set-cookie']

/** Undefined if it cannot be said again. */
export function headOf(
  status: number,
  headers: Readonly<Record<string, unknown>>
): PreparedHead | undefined {
  if (unrepeatable.some(name => headers[name] !== undefined)) return undefined
  const lines = Object.entries(headers)
    .filter(([name]) => !differing.has(name))
    .map(([name, value]) => `${name}: ${value}\r\n`)
  const start = status === 304 ? 'HTTP/1.1 304 Not Modified\r\n' : 'HTTP/1.1 200 OK\r\n'
  return { status, text: start + lines.join(''), steady: unsaid }
}

interface Differing {
  readonly answer: ListAnswer
  readonly reqId: string
  readonly rateLimit: string | undefined
  /** Bytes of the body; undefined if there is none. */
  readonly length: number | undefined
}

/**
 * Node's own assembly of a head, which checks header by header what we have made ourselves, takes
 * its first line as it is: the prepared ones stand there. That saves a tenth of a hit. Node adds
 * what it knows better: date, and whether the connection stays.
 */
interface NodeResponse {
  _hasBody: boolean
  _storeHeader(firstLine: string, headers: readonly (string | number)[]): void
}

export function writeHead(response: ServerResponse, head: PreparedHead, about: Differing): void {
  const { answer, length, rateLimit, reqId } = about
  const limited = rateLimit === undefined ? '' : `ratelimit: ${rateLimit}\r\n`
  const text = `${steadyOf(head, answer)}${limited}x-request-id: ${reqId}\r\n`
  const node = response as unknown as NodeResponse
  response.statusCode = head.status
  if (length === undefined) node._hasBody = false
  node._storeHeader(text, length === undefined ? [] : ['content-length', length])
}

function steadyOf(head: PreparedHead, answer: ListAnswer): string {
  const { ageMs, lifetimeMs, status } = answer
  const age = Math.floor(ageMs / 1000)
  const lifetime = Math.floor(lifetimeMs / 1000)
  const ttl = plainTtl(status)
  const last = head.steady
  if (last.age === age && last.lifetime === lifetime && last.ttl === ttl) return last.text
  const lines = Object.entries(agingHeaders(answer)).map(([name, value]) => `${name}: ${value}\r\n`)
  head.steady = { age, lifetime, ttl, text: head.text + lines.join('') }
  return head.steady.text
}

/** Of a status that says more than its seconds none is like another. */
function plainTtl(status: CacheStatus): number {
  const isPlain = status.kind === 'hit' && status.detail === undefined
  return isPlain ? Math.floor(status.ttlMs / 1000) : Number.NaN
}
