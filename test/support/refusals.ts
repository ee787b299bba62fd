/** What a function was refused with, for tests that look at more than its code. */

import { ServiceError } from '../../src/errors.ts'

/** @throws {Error} if it was not refused, or with something else than a `ServiceError`. */
export function refusalOf(act: () => unknown): ServiceError {
  try {
    act()
  } catch (error) {
    if (error instanceof ServiceError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
