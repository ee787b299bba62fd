/**
 * Responses as values, whether `fetch` or a raw socket read them, and the one check that every
 * error has to pass: the problem body of the contract, with status, headers and body in agreement.
 */

import type { Test } from 'tap'
import type { Answer } from './raw-socket.ts'

export async function read(response: Response | Promise<Response>): Promise<Answer> {
  const { status, headers, text } = await Promise.resolve(response).then(async got => ({
    status: got.status,
    headers: got.headers,
    text: await got.text()
  }))
  return { status, headers, body: text }
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: string
  readonly errors: readonly { readonly code: string; readonly message: string }[]
  readonly retryAfter?: number
}

const members = ['code', 'detail', 'errors', 'instance', 'status', 'title', 'type']

/** Checks the whole envelope, and returns it for what else there is to see. */
export function checkProblem(
  t: Test,
  answer: Answer,
  wanted: { status: number; code: string },
  name = `${wanted.status} ${wanted.code}`
): Problem {
  const { status, headers, body } = answer
  t.match(headers.get('content-type'), /^application\/problem\+json(;|$)/, `${name}: media type`)
  const problem = parse(body)
  const { code } = problem
  t.same({ status, code, inBody: problem.status }, { ...wanted, inBody: wanted.status }, name)
  const { retryAfter, ...others } = problem
  t.same(Object.keys(others).sort(), members, `${name}: members`)
  t.match(problem, { type: /^\S+$/, title: /./, detail: /./, instance: String }, `${name}: words`)
  t.ok(problem.errors.length > 0, `${name}: has entries`)
  for (const entry of problem.errors) t.match(entry, { code: String, message: /./ })
  const inHeader = headers.get('retry-after')
  t.equal(inHeader, retryAfter === undefined ? null : String(retryAfter), `${name}: Retry-After`)
  if (status === 429 || status === 503) t.match(inHeader, /^[1-9]\d*$/, `${name}: whole seconds`)
  t.equal(headers.get('cache-control'), 'no-store', `${name}: is kept by nobody`)
  return problem
}

/** What is no problem at all becomes one that fails every check, and shows what it was. */
function parse(body: string): Problem {
  try {
    const problem = JSON.parse(body)
    if (Array.isArray(problem.errors)) return problem
  } catch {}
  return { status: 0, code: `no problem body: ${body.slice(0, 200)}`, errors: [] } as never
}
