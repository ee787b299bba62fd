/** One request of a caller and what came of it; what all judges look at. */

import type { Team } from './conditions.ts'
import type { Question } from './questions.ts'

export interface Exchange {
  readonly question: Question
  /** Which instance was asked. */
  readonly instance: string
  readonly team: Team
  /** `systemClock.now()`. */
  readonly startedAt: number
  readonly endedAt: number
  readonly outcome: Answered | Failed
}

export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  /** Whole seconds; undefined without the header. */
  readonly ageSeconds: number | undefined
  readonly cacheStatus: string
  /** For a 304, the body that it says is still right. */
  readonly body: string
}

interface Failed {
  readonly kind: 'failed'
  /** Whether the head of an answer had come. */
  readonly during: 'head' | 'body'
  readonly code: string
}

/** The code of a problem; undefined if the body is none. */
export function codeOf(body: string): string | undefined {
  try {
    const { code } = JSON.parse(body)
    return typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}
