/** What `GET /explain` is asked: strictly, as callers are held to it as well. */

import { quoted } from '../errors.ts'
import { queryOf, refuseQuery, strayParameters } from './strict-query.ts'

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
  const given = queryOf(url)
  const hint = 'Unknown parameter; known are path and team. Percent-encode the path.'
  const problems = strayParameters(given, ['path', 'team'], hint)
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
  refuseQuery(problems)
  return { path, team }
}

const example = '%2Fchats%3Flimit%3D20'
