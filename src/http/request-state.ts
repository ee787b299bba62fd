/**
 * What hooks and routes learn about a request on its way, for those who come later: its team, and
 * what became of it for the log line.
 */

import type { FastifyInstance } from 'fastify'
import type { CacheStatus } from '../cache-status.ts'
import type { ListAnswer } from '../chats/chats.ts'
import type { Window } from '../chats/lists.ts'
import type { ServiceError } from '../errors.ts'
import type { Timing } from '../ports.ts'

interface Outcome {
  readonly cache?: CacheStatus
  readonly timing?: Timing
  readonly error?: ServiceError
  /** Why a body that had begun never ended. */
  readonly cut?: 'left' | 'broken'
}

/** A read, and what it was answered. */
interface Answered {
  readonly window: Window
  readonly answer: ListAnswer
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the token was checked; empty on open routes. */
    team: string
    outcome: Outcome | null
    /** Set by what might be answered the same again. */
    answered: Answered | null
  }
  interface FastifyContextConfig {
    /** Asks for no token and counts against no team's limit. */
    open?: boolean
  }
}

export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest('team', '')
  app.decorateRequest('outcome', null)
  app.decorateRequest('answered', null)
}
