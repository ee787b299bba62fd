/**
 * Finds where the values of a JSON text begin and end, so that chats can be cut out and passed on
 * as the bytes the upstream sent. Works on UTF-8 bytes that `JSON.parse` has already accepted, so
 * it only has to follow the structure (RFC 8259), never to judge it. Iterative: depth costs nothing.
 */

export interface Span {
  readonly start: number
  readonly end: number
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/**
 * The value of a member of the object whose `{` is at `at`; of several of that name the last one's,
 * as in `JSON.parse`. Names are compared where they stand: to read each of the thousands in a page
 * took as long as all else that is done with it.
 *
 * @param name ASCII without a quote or backslash
 */
export function memberSpan(bytes: Buffer, at: number, name: string): Span | undefined {
  let found: Span | undefined
  let next = skipSpace(bytes, at + 1)
  while (bytes[next] !== closeBrace) {
    const nameEnd = endOfValue(bytes, next)
    const value = spanAfter(bytes, skipSpace(bytes, nameEnd), colon)
    if (spells(bytes, { start: next, end: nameEnd }, name)) found = value
    next = skipSeparator(bytes, value.end)
  }
  return found
}

/** Whether a string means `name`. What is before the first backslash stands for itself. */
function spells(bytes: Buffer, { end, start }: Span, name: string): boolean {
  for (let at = start + 1; ; at++) {
    const byte = bytes[at]
    if (byte === backslash) return JSON.parse(bytes.toString('utf8', start, end)) === name
    const length = at - start - 1
    if (byte === quote) return length === name.length
    if (byte !== name.charCodeAt(length)) return false
  }
}

/** The elements of the array whose `[` is at `at`. */
export function elementSpans(bytes: Buffer, at: number): Span[] {
  const elements: Span[] = []
  let next = skipSpace(bytes, at + 1)
  while (bytes[next] !== closeBracket) {
    const end = endOfValue(bytes, next)
    elements.push({ start: next, end })
    next = skipSeparator(bytes, end)
  }
  return elements
}

export function skipSpace(bytes: Buffer, at: number): number {
  let next = at
  while (isSpace(bytes[next])) next++
  return next
}

function spanAfter(bytes: Buffer, at: number, separator: number): Span {
  const start = skipSpace(bytes, bytes[at] === separator ? at + 1 : at)
  return { start, end: endOfValue(bytes, start) }
}

function skipSeparator(bytes: Buffer, at: number): number {
  const next = skipSpace(bytes, at)
  return bytes[next] === comma ? skipSpace(bytes, next + 1) : next
}

/** The first byte after the value that starts at `start`. */
function endOfValue(bytes: Buffer, start: number): number {
  const first = bytes[start]
  if (first === quote) return endOfString(bytes, start)
  if (first === openBrace || first === openBracket) return endOfNested(bytes, start)
  let at = start
  while (at < bytes.length && !isDelimiter(bytes[at])) at++
  return at
}

function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1
  while (bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1
  return at + 1
}

function endOfNested(bytes: Buffer, start: number): number {
  let depth = 0
  let at = start
  do {
    const byte = bytes[at]
    if (byte === quote) {
      at = endOfString(bytes, at)
      continue
    }
    if (byte === openBrace || byte === openBracket) depth++
    else if (byte === closeBrace || byte === closeBracket) depth--
    at++
  } while (depth > 0)
  return at
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function isDelimiter(byte: number | undefined): boolean {
  return byte === comma || byte === closeBrace || byte === closeBracket || isSpace(byte)
}
