/**
 * Turns whatever came back into a value or a `ServiceError`: the documented answers and both
 * documented error shapes, and everything an upstream is not supposed to send. Unknown fields
 * pass through untouched; only a complete 200 of the expected shape becomes a page.
 */

import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type ErrorEntry, type ErrorOptions, ServiceError } from '../errors.ts'
import { keep } from '../kept-bytes.ts'
import { absentPage, Page } from '../page.ts'
import type { Call } from '../ports.ts'
import { elementSpans, memberSpan, type Span, skipSpace } from './json-spans.ts'

/** An upstream response, whole: content decoded, header names in lower case. */
export interface Response {
  readonly status: number
  readonly contentType: string
  /** What `Retry-After` asked for, in milliseconds, if it made sense. */
  readonly retryAfterMs: number | undefined
  readonly body: Buffer
}

const openBrace = 0x7b
const openBracket = 0x5b
const quote = 0x22

/** Longest upstream error text that is passed on. */
const longestMessage = 500
const mostEntries = 20

/**
 * A list, a bare chat, or the word that there is no such chat.
 *
 * @throws {ServiceError} for anything else than a 200 of the shape that the call asks for, with at
 *   most `limit` items, or a 404 where there may be none
 */
export function decodePage(response: Response, { limit, list }: Call): Page {
  const isOfOneChat = list.of === 'chat' || list.of === 'messages'
  if (response.status === 404 && isOfOneChat) return absentPage
  if (response.status !== 200) throw errorOf(response)
  return list.of === 'chat' ? decodeChat(response) : decodeList(response, limit)
}

function decodeChat(response: Response): Page {
  const { span } = parseObject(response)
  if (!memberSpan(response.body, span.start, 'id'))
    throw invalid(response, 'HelpCrunch sent an object that is not a chat')
  const chat = response.body.subarray(span.start, span.end)
  const whole: Span = { start: 0, end: chat.length }
  return new Page({
    bytes: keep([chat]),
    spans: positions([whole]),
    idSpans: idSpansOf(chat, [whole]),
    ...{ open: 0, close: chat.length, total: 1 }
  })
}

function decodeList(response: Response, limit: number): Page {
  const { data, total } = parseList(response)
  const spans = elementSpans(response.body, data.start)
  if (spans.length > limit) {
    throw invalid(
      response,
      `HelpCrunch sent ${spans.length} items where at most ${limit} were asked for`
    )
  }
  if (spans.some(span => response.body[span.start] !== openBrace)) {
    throw invalid(response, 'HelpCrunch sent a list that holds something other than objects')
  }
  return new Page({
    bytes: keep([response.body]),
    spans: positions(spans),
    idSpans: idSpansOf(response.body, spans),
    open: data.start + 1,
    close: data.end - 1,
    total
  })
}

function positions(spans: readonly Span[]): Uint32Array {
  return Uint32Array.from(spans.flatMap(span => [span.start, span.end]))
}

/** Where the id of each item stands, and that of its customer. */
function idSpansOf(bytes: Buffer, items: readonly Span[]): Uint32Array {
  const found = items.flatMap(({ start }) => {
    const customer = memberSpan(bytes, start, 'customer')
    const isObject = customer !== undefined && bytes[customer.start] === openBrace
    const customers = isObject ? memberSpan(bytes, customer.start, 'id') : undefined
    return [
      unquoted(bytes, memberSpan(bytes, start, 'id'), start),
      unquoted(bytes, customers, start)
    ]
  })
  return positions(found)
}

/** A value's text, without quotes if it is a string; nothing, at `elsewhere`, if there is none. */
function unquoted(bytes: Buffer, value: Span | undefined, elsewhere: number): Span {
  if (!value) return { start: elsewhere, end: elsewhere }
  const { end, start } = value
  return bytes[start] === quote ? { start: start + 1, end: end - 1 } : value
}

interface ParsedList {
  readonly data: Span
  readonly total: number
}

