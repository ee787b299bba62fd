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

/** Canonical names and values of an object, both as JSON. */
type Members = Map<string, string>

/**
 * @param bytes of the request's body
 * @throws {ServiceError} `invalid_body`, one entry per bad member
 */
export function parseSearch(bytes: Buffer, maxLimit: number): Window {
  const search = parseObject(bytes)
  const problems: ErrorEntry[] = []
  for (const [name, { isRight, message }] of Object.entries(shapes)) {
    const text = search.get(`"${name}"`)
    if (text !== undefined && !isRight(JSON.parse(text))) problems.push({ code: name, message })
  }
  const offset = takeInteger(search, 'offset', [0, largestOffset, 0], problems)
  const absent = Math.min(defaultLimit, maxLimit)
  const limit = takeInteger(search, 'limit', [1, maxLimit, absent], problems)
  if (problems.length > 0) throw invalid('The search is not valid.', problems)
  const order = search.get('"order"')
  if (order) search.set('"order"', JSON.stringify(JSON.parse(order).toLowerCase()))
  return { list: searchList(sorted(search)), offset, limit }
}

const isText = (value: unknown) => typeof value === 'string'
const isObject = (value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isFilter = (value: unknown) => Array.isArray(value) && value.every(isObject)

const shapes = {
  comparison: { isRight: isText, message: 'Must be a string, AND or OR.' },
  filter: {
    isRight: isFilter,
    message: 'Must be an array of objects with field, operator and value.'
  },
  sort: { isRight: isText, message: 'Must be a string.' },
  order: { isRight: isText, message: 'Must be a string, asc or desc.' }
}

function parseObject(bytes: Buffer): Members {
  const text = validJson(bytes)
  const tokens = text.matchAll(/[{}[\],:]|"(?:[^"\\]+|\\.)*"|[^\s{}[\],:"]+/g)
  const reader = new Reader(tokens.map(([token]) => token))
  if (reader.next() !== '{') throw invalid('The body is not a JSON object.')
  return reader.members(1)
}

function validJson(bytes: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    JSON.parse(text)
    return text
  } catch {
    throw invalid('The body is not JSON in UTF-8.')
  }
}

/**
 * Reads values, known to be JSON, into their canonical text. Not made of what `JSON.parse` returns:
 * that has lost the digits of large numbers, and it misreads some names (nodejs/node#63785).
 */
class Reader {
  readonly #tokens: Iterator<string>

  constructor(tokens: Iterator<string>) {
    this.#tokens = tokens
  }

  next(): string {
    return this.#tokens.next().value
  }

  /** The rest of an object, of members with one name the last, as everywhere. */
  members(depth: number): Members {
    const members: Members = new Map()
    for (let name = this.next(); name !== '}'; name = this.next()) {
      if (name === ',') continue
      this.next()
      members.set(canonicalText(name), this.#value(this.next(), depth))
    }
    return members
  }

  #value(first: string, depth: number): string {
    if (depth > deepest) throw invalid('The body is nested too deeply.')
    if (first === '{') return `{${sorted(this.members(depth + 1)).join()}}`
    if (first === '[') return `[${this.#elements(depth + 1).join()}]`
    return first.startsWith('"') ? canonicalText(first) : canonicalLiteral(first)
  }

  #elements(depth: number): string[] {
    const elements: string[] = []
    for (let token = this.next(); token !== ']'; token = this.next()) {
      if (token !== ',') elements.push(this.#value(token, depth))
    }
    return elements
  }
}

function canonicalText(text: string): string {
  return JSON.stringify(JSON.parse(text))
}

function canonicalLiteral(text: string): string {
  if (/\d/.test(text) && !Number.isFinite(Number(text))) {
    throw invalid(`The body holds a number beyond all bounds, ${quoted(text)}.`)
  }
  return text
}

function sorted(members: Members): string[] {
  return [...members].map(([name, value]) => `${name}:${value}`).sort()
}

/** An integer, or the text of one; taken out, because it says which part of the search it is. */
function takeInteger(
  search: Members,
  name: string,
  [least, most, absent]: readonly [number, number, number],
  problems: ErrorEntry[]
): number {
  const value = search.get(`"${name}"`)
  search.delete(`"${name}"`)
  if (value === undefined) return absent
  const text = value.replace(/^"(.*)"$/, '$1')
  const number = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  problems.push({
    code: name,
    message: `Must be an integer from ${least} to ${most}; got ${quoted(text)}.`
  })
  return least
}

function invalid(detail: string, entries: readonly ErrorEntry[] = []): ServiceError {
  return new ServiceError('invalid_body', detail, { entries })
}
