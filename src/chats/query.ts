/**
 * The query of the list, strictly: what a caller wrote is either one of the documented values or a
 * 400 that names the parameter; nothing is guessed, defaulted silently or passed on unread. Works
 * on the raw query string, because parsed forms have already lost repeats and odd spellings.
 */

import { type ErrorEntry, quoted, ServiceError } from '../errors.ts'

export const sorts = [
  'chats.createdAt',
  'chats.lastCustomerMessageAt',
  'chats.lastMessageAt',
  'chats.closedAt'
] as const
export const orders = ['asc', 'desc'] as const

type Sort = (typeof sorts)[number]
type Order = (typeof orders)[number]

/** One list of the upstream. An absent sort or order is the upstream's default: a list of its own. */
export interface ListName {
  readonly sort?: Sort
  readonly order?: Order
}

/** What a caller asked for: chats `offset` up to, not including, `offset + limit` of a list. */
export interface ListQuery extends ListName {
  readonly offset: number
  readonly limit: number
}

export const defaultLimit = 100

/** The largest offset that is still exact after a page is added to it. */
export const largestOffset = Number.MAX_SAFE_INTEGER - 10_000

const parameters = ['sort', 'order', 'offset', 'limit'] as const
type Parameter = (typeof parameters)[number]

/**
 * @param text the query string after `?`, well-formed percent-encoding
 * @throws {ServiceError} `invalid_query`, one entry per bad parameter
 */
export function parseListQuery(text: string, maxLimit: number): ListQuery {
  const problems: ErrorEntry[] = []
  const given = readParameters(text, problems)
  const sort = oneOf('sort', sorts, given.get('sort'), problems)
  const order = oneOf('order', orders, given.get('order')?.toLowerCase(), problems)
  const offset = integer('offset', 0, largestOffset, given.get('offset') ?? '0', problems)
  const limit = integer(
    'limit',
    1,
    maxLimit,
    given.get('limit') ?? `${Math.min(defaultLimit, maxLimit)}`,
    problems
  )
  if (problems.length > 0) {
    const names = problems.map(problem => quoted(problem.code)).join(', ')
    throw new ServiceError('invalid_query', `Not valid in the query: ${names}.`, {
      entries: problems
    })
  }
  return { ...(sort && { sort }), ...(order && { order }), offset, limit }
}

/** The known parameters by name; unknown and repeated ones become problems. */
function readParameters(text: string, problems: ErrorEntry[]): Map<Parameter, string> {
  const given = new Map<Parameter, string>()
  const refused = new Set<string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    const value = equals < 0 ? '' : decode(part.slice(equals + 1))
    const problem = problemOf(name, given)
    if (problem === undefined) given.set(name as Parameter, value)
    else if (refused.size < mostProblems && !refused.has(name)) {
      refused.add(name)
      problems.push({ code: cut(name), message: problem })
    }
  }
  // One problem each: the first value of a repeated parameter is not judged as well.
  for (const name of refused) given.delete(name as Parameter)
  return given
}

/** More wrong names than this say nothing new. */
const mostProblems = 10

function problemOf(name: string, given: Map<Parameter, string>): string | undefined {
  if (!parameters.includes(name as Parameter)) {
    return `Unknown parameter; known are ${parameters.join(', ')} (in lower case).`
  }
  return given.has(name as Parameter) ? 'Given more than once; give it once.' : undefined
}

function oneOf<Value extends string>(
  name: Parameter,
  allowed: readonly Value[],
  value: string | undefined,
  problems: ErrorEntry[]
): Value | undefined {
  if (value === undefined || allowed.includes(value as Value)) return value as Value | undefined
  problems.push({
    code: name,
    message: `Must be one of ${allowed.join(', ')}; got ${quoted(value)}.`
  })
  return undefined
}

/** Plain decimal digits only: `1e1`, `0x10`, `+5`, ` 5` and `05` are not what anybody meant. */
function integer(
  name: Parameter,
  least: number,
  most: number,
  value: string,
  problems: ErrorEntry[]
): number {
  const number = /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN
  if (number >= least && number <= most) return number
  problems.push({
    code: name,
    message: `Must be an integer from ${least} to ${most}; got ${quoted(value)}.`
  })
  return least
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function cut(name: string): string {
  return name.slice(0, 64).toWellFormed()
}

/** The canonical spelling of a list's name: equal lists, equal text; never two lists one text. */
export function listParameters({ sort, order }: ListName): string {
  return `${sort ? `sort=${sort}&` : ''}${order ? `order=${order}&` : ''}`
}
