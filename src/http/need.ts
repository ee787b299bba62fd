/**
 * Makes the need of a request: who asks, until when, and a signal that tells when the caller has
 * left or cannot be served any more. From here it travels unchanged through all the rooms.
 */

import type { FastifyRequest } from 'fastify'
import type { Clock } from '../clock.ts'
import type { Need } from '../ports.ts'
import type { Connections } from './connections.ts'
import { conditionsOf } from './request-directives.ts'

export interface NeedOptions {
  readonly clock: Clock
  readonly connections: Pick<Connections, 'signalOf'>
  /** The longest that a request may wait for its call to be sent. */
  readonly maxWaitMs: number
}

export function needOf(
  request: FastifyRequest,
  { clock, connections, maxWaitMs }: NeedOptions
): Need {
  const waitMs = Math.min(preferredWaitMs(request.headers.prefer) ?? maxWaitMs, maxWaitMs)
  const conditions = conditionsOf(request.headers['cache-control'])
  return {
    team: request.team,
    priority: 'interactive',
    deadline: clock.now() + waitMs,
    signal: connections.signalOf(request.raw),
    ...(conditions && { conditions })
  }
}

/**
 * `Prefer: wait=<seconds>` (RFC 7240 section 4.3), of which a fraction counts as well: most waits
 * worth asking for are shorter than a second. Anything else is ignored, as section 2 asks.
 */
const wait = /(?:^|,)\s*wait\s*=\s*"?(\d{1,6}(?:\.\d{1,6})?)"?\s*(?:$|[,;])/i

function preferredWaitMs(prefer: string | string[] | undefined): number | undefined {
  if (prefer === undefined) return undefined
  const seconds = wait.exec(String(prefer))?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
