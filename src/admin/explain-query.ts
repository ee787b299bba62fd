/** What `GET /explain` is asked: strictly, as callers are held to it as well. */

import { type ErrorEntry, quoted, ServiceError } from '../errors.ts'

export interface ExplainQuery {
  /** The target of the request that is not sent: path and query. */
  readonly path: string
  readonly team: string
}

/**
 * @param url with its query as it came
 * @param teams all there are; who is the only one need not be named
 * @throws {ServiceError} `invalid_query`, one entry per bad parameter
 */
export function explainQuery(url: string, teams: readonly string[]): ExplainQuery {
  const given = new URLSearchParams(/\?(.*)$/s.exec(url)?.[1] ?? '')
  const problems: ErrorEntry[] = []
  for (const name of new Set(given.keys())) {
    if (name !== 'path' && name !== 'team') {
      const message = 'Unknown parameter; known are path and team. Percent-encode the path.'
      problems.push({ code: name.slice(0, 64).toWellFormed(), message })
    } else if (given.getAll(name).length > 1) {
      problems.push({ code: name, message: 'Given more than once; give it once.' })
    }
  }
  const path = given.get('path') ?? ''
  if (!path.startsWith('/')) {
    const message = `Must be a percent-encoded path with its query, like ${example}.`
    problems.push({ code: 'path', message })
  }
  const team = given.get('team') ?? (teams.length === 1 ? teams[0]! : '')
  if (!teams.includes(team)) {
    const message = `Must be one of ${teams.join(', ')}; got ${quoted(team)}.`
    problems.push({ code: 'team', message })
  }
  if (problems.length === 0) return { path, team }
  const names = problems.map(problem => quoted(problem.code)).join(', ')
  const options = { entries: problems.slice(0, 10) }
  throw new ServiceError('invalid_query', `Not valid in the query: ${names}.`, options)
}

const example = '%2Fchats%3Flimit%3D20'
