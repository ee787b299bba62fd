/**
 * Queries of operators, read strictly, as callers' are: what is not understood is refused, lest it
 * was meant to narrow down what is done then.
 */

import { type ErrorEntry, quoted, ServiceError } from '../errors.ts'

/** @param url with its query as it came */
export function queryOf(url: string): URLSearchParams {
  return new URLSearchParams(/\?(.*)$/s.exec(url)?.[1] ?? '')
}

/** One entry per parameter that is unknown or repeated. @param hint what to do about unknown ones */
export function strayParameters(
  given: URLSearchParams,
  known: readonly string[],
  hint: string
): ErrorEntry[] {
  return [...new Set(given.keys())].flatMap(name => {
    if (!known.includes(name)) return { code: name.slice(0, 64).toWellFormed(), message: hint }
    if (given.getAll(name).length === 1) return []
    return { code: name, message: 'Given more than once; give it once.' }
  })
}

/** @throws {ServiceError} `invalid_query`, if there are any problems */
export function refuseQuery(problems: readonly ErrorEntry[]): void {
  if (problems.length === 0) return
  const names = problems.map(problem => quoted(problem.code)).join(', ')
  const options = { entries: problems.slice(0, 10) }
  throw new ServiceError('invalid_query', `Not valid in the query: ${names}.`, options)
}
