/** One request to the service, and what its failures mean: worth another try, or not. */

import type { Options } from './options.ts'

/** Nothing that trying again would cure; the message is for people. */
export class ExportError extends Error {}

/** Worth another try, perhaps after a while. */
export class PassingError extends Error {
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs = 0) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

export interface Answer {
  readonly total: number
  /** By the service's own plan. */
  readonly estimateMs: number
  readonly body: AsyncIterable<Uint8Array>
}

/** @throws {ExportError | PassingError} */
export async function requestExport(
  { url, token }: Options,
  offset: number,
  after: readonly string[]
): Promise<Answer> {
  const query = offset > 0 ? `?offset=${offset}&after=${after.join()}` : ''
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
  const response = await fetch(`${url}/chats/export${query}`, { headers, redirect: 'error' }).catch(
    error => {
      throw new PassingError(`${url}: ${causeOf(error)}`)
    }
  )
  if (response.status !== 200 || !response.body) throw await failureOf(response, url)
  if (!response.headers.get('content-type')?.startsWith('application/x-ndjson')) {
    throw new ExportError(`${url}: what answers there is not helpcrunch-proxy`)
  }
  const number = (name: string) => Number(response.headers.get(name) ?? 0)
  return {
    total: number('x-total-count'),
    estimateMs: number('x-export-estimate') * 1000,
    body: response.body
  }
}

const passingStatuses = new Set([408, 429, 500, 502, 503, 504])

async function failureOf(response: Response, url: string): Promise<Error> {
  const text = await response.text().catch(() => '')
  const words = `${url}: ${response.status} ${detailOf(text) ?? response.statusText}`
  const retryAfterMs = Number(response.headers.get('retry-after') ?? 0) * 1000
  return passingStatuses.has(response.status)
    ? new PassingError(words, Number.isFinite(retryAfterMs) ? retryAfterMs : 0)
    : new ExportError(words)
}

/** Of the service's problem body, the words that help. */
function detailOf(text: string): string | undefined {
  try {
    const { detail, errors } = JSON.parse(text)
    const entries = (errors ?? []).map((entry: { message?: unknown }) => entry.message)
    return [...new Set([detail, ...entries])].filter(words => typeof words === 'string').join(' ')
  } catch {
    return undefined
  }
}

/** Node's fetch says only "fetch failed"; what happened is behind it. */
export function causeOf(error: unknown): string {
  const { cause, message } = error as Error
  const { code, message: inner } = (cause ?? {}) as NodeJS.ErrnoException
  return code ?? inner ?? message
}
