/** upstream's door, with a word about everything that passes through it. */

import type { Clock } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import type { Attempt, Emit } from '../ports.ts'

export function watchedAttempt(attempt: Attempt, clock: Clock, emit: Emit): Attempt {
  return async call => {
    const sentAt = clock.now()
    try {
      const page = await attempt(call)
      const durationMs = clock.now() - sentAt
      emit({ type: 'upstream.answered', status: page.isAbsent ? 404 : 200, durationMs })
      return page
    } catch (error) {
      const at = clock.now()
      emit({ type: 'upstream.failed', at, durationMs: at - sentAt, ...wordsFor(error) })
      throw error
    }
  }
}

function wordsFor(error: unknown) {
  if (!(error instanceof ServiceError)) {
    const detail = 'The attempt failed for a reason that nobody foresaw.'
    return { code: 'internal_error', status: undefined, contact: undefined, detail } as const
  }
  const { code, contact, message: detail, upstreamStatus: status } = error
  return { code, status, contact, detail }
}
