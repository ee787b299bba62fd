/**
 * What becomes of an error that a hook or a route has thrown: a problem, a line in the log, or
 * nothing at all if its caller has left.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.ts'
import type { AccessLog } from './access-log.ts'
import { CallerLeftError } from './connections.ts'
import { sendProblem, toServiceError } from './problem.ts'

export interface ErrorAnswers {
  readonly log: AccessLog
  /** While draining: when a successor can be expected to answer, in milliseconds from now. */
  readonly successorInMs: () => number
}

export function errorHandler({ log, successorInMs }: ErrorAnswers) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    if (error instanceof CallerLeftError) {
      // Nobody is there to read a reply; 499 is what logs call it.
      log.answered(request, reply.code(499))
      return reply.hijack()
    }
    const problem = timely(toServiceError(error), successorInMs)
    request.outcome = { ...request.outcome, error: problem }
    if (problem.code === 'internal_error') log.failed(request, problem.cause)
    return sendProblem(request, reply, problem)
  }
}

/** Who is refused because of the end is told of the next beginning, as it looks now. */
function timely(error: ServiceError, successorInMs: () => number): ServiceError {
  if (error.code !== 'shutting_down') return error
  return new ServiceError(error.code, error.message, { retryAfterMs: successorInMs() })
}
