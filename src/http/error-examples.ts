/**
 * What the docs say of every error: an example of it as callers get it, and what helps. One row a
 * code; where an error is thrown, its words may differ from those of the example.
 */

import { type ErrorCode, type ErrorEntry, errorKinds, ServiceError } from '../errors.ts'
import { type Problem, problemOf } from './problem.ts'

interface ErrorExample {
  readonly detail: string
  /** What whoever gets this error can do about it. */
  readonly helps: string
  readonly path?: string
  readonly entries?: readonly ErrorEntry[]
  readonly retryAfterMs?: number
}

const wait = 'Come back after `Retry-After` seconds'

const examples: Record<ErrorCode, ErrorExample> = {
  invalid_query: {
    detail: 'Not valid in the query: "limit".',
    entries: [{ code: 'limit', message: 'Must be an integer from 1 to 1000; got "0".' }],
    helps: 'Correct the parameters that `errors` names; each entry says what is allowed.'
  },
  invalid_body: {
    detail: 'Not valid in the body: "limit".',
    entries: [{ code: 'limit', message: 'Must be an integer from 1 to 1000; got "0".' }],
    path: '/chats/search',
    helps: 'Correct the members that `errors` names.'
  },
  upstream_rejected: {
    detail: 'HelpCrunch rejected the request as invalid.',
    entries: [{ code: 'filter[0].field', message: 'This value should not be blank.' }],
    path: '/chats/search',
    helps: 'The entries are those of HelpCrunch; its documentation knows what it takes.'
  },
  bad_request: {
    detail: 'The percent-encoding of the URL is not valid UTF-8.',
    helps: 'Send valid HTTP and a valid URL.'
  },
  unauthenticated: {
    detail:
      'Send the token of your team: Authorization: Bearer <team token>. GET / names the docs.',
    helps: 'Send the token of your team. Whoever runs the service has it, in `TEAM_TOKENS`.'
  },
  forbidden: {
    detail: 'This host name is not in ADMIN_ALLOWED_HOSTS.',
    path: '/status',
    helps: "Only on the operators' listener: see `ADMIN_ALLOWED_HOSTS`."
  },
  not_found: {
    detail: 'There is no such route; GET / names those there are.',
    path: '/nowhere',
    helps: 'Ask `GET /` for the routes. Writes and other routes of HelpCrunch do not exist here.'
  },
  chat_not_found: {
    detail: 'HelpCrunch has no chat with this id.',
    path: '/chats/404',
    helps: 'HelpCrunch has no such chat; it may have been deleted.'
  },
  method_not_allowed: {
    detail: 'This route takes GET, HEAD; /docs describes it.',
    helps: '`Allow` names the methods that the route takes.'
  },
  request_timeout: {
    detail: 'The request did not arrive in time.',
    helps: 'Send the whole request within 20 seconds, its headers within 10.'
  },
  body_too_large: {
    detail: 'Request body is too large',
    path: '/chats/search',
    helps: 'A search has at most 64 kB.'
  },
  uri_too_long: {
    detail: 'The URL is longer than 8000 characters.',
    helps: 'Long filters go into the body of `POST /chats/search`.'
  },
  unsupported_media_type: {
    detail: 'Send the search without a content coding.',
    path: '/chats/search',
    helps: 'Send the body uncompressed.'
  },
  expectation_failed: {
    detail: 'Only Expect: 100-continue can be met.',
    helps: 'Leave `Expect` out.'
  },
  headers_too_large: {
    detail: 'There are more than 200 headers.',
    helps: 'Send fewer or shorter headers: 200 at most, 16 kB together.'
  },
  team_rate_limited: {
    detail: 'Team blue has made its 6000 requests of this minute.',
    retryAfterMs: 24_000,
    helps: `${wait}. \`RateLimit\` tells in advance what remains. This limit is your team's own.`
  },
  internal_error: {
    detail: 'The service failed; the log has the cause.',
    helps: 'Tell whoever runs the service the `X-Request-Id`.'
  },
  upstream_unauthorized: {
    detail:
      'HelpCrunch refused the API key of this service. Its operators have to mend that; your token is fine.',
    helps: 'Tell whoever runs the service: `HELPCRUNCH_API_KEY` has to be renewed.'
  },
  upstream_invalid_response: {
    detail: 'HelpCrunch broke off its response or sent one that is not HTTP.',
    helps: 'Try again later; the log of the service says what came.'
  },
  upstream_error: {
    detail: 'HelpCrunch answered with status 500.',
    helps: 'Try again later. What is stored is served meanwhile.'
  },
  upstream_unreachable: {
    detail: 'HelpCrunch could not be reached: the connection was refused.',
    helps: 'Try again later. What is stored is served meanwhile.'
  },
  budget_exhausted: {
    detail:
      'No call to HelpCrunch is free before the deadline, and 17 wait already; the next call is possible in about 24 s.',
    retryAfterMs: 24_000,
    helps: `${wait}, which is the estimate; or allow more time, up to the service's deadline, with \`Prefer: wait=<seconds>\`.`
  },
  upstream_rate_limited: {
    detail: 'HelpCrunch limits the rate of calls; the next call is possible in about 12 s.',
    retryAfterMs: 12_000,
    helps: `${wait}. Somebody may use the same key outside of this service.`
  },
  overloaded: {
    detail: 'More is asked than this service can answer just now.',
    retryAfterMs: 2_000,
    helps: `${wait}. Who asks again at once makes it worse.`
  },
  shutting_down: {
    detail: 'The service is shutting down.',
    retryAfterMs: 3_000,
    helps: `${wait}: by then a successor should answer.`
  },
  upstream_timeout: {
    detail: 'HelpCrunch did not answer within 10 seconds.',
    helps: 'Try again later. What is stored is served meanwhile.'
  },
  not_cached: {
    detail: 'No such answer is stored, and no call was allowed.',
    helps: 'Leave `Cache-Control: only-if-cached` out, if a call may be made.'
  }
}

/** Problems as they are sent, one for each code. */
export const problemExamples: readonly Problem[] = (Object.keys(examples) as ErrorCode[]).map(
  exampleOf
)

function exampleOf(code: ErrorCode): Problem {
  const { detail, entries = [], path = '/chats', retryAfterMs } = examples[code]
  const options = retryAfterMs === undefined ? { entries } : { entries, retryAfterMs }
  return problemOf(new ServiceError(code, detail, options), path)
}

/** A Markdown table of all errors; each row is what the `type` of a problem points to. */
export function errorTable(): string {
  const rows = Object.entries(examples).map(([code, { helps }]) => {
    const { status, title } = errorKinds[code as ErrorCode]
    return `| <a id="${code}"></a>\`${code}\` | ${status} | ${title} | ${helps} |`
  })
  return ['| code | status | what happened | what helps |', '|---|---|---|---|', ...rows].join('\n')
}
