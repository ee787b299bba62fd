/** Errors: one code, one status, one title; and foreign text made fit to be shown. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type ErrorCode, errorKinds, quoted, ServiceError } from '../src/errors.ts'
import { holds } from './support/property.ts'
import { anyText } from './support/texts.ts'

/** The contract's table, and 403 of the operators' listener. */
const statusByCode: Record<string, number> = {
  invalid_query: 400,
  invalid_body: 400,
  upstream_rejected: 400,
  bad_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  chat_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  body_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  expectation_failed: 417,
  team_rate_limited: 429,
  headers_too_large: 431,
  internal_error: 500,
  upstream_unauthorized: 502,
  upstream_invalid_response: 502,
  upstream_error: 502,
  upstream_unreachable: 502,
  budget_exhausted: 503,
  upstream_rate_limited: 503,
  overloaded: 503,
  shutting_down: 503,
  upstream_timeout: 504,
  not_cached: 504
}

const codes = Object.keys(errorKinds) as ErrorCode[]

for (const code of codes) {
  t.test(`${code} has the status of the contract`, async t => {
    t.equal(errorKinds[code].status, statusByCode[code])
  })
}

t.test('no two codes share a title', async t => {
  t.equal(new Set(codes.map(code => errorKinds[code].title)).size, codes.length)
})

t.test('an error without entries has one, its code and detail', async t => {
  const entry = { code: 'not_found', message: 'Nothing is here.' }
  t.same(new ServiceError('not_found', 'Nothing is here.').entries, [entry])
  t.same(new ServiceError('not_found', 'Nothing is here.', { entries: [] }).entries, [entry])
})

t.test('an error keeps what it is given', async t => {
  const cause = new Error('the socket broke')
  const options = {
    entries: [{ code: 'limit', message: 'Too large.' }],
    retryAfterMs: 1500,
    contact: 'answered',
    upstreamStatus: 503,
    evidence: { bytes: 3 },
    cause
  } as const
  const error = new ServiceError('upstream_error', 'HelpCrunch failed.', options)
  t.match(error, { ...options, code: 'upstream_error', message: 'HelpCrunch failed.' })
  t.equal(error.kind, errorKinds.upstream_error)
  t.equal(error.cause, cause)
})

t.test('quoted text is cut, well-formed and free of control characters', async t => {
  const property = fc.property(anyText, fc.nat(80), (text, longest) => {
    const shown = quoted(text, longest)
    assert(shown.isWellFormed())
    assert.doesNotMatch(shown, /\p{Cc}/u)
    const inner: string = JSON.parse(shown)
    assert(inner.length <= longest + 1)
    if (text.length <= longest) assert.equal(inner, text.toWellFormed())
  })
  await holds(t, property, { numRuns: 500 })
})

t.test('quoted text shows what would steer a terminal or end a line', async t => {
  t.equal(quoted('a\r\n\u001b[31m\u009b2J\u007f"'), '"a\\r\\n\\u001b[31m\\u009b2J\\u007f\\""')
})
