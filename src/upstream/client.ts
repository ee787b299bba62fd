/**
 * Makes one attempt at the upstream: pinned origin, our key and nothing of the caller's, no
 * redirects, one time limit over everything, one size limit on the decoded bytes. Turns whatever
 * happens into a page or a `ServiceError` that says how far the attempt got. Never retries: that
 * is the schedule's business. Only this folder knows undici.
 */

import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { errors, Pool } from 'undici'
import type { Clock, Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { Load } from '../load.ts'
import type { Page } from '../page.ts'
import type { Call } from '../ports.ts'
import { decodePage, type Response } from './decode.ts'
import {
  Exchange,
  type RawResponse,
  TimeoutError,
  TooLargeError,
  UnaskedError
} from './exchange.ts'
import { Line, type LineOptions } from './line.ts'
import { parseRetryAfter } from './retry-after.ts'
import { Turns } from './turns.ts'

export interface UpstreamOptions {
  readonly clock: Clock
  readonly load: Pick<Load, 'afterInput'>
  readonly baseUrl: URL
  readonly apiKey: string
  readonly timeoutMs: number
  /** Calls in flight at once. */
  readonly concurrency: number
  /** Bound on the decoded bytes of a response. */
  readonly maxBodyBytes: number
}

export interface Upstream {
  attempt(call: Call): Promise<Page>
  /** Ends all connections; calls in flight fail. */
  close(): Promise<void>
}

export function createUpstream(options: UpstreamOptions): Upstream {
  const pool = new Pool(options.baseUrl.origin, {
    factory: (origin, settings) => new Line(origin, settings as LineOptions),
    connections: options.concurrency,
    allowH2: false,
    // One limit covers an attempt from send to last byte; undici's own would only blur it.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: options.timeoutMs }
  })
  const site = { pool, turns: new Turns(options.load) }
  return {
    attempt: call => attempt(site, options, call),
    close: () => pool.destroy()
  }
}

interface Site {
  readonly pool: Pool
  readonly turns: Turns
}

async function attempt({ pool, turns }: Site, options: UpstreamOptions, call: Call): Promise<Page> {
  const giveUpAt = options.clock.now() + options.timeoutMs
  const exchange = new Exchange({
    maxBytes: options.maxBodyBytes,
    isTooLate: () => options.clock.now() > giveUpAt
  })
  const timer = patientTimer(options.clock, options.timeoutMs, () => {
    exchange.abort(new TimeoutError())
  })
  try {
    pool.dispatch(requestOf(options, call), exchange)
    const response = await decodeContent(await exchange.response, options)
    await turns.next()
    return decodePage(response, call)
  } catch (error) {
    throw error instanceof ServiceError ? error : failureOf(error as Error, exchange, options)
  } finally {
    timer.cancel()
  }
}

/** One turn of the event loop late: after a stall, a reply that lies buffered is read first. */
function patientTimer(clock: Clock, delayMs: number, run: () => void): Timer {
  let timer = clock.after(delayMs, () => {
    timer = clock.after(1, run)
  })
  return { cancel: () => timer.cancel() }
}

function requestOf({ baseUrl, apiKey }: UpstreamOptions, { body, target }: Call) {
  return {
    method: body === undefined ? ('GET' as const) : ('POST' as const),
    path: baseUrl.pathname.replace(/\/$/, '') + target,
    body: body ?? null,
    headers: {
      authorization: `Bearer ${apiKey}`,
      accept: 'application/json',
      'accept-encoding': 'gzip, br',
      'user-agent': 'helpcrunch-proxy',
      ...(body !== undefined && { 'content-type': 'application/json' })
    }
  }
}

const decoders = {
  gzip: promisify(zlib.gunzip),
  'x-gzip': promisify(zlib.gunzip),
  br: promisify(zlib.brotliDecompress),
  deflate: promisify(zlib.inflate)
}

async function decodeContent(raw: RawResponse, options: UpstreamOptions): Promise<Response> {
  const encoding = header(raw, 'content-encoding').trim().toLowerCase() || 'identity'
  return {
    status: raw.status,
    contentType: header(raw, 'content-type'),
    retryAfterMs: parseRetryAfter(header(raw, 'retry-after'), options.clock.wall()),
    body: encoding === 'identity' ? raw.body : await decodeBody(raw, encoding, options.maxBodyBytes)
  }
}

/** All values of a header in one (RFC 9110 section 5.3): undici makes a list of repeated ones. */
function header({ headers }: RawResponse, name: string): string {
  return [headers[name] ?? []].flat().join(', ')
}

async function decodeBody(
  { body, status }: RawResponse,
  encoding: string,
  maxBytes: number
): Promise<Buffer> {
  try {
    if (!Object.hasOwn(decoders, encoding)) throw new Error('unknown content encoding')
    return await decoders[encoding as keyof typeof decoders](body, { maxOutputLength: maxBytes })
  } catch (cause) {
    // An error is an error in whatever encoding; only its words are lost.
    if (status !== 200) return Buffer.alloc(0)
    const detail = 'HelpCrunch sent a body that cannot be decoded within the size limit.'
    throw new ServiceError('upstream_invalid_response', detail, {
      contact: 'answered',
      upstreamStatus: status,
      evidence: {
        encoding: Object.hasOwn(decoders, encoding) ? encoding : 'other',
        bytes: body.length
      },
      cause
    })
  }
}

/** Names a failure of the exchange itself. Codes are Node's and undici's. */
function failureOf(cause: Error, { contact }: Exchange, options: UpstreamOptions): ServiceError {
  const code = String((cause as NodeJS.ErrnoException).code ?? '')
  if (cause instanceof TimeoutError || code === 'UND_ERR_CONNECT_TIMEOUT') {
    const detail = `HelpCrunch did not answer within ${options.timeoutMs / 1000} seconds.`
    return new ServiceError('upstream_timeout', detail, { contact, cause })
  }
  if (cause instanceof TooLargeError) {
    const detail = `HelpCrunch sent more than ${options.maxBodyBytes} bytes.`
    return new ServiceError('upstream_invalid_response', detail, { contact, cause })
  }
  if (isUnasked(cause)) {
    const detail = 'HelpCrunch sent something that is no answer to the call.'
    return new ServiceError('upstream_invalid_response', detail, { contact, cause })
  }
  if (contact === 'answered' || isGarbled(cause)) {
    const detail = 'HelpCrunch broke off its response or sent one that is not HTTP.'
    return new ServiceError('upstream_invalid_response', detail, { contact: 'answered', cause })
  }
  const detail = `HelpCrunch could not be reached: ${wordsFor(code, contact)}.`
  return new ServiceError('upstream_unreachable', detail, { contact, cause })
}

/** A 100 or an upgrade, which undici refuses itself and names only in words, or else our finding. */
function isUnasked(cause: Error): boolean {
  const refused =
    cause instanceof errors.SocketError && /^bad (response|upgrade)$/.test(cause.message)
  return refused || cause instanceof UnaskedError
}

/** Bytes came, so it was answered. Known by class: undici leaves the codes of its parser empty. */
function isGarbled(cause: Error): boolean {
  const { HTTPParserError, HeadersOverflowError, ResponseContentLengthMismatchError } = errors
  return [HTTPParserError, HeadersOverflowError, ResponseContentLengthMismatchError].some(
    kind => cause instanceof kind
  )
}

const words: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'its host name was not found',
  EAI_AGAIN: 'its host name could not be looked up',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'there is no route to its host',
  ENETUNREACH: 'there is no network'
}

function wordsFor(code: string, contact: string): string {
  if (words[code]) return words[code]
  if (contact === 'unanswered') return 'the connection broke before a response began'
  if (/CERT|TLS|SSL|SIGNATURE|SELF_SIGNED|EPROTO/.test(code)) return `TLS failed (${code})`
  return 'the connection failed'
}
