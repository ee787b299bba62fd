/**
 * The body of a search in one canonical spelling: members in order, no spaces, `order` in lower
 * case, numbers digit for digit as they were written. Only what has to be understood here is
 * judged: that it is JSON of a shape that can be a search, and which window of it is wanted.
 * Fields, operators and everything new are HelpCrunch's to judge.
 */

import { type ErrorEntry, quoted, ServiceError } from '../errors.ts'
import { searchList, type Window } from './lists.ts'
import { defaultLimit, largestOffset } from './query.ts'

/** Deeper than any search; beyond it a body is only meant to exhaust the stack. */
const deepest = 32

type Members = Readonly<Record<string, unknown>>

/**
 * @param bytes of the request's body
 * @throws {ServiceError} `invalid_body`, one entry per bad member
 */
export function parseSearch(bytes: Buffer, maxLimit: number): Window {
  const search = parseObject(bytes)
  const problems: ErrorEntry[] = []
  for (const [name, isRight] of Object.entries(shapes)) {
    if (!isRight(search[name])) problems.push({ code: name, message: messages[name]! })
  }
  const offset = integer(search, 'offset', [0, largestOffset, 0], problems)
  const absent = Math.min(defaultLimit, maxLimit)
  const limit = integer(search, 'limit', [1, maxLimit, absent], problems)
  if (problems.length > 0) throw invalid('The search is not valid.', problems)
  return { list: searchList(canonicalMembers(search)), offset, limit }
}

const isAbsent = (value: unknown) => value === undefined
const isText = (value: unknown) => isAbsent(value) || typeof value === 'string'
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !isNumber(value)
const isFilter = (value: unknown) =>
  isAbsent(value) || (Array.isArray(value) && value.every(one => isObject(one)))

const shapes: Record<string, (value: unknown) => boolean> = {
  comparison: isText,
  filter: isFilter,
  sort: isText,
  order: isText
}

const messages: Record<string, string> = {
  comparison: 'Must be a string, AND or OR.',
  filter: 'Must be an array of objects with field, operator and value.',
  sort: 'Must be a string.',
  order: 'Must be a string, asc or desc.'
}

/** A number as it was written, which may have more digits than a double holds. */
class NumberText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const isNumber = (value: unknown): value is NumberText => value instanceof NumberText

function parseObject(bytes: Buffer): Members {
  let parsed: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    parsed = parseExactly(text)
  } catch {
    throw invalid('The body is not JSON in UTF-8.')
  }
  if (!isObject(parsed) || Array.isArray(parsed)) throw invalid('The body is not a JSON object.')
  return parsed as Members
}

function parseExactly(text: string): unknown {
  // The third argument, the source text of primitives, is newer than the types of `JSON.parse`.
  return JSON.parse(text, (_: string, value: unknown, context?: { source: string }) => {
    if (typeof value !== 'number') return value
    if (!Number.isFinite(value)) throw new RangeError('a number beyond all bounds')
    return new NumberText(context?.source ?? String(value))
  })
}

function canonicalMembers(search: Members): string[] {
  return Object.keys(search)
    .filter(name => name !== 'offset' && name !== 'limit')
    .sort()
    .map(name => {
      const value = search[name]
      const isOrder = name === 'order' && typeof value === 'string'
      return `${JSON.stringify(name)}:${canonical(isOrder ? value.toLowerCase() : value, 1)}`
    })
}

function canonical(value: unknown, depth: number): string {
  if (depth > deepest) throw invalid('The body is nested too deeply.')
  if (isNumber(value)) return value.text
  if (Array.isArray(value)) return `[${value.map(one => canonical(one, depth + 1)).join()}]`
  if (!isObject(value)) return JSON.stringify(value)
  const members = value as Members
  const parts = Object.keys(members)
    .sort()
    .map(name => `${JSON.stringify(name)}:${canonical(members[name], depth + 1)}`)
  return `{${parts.join()}}`
}

function integer(
  search: Members,
  name: string,
  [least, most, absent]: readonly [number, number, number],
  problems: ErrorEntry[]
): number {
  const value = search[name]
  if (value === undefined) return absent
  const text = isNumber(value) ? value.text : value
  const number = typeof text === 'string' && /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : -1
  if (number >= least && number <= most) return number
  const got = typeof text === 'string' ? `; got ${quoted(text)}` : ''
  problems.push({ code: name, message: `Must be an integer from ${least} to ${most}${got}.` })
  return least
}

function invalid(detail: string, entries: readonly ErrorEntry[] = []): ServiceError {
  return new ServiceError('invalid_body', detail, { entries })
}
