/**
 * The operators' listener, apart from the callers' port, for whoever the guards let pass: status, as
 * a page, as JSON and live, metrics, and the one thing that operators may do, which is to make
 * everything stored stale.
 */

import { type FastifyError, type FastifyInstance, fastify, LogController } from 'fastify'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { isLoopback } from '../config-values.ts'
import { ServiceError } from '../errors.ts'
import type { Explain } from '../explain.ts'
import { methodTable, otherMethods } from '../http/allowed-methods.ts'
import { onParserError, rawResponse } from '../http/parser-errors.ts'
import { problemOf, problemType, sendProblem, toServiceError } from '../http/problem.ts'
import { History } from '../observe/history.ts'
import type { Logger } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Status } from '../observe/status.ts'
import { Events } from './events.ts'
import { explainQuery } from './explain-query.ts'
import { guard } from './guards.ts'
import { prefersOpenMetrics } from './open-metrics.ts'
import { contentPolicy, pageRoutes } from './page-files.ts'
import { queryOf, refuseQuery, strayParameters } from './strict-query.ts'

export interface AdminOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly status: () => Status
  readonly metrics: Metrics
  /** Everybody who may ask for anything. */
  readonly teams: readonly string[]
  readonly explain: Explain
  /** Makes everything stored stale. */
  readonly invalidateAll: () => void
}

/** On every answer: JSON that a browser is made to show is not to be more than text either. */
const headers = {
  'cache-control': 'no-store',
  'content-security-policy': contentPolicy,
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

export function createAdminApp({
  clock,
  config,
  explain,
  invalidateAll,
  logger,
  metrics,
  status,
  teams
}: AdminOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024,
    // A URL that cannot be decoded never gets as far as the hooks.
    frameworkErrors: (error, request, reply) => {
      sendProblem(request, reply.headers(headers), toServiceError(error))
    },
    clientErrorHandler: onParserError(error => {
      const body = JSON.stringify(problemOf(error, ''))
      const content = { 'content-type': problemType, 'content-length': Buffer.byteLength(body) }
      return rawResponse(error.kind.status, { ...headers, ...content }, body)
    }),
    // Operators may watch until the end, and not longer.
    forceCloseConnections: true
  }) as unknown as FastifyInstance
  const guards = { allowedHosts: config.ADMIN_ALLOWED_HOSTS, token: config.ADMIN_TOKEN ?? '' }
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers)
    guard(request, guards)
  })
  answerNoRoute(app)
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = toServiceError(error)
    if (problem.code === 'internal_error') logger.error({ err: problem.cause }, 'internal error')
    // Browsers ask for a password, and send it as Basic.
    if (problem.code === 'unauthenticated')
      reply.header('www-authenticate', 'Basic realm="operators"')
    return sendProblem(request, reply, problem)
  })
  pageRoutes(app)
  app.get('/status', () => status())
  liveRoute(app, { clock, status })
  app.get('/metrics', async (request, reply) => {
    const { contentType, text } = await metrics.read(prefersOpenMetrics(request.headers.accept))
    return reply.type(contentType).header('vary', 'Accept').send(text)
  })
  app.get('/explain', ({ raw }) => {
    const { path, team } = explainQuery(raw.url ?? '', teams)
    return explain(path, team)
  })
  app.delete('/cache', ({ raw }) => {
    if (guards.token === '' && !isLoopback(config.ADMIN_HOST)) {
      throw new ServiceError('forbidden', 'Set ADMIN_TOKEN to change anything from other machines.')
    }
    const hint = 'Unknown parameter; all that is stored is made stale, and nothing less can be.'
    refuseQuery(strayParameters(queryOf(raw.url ?? ''), [], hint))
    invalidateAll()
    return { status: 'invalidated' }
  })
  return app
}

/** Has to be called before the routes are added. */
function answerNoRoute(app: FastifyInstance): void {
  const methods = methodTable(app)
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    const allow = otherMethods(methods, request)
    if (allow === undefined) {
      throw new ServiceError('not_found', 'There is no such route for operators.')
    }
    reply.header('allow', allow)
    throw new ServiceError('method_not_allowed', `This route takes ${allow}.`)
  })
}

function liveRoute(
  app: FastifyInstance,
  { clock, status }: Pick<AdminOptions, 'clock' | 'status'>
): void {
  const history = new History(clock, status)
  const events = new Events({ clock, history, status })
  app.addHook('onReady', async () => history.start())
  app.addHook('preClose', () => events.end())
  app.addHook('onClose', async () => history.stop())
  app.get('/events', { exposeHeadRoute: false }, (_, reply) => events.open(reply))
}
