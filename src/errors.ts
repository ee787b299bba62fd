/**
 * Ground floor: everything that can go wrong has one code, and one table turns a code into a
 * status and public words. Rooms throw `ServiceError`; only `http` turns it into a response.
 */

interface ErrorKind {
  readonly status: number
  readonly title: string
}

const kind = (status: number, title: string): ErrorKind => ({ status, title })

/** The contract's error table. `title` never varies within a code (RFC 9457 section 3.1.3). */
export const errorKinds = {
  invalid_query: kind(400, 'The query is not valid'),
  invalid_body: kind(400, 'The body is not valid'),
  upstream_rejected: kind(400, 'HelpCrunch rejected the request'),
  bad_request: kind(400, 'The request could not be read'),
  unauthenticated: kind(401, 'A team token is needed'),
  forbidden: kind(403, 'This request is not allowed here'),
  not_found: kind(404, 'There is no such route'),
  chat_not_found: kind(404, 'There is no such chat'),
  method_not_allowed: kind(405, 'This route does not take that method'),
  request_timeout: kind(408, 'The request took too long to arrive'),
  body_too_large: kind(413, 'The request body is too large'),
  uri_too_long: kind(414, 'The URL is too long'),
  unsupported_media_type: kind(415, 'The media type of the body is not supported'),
  expectation_failed: kind(417, 'The expectation cannot be met'),
  headers_too_large: kind(431, 'The request headers are too large'),
  team_rate_limited: kind(429, 'This team has used up its own request limit'),
  internal_error: kind(500, 'The service failed'),
  upstream_unauthorized: kind(502, 'HelpCrunch refused the key of this service'),
  upstream_invalid_response: kind(502, 'HelpCrunch sent an unusable response'),
  upstream_error: kind(502, 'HelpCrunch failed'),
  upstream_unreachable: kind(502, 'HelpCrunch could not be reached'),
  budget_exhausted: kind(503, 'The shared budget of calls is used up for now'),
  upstream_rate_limited: kind(503, 'HelpCrunch limits the rate of calls'),
  overloaded: kind(503, 'The service is asked for more than it can answer'),
  shutting_down: kind(503, 'The service is shutting down'),
  upstream_timeout: kind(504, 'HelpCrunch did not answer in time'),
  not_cached: kind(504, 'The answer is not stored')
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorKinds

/** One member of `errors[]`, the shape HelpCrunch clients read. */
export interface ErrorEntry {
  readonly code: string
  readonly message: string
}

/**
 * How far a failed call got, which decides when its slot comes free:
 * `unsent` certainly never left, `unanswered` may still be seen upstream, `answered` was.
 */
export type Contact = 'unsent' | 'unanswered' | 'answered'

export interface ErrorOptions {
  /** Specific entries; without them the one entry is the code and the detail. */
  readonly entries?: readonly ErrorEntry[]
  /** When it is worth coming back, milliseconds from now. */
  readonly retryAfterMs?: number
  readonly contact?: Contact
  /** The upstream's status, if it answered one. */
  readonly upstreamStatus?: number
  /** For the log only: lengths, types and hashes of what came, never content. */
  readonly evidence?: Readonly<Record<string, string | number>>
  readonly cause?: unknown
}

export class ServiceError extends Error {
  readonly code: ErrorCode
  readonly entries: readonly ErrorEntry[]
  readonly retryAfterMs: number | undefined
  readonly contact: Contact | undefined
  readonly upstreamStatus: number | undefined
  readonly evidence: Readonly<Record<string, string | number>> | undefined

  /** `detail` is shown to callers: it never holds a secret, chat content or upstream HTML. */
  constructor(code: ErrorCode, detail: string, options: ErrorOptions = {}) {
    super(detail, { cause: options.cause })
    this.name = 'ServiceError'
    this.code = code
    this.entries = options.entries?.length ? options.entries : [{ code, message: detail }]
    this.retryAfterMs = options.retryAfterMs
    this.contact = options.contact
    this.upstreamStatus = options.upstreamStatus
    this.evidence = options.evidence
  }

  get kind(): ErrorKind {
    return errorKinds[this.code]
  }
}

/** Text that came from outside, fit for an error message: cut, and without control characters. */
export function quoted(text: string, longest = 64): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
  // JSON lets DEL and the C1 controls stand, which terminals obey as well.
  return JSON.stringify(cut.toWellFormed()).replace(/[\x7f-\x9f]/g, escaped)
}

function escaped(character: string): string {
  return `\\u00${character.charCodeAt(0).toString(16)}`
}
