/**
 * What replicas tell each other of a flight: its page's id, and how it failed, if it did. A failure
 * of the call is everybody's, anything else only says "your turn".
 */

import { type ErrorCode, errorKinds, ServiceError } from '../errors.ts'

export function free(id: string): string {
  return `free ${id}`
}

/** The call came to nothing and stands in line once more. */
export function again(id: string, failure: ServiceError): string {
  return `again ${id} ${wordsOf(failure)}`
}

/** How a flight ended that brought no page. */
export function endOf(id: string, error: unknown): string {
  const isOfAll = error instanceof ServiceError && error.contact !== undefined
  return isOfAll ? `failed ${id} ${wordsOf(error)}` : free(id)
}

function wordsOf(error: ServiceError): string {
  const { code, contact, entries, message, retryAfterMs, upstreamStatus } = error
  return JSON.stringify({ code, message, contact, entries, retryAfterMs, upstreamStatus })
}

/** The failure that `again` or `endOf` tells of. */
export function failureIn(text: string): ServiceError {
  try {
    const { code, message, ...options } = JSON.parse(text.split(' ').slice(2).join(' '))
    if (!(code in errorKinds)) throw new Error('no code of ours')
    return new ServiceError(code as ErrorCode, message, options)
  } catch {
    return new ServiceError('upstream_error', 'HelpCrunch failed.')
  }
}
