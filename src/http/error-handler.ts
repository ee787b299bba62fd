/**
 * What becomes of an error that a hook or a route has thrown: a problem, a line in the log, or
 * nothing at all if its caller has left.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AccessLog } from './access-log.ts'
import { CallerLeftError } from './need.ts'
import { sendProblem, toServiceError } from './problem.ts'

export function errorHandler(log: AccessLog) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    if (error instanceof CallerLeftError) {
      // Nobody is there to read a reply; 499 is what logs call it.
      log.answered(request, reply.code(499))
      return reply.hijack()
    }
    const problem = toServiceError(error)
    request.outcome = { ...request.outcome, error: problem }
    if (problem.code === 'internal_error') log.failed(request, problem.cause)
    return sendProblem(request, reply, problem)
  }
}
