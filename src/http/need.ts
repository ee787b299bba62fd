/**
 * Makes the need of a request: who asks, until when, and a signal that tells when the caller has
 * left or cannot be served any more. From here it travels unchanged through all the rooms.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Cancellation, type Signal } from '../cancellation.ts'
import type { Clock } from '../clock.ts'
import type { Need } from '../ports.ts'
import { abandoned } from './connections.ts'
import { conditionsOf } from './request-directives.ts'

/** Why a signal is aborted; never answered, because nobody is there to read it. */
export class CallerLeftError extends Error {}

export function needOf(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
  maxWaitMs: number
): Need {
  const waitMs = Math.min(preferredWaitMs(request.headers.prefer) ?? maxWaitMs, maxWaitMs)
  const conditions = conditionsOf(request.headers['cache-control'])
  return {
    team: request.team,
    priority: 'interactive',
    deadline: clock.now() + waitMs,
    signal: leavingSignal(reply),
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

function leavingSignal({ raw }: FastifyReply): Signal {
  const leaving = new Cancellation()
  // With a reason it is an end of the wait that is answered, unlike the caller's leaving.
  const leave = (reason?: Error) => {
    if (reason) leaving.abort(reason)
    else if (!raw.writableFinished) leaving.abort(new CallerLeftError('The caller has left.'))
  }
  // One function, not taken down: to hear each once would take four more, and neither comes twice.
  if (raw.destroyed) leave()
  else raw.on('close', leave)
  raw.on(abandoned, leave)
  return leaving
}
