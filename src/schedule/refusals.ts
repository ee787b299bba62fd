/**
 * Refusals that need no estimate. Those that say when a call will be free are the prospects', in
 * the words of whatever stands in the way (brake.ts).
 */

import { ServiceError } from '../errors.ts'

/** An answer of several parts asks for the others once it has the first. */
export function tooLate(): ServiceError {
  const detail =
    'The deadline passed while a first part was fetched; ask again, only the rest is missing.'
  return new ServiceError('budget_exhausted', detail, { retryAfterMs: 1000 })
}

export function shuttingDown(retryAfterMs: number): ServiceError {
  const detail = 'The service is shutting down and makes no further calls to HelpCrunch.'
  return new ServiceError('shutting_down', detail, { retryAfterMs })
}