/** Checks the envelope: an object whose `data` is an array, with a total in either documented place. */
function parseList(response: Response): ParsedList {
  const { parsed, span } = parseObject(response)
  const data = memberSpan(response.body, span.start, 'data')
  if (!data || response.body[data.start] !== openBracket) {
    throw invalid(response, 'HelpCrunch sent an object without a list')
  }
  const { meta, total: topLevel } = parsed as { meta?: { total?: unknown }; total?: unknown }
  const total = toCount(meta?.total) ?? toCount(topLevel)
  if (total === undefined) throw invalid(response, 'HelpCrunch sent a list without its total')
  return { data, total }
}

function parseObject(response: Response) {
  const parsed = parseJson(response)
  const start = skipSpace(response.body, 0)
  if (typeof parsed !== 'object' || response.body[start] !== openBrace) {
    throw invalid(response, 'HelpCrunch sent JSON that is not an object')
  }
  // It was accepted as JSON, so only white space can lie behind its last brace.
  const span: Span = { start, end: response.body.lastIndexOf('}') + 1 }
  return { parsed, span }
}

function parseJson(response: Response): unknown {
  try {
    if (!isUtf8(response.body)) throw new Error('not UTF-8')
    return JSON.parse(response.body.toString())
  } catch (cause) {
    throw invalid(response, 'HelpCrunch sent something that is not JSON', { cause })
  }
}

/** A count as a number or, since the upstream is loose with its numbers, as a string of digits. */
function toCount(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return Number.isSafeInteger(count) && (count as number) >= 0 ? (count as number) : undefined
}

/** The error that a response with any status but 200 stands for. */
function errorOf(response: Response): ServiceError {
  const { retryAfterMs, status } = response
  const seen: ErrorOptions = { contact: 'answered', upstreamStatus: status }
  // RFC 9110 section 10.2.3; where nothing is to be tried again it would mean nothing.
  const later: ErrorOptions = { ...seen, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  switch (status) {
    case 400:
      return new ServiceError('upstream_rejected', 'HelpCrunch rejected the request as invalid.', {
        ...seen,
        entries: errorEntries(response.body)
      })
    case 401:
    case 403:
      return new ServiceError(
        'upstream_unauthorized',
        'HelpCrunch refused the API key of this service. Its operators have to mend that; your token is fine.',
        seen
      )
    case 429:
      return new ServiceError(
        'upstream_rate_limited',
        'HelpCrunch answered that there were too many requests.',
        later
      )
  }
  if (status >= 400 && status <= 599) {
    const evidence = evidenceOf(response)
    return new ServiceError('upstream_error', `HelpCrunch answered with status ${status}.`, {
      ...later,
      evidence
    })
  }
  return invalid(response, `HelpCrunch answered with the unexpected status ${status}`)
}

/**
 * The entries of a documented error body, the specific ones before the generic
 * `invalid_request` that the newer shape puts first. Anything else yields none.
 */
export function errorEntries(body: Buffer): ErrorEntry[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    return []
  }
  const errors = (parsed as { errors?: unknown } | null)?.errors
  if (!Array.isArray(errors)) return []
  const entries = errors.flatMap(toEntry).slice(0, mostEntries)
  const generic = (entry: ErrorEntry) => entry.code === 'invalid_request'
  return [...entries.filter(entry => !generic(entry)), ...entries.filter(generic)]
}

function toEntry(entry: unknown): ErrorEntry[] {
  const { code, message } = (entry ?? {}) as { code?: unknown; message?: unknown }
  if (typeof code !== 'string' || typeof message !== 'string') return []
  const cut = (text: string) => text.slice(0, longestMessage).toWellFormed()
  return [{ code: cut(code), message: cut(message) }]
}

function invalid(response: Response, detail: string, options: ErrorOptions = {}): ServiceError {
  return new ServiceError('upstream_invalid_response', `${detail}.`, {
    contact: 'answered',
    upstreamStatus: response.status,
    evidence: evidenceOf(response),
    ...options
  })
}

/** What operators need to recognise a bad response, without a byte that the upstream chose. */
function evidenceOf({ status, contentType, body }: Response) {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const sha256 = createHash('sha256').update(body).digest('hex').slice(0, 16)
  return { status, type: knownTypes.has(type) ? type : 'other', bytes: body.length, sha256 }
}

const knownTypes = new Set(['', 'application/json', 'application/xml', 'text/html', 'text/plain'])
