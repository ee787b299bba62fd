/**
 * The parameters of a query string, strictly: what a caller wrote is either what a route takes or a
 * problem that names the parameter; nothing is guessed or passed on unread. Works on the raw query
 * string, because parsed forms have already lost repeats and odd spellings.
 */

import { type ErrorEntry, quoted, ServiceError } from '../errors.ts'

/** More wrong names than this say nothing new. */
const mostProblems = 10

/** Reads one query string; `refuseIfBad` names all that is wrong with it at once. */
export class Parameters<Name extends string> {
  readonly #problems: ErrorEntry[] = []
  readonly #given: ReadonlyMap<Name, string>

  /**
   * @param text the query string after `?`, well-formed percent-encoding
   * @param names those that the route takes
   */
  constructor(text: string, names: readonly Name[]) {
    this.#given = readParameters(text, names, this.#problems)
  }

  text(name: Name): string | undefined {
    return this.#given.get(name)
  }

  oneOf<Value extends string>(
    name: Name,
    allowed: readonly Value[],
    value = this.text(name)
  ): Value | undefined {
    if (value === undefined || allowed.includes(value as Value)) return value as Value | undefined
    return this.problem(name, `Must be one of ${allowed.join(', ')}; got ${quoted(value)}.`)
  }

  /** Plain decimal digits only: `1e1`, `0x10`, `+5`, ` 5` and `05` are not what anybody meant. */
  integer(name: Name, range: { least: number; most: number; absent: number }): number {
    const { least, most } = range
    const value = this.text(name) ?? String(range.absent)
    const number = /^(0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN
    if (number >= least && number <= most) return number
    this.problem(name, `Must be an integer from ${least} to ${most}; got ${quoted(value)}.`)
    return least
  }

  problem(name: Name, message: string): undefined {
    this.#problems.push({ code: name, message })
  }

  /** @throws {ServiceError} `invalid_query`, one entry per bad parameter */
  refuseIfBad(): void {
    if (this.#problems.length === 0) return
    const names = this.#problems.map(problem => quoted(problem.code)).join(', ')
    throw new ServiceError('invalid_query', `Not valid in the query: ${names}.`, {
      entries: this.#problems
    })
  }
}

/** The known parameters by name; unknown and repeated ones become problems. */
function readParameters<Name extends string>(
  text: string,
  names: readonly Name[],
  problems: ErrorEntry[]
): ReadonlyMap<Name, string> {
  const given = new Map<Name, string>()
  const refused = new Set<string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    const value = equals < 0 ? '' : decode(part.slice(equals + 1))
    const problem = problemOf(name, names, given)
    if (problem === undefined) given.set(name as Name, value)
    else if (refused.size < mostProblems && !refused.has(name)) {
      refused.add(name)
      problems.push({ code: cut(name), message: problem })
    }
  }
  // One problem each: the first value of a repeated parameter is not judged as well.
  for (const name of refused) given.delete(name as Name)
  return given
}

function problemOf<Name extends string>(
  name: string,
  names: readonly Name[],
  given: ReadonlyMap<Name, string>
): string | undefined {
  if (names.length === 0) return 'This route takes no parameters.'
  if (!names.includes(name as Name)) {
    return `Unknown parameter; known are ${names.join(', ')} (in lower case).`
  }
  return given.has(name as Name) ? 'Given more than once; give it once.' : undefined
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function cut(name: string): string {
  return name.slice(0, 64).toWellFormed()
}
