/**
 * The callers' listener, built without environment, port or signals. The order of what happens to
 * a request is written once, here: readable? → cross-origin preflight? → which team? → within its
 * limit? → is there such a route? → the route. Nothing of it depends on the rooms behind.
 */

import { randomUUID } from 'node:crypto'
import type { Server } from 'node:http'
import fastifyCors from '@fastify/cors'
import {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController
} from 'fastify'
import type { Chats } from '../chats/chats.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../observe/log.ts'
import { aboutRoutes } from './about-routes.ts'
import { logRequest } from './access-log.ts'
import { allowedMethods, methodTable } from './allowed-methods.ts'
import { chatsRoutes } from './chats-routes.ts'
import { describeRoutes, docsRoutes } from './docs.ts'
import { CallerLeftError } from './need.ts'
import { sendProblem, toServiceError } from './problem.ts'
import { answerRouterError, ProtocolErrors } from './protocol-errors.ts'
import { checkRequest, originForm } from './request-checks.ts'
import { decorateRequests } from './request-state.ts'
import { createTeamLimit } from './team-limit.ts'
import { Teams } from './teams.ts'
import { createWebhookRoutes } from './webhook-routes.ts'

export interface AppOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly chats: Chats
  /** A signed event of HelpCrunch, new. */
  readonly onEvent: (event: string, eventData: unknown) => void
  /** True from SIGTERM on: connections are closed after their reply. */
  readonly draining: () => boolean
}

/** How long a request may take to arrive, in milliseconds; slower ones are answered 408. */
const headersTimeoutMs = 10_000
const requestTimeoutMs = 20_000

export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const protocolErrors = new ProtocolErrors(options.logger)
  const app = fastify({
    loggerInstance: options.logger,
    // Fastify's own request lines would be a second and third one; see access-log.ts.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: request => saneId(request.headers['x-request-id']) ?? randomUUID(),
    requestTimeout: requestTimeoutMs,
    // While draining, what arrives on open connections is still answered, in our words.
    return503OnClosing: false,
    bodyLimit: 256 * 1024,
    http: {
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 1000,
      // Node would answer a missing Host with an empty body; request-checks.ts does it in words.
      requireHostHeader: false
    },
    // The rooms read the raw query; see chats/query.ts.
    routerOptions: { ignoreTrailingSlash: true, querystringParser: () => ({}) },
    rewriteUrl: request => originForm(request.url ?? ''),
    clientErrorHandler: protocolErrors.onClientError,
    frameworkErrors: answerRouterError
  }) as unknown as FastifyInstance
  protocolErrors.attach(app.server as Server)
  // Before any route: those of plugins keep the handler that they find.
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(error, request, reply))
  describeOnly(app)
  decorateRequests(app)
  await describeRoutes(app)
  await addGates(app, options)
  await addRoutes(app, options)
  return app
}

/** Schemas document; the rooms validate and chats pass through as bytes (see schemas.ts). */
function describeOnly(app: FastifyInstance): void {
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => value => JSON.stringify(value))
}

/** What every request passes, in this order. */
async function addGates(app: FastifyInstance, options: AppOptions): Promise<void> {
  const { config, clock, draining } = options
  const teams = new Teams(config.TEAM_TOKENS)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    const { url = '', httpVersion, rawHeaders } = request.raw
    checkRequest(url, httpVersion, rawHeaders)
  })
  if (config.CORS_ORIGINS.length > 0) await addCors(app, config.CORS_ORIGINS)
  app.addHook('onRequest', async request => {
    if (isOpen(request)) return
    request.team = teams.identify(request.headers.authorization, request.raw.rawHeaders)
  })
  const checkLimit = await createTeamLimit(app, clock, config.TEAM_RATE_LIMIT)
  app.addHook('onRequest', async (request, reply) => {
    if (!isOpen(request)) await checkLimit(request, reply)
  })
  app.addHook('onSend', async (_, reply) => {
    if (draining()) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => logRequest(request, reply))
  answerNoRoute(app)
}

/** Here, and not only after the body was read: a body must not decide what a wrong path is told. */
function answerNoRoute(app: FastifyInstance): void {
  const methods = methodTable(app)
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404 || isOnlyPreflights(request)) throw allowedMethods(methods, request, reply)
  })
  // For routes that find out by themselves, such as files.
  app.setNotFoundHandler((request, reply) => {
    throw allowedMethods(methods, request, reply)
  })
}

/** The wildcard route of CORS takes every OPTIONS; preflights among them never get past its hook. */
function isOnlyPreflights(request: FastifyRequest): boolean {
  return request.routeOptions.url === '*'
}

function isOpen(request: FastifyRequest): boolean {
  return request.routeOptions.config?.open === true
}

async function addCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  const shared = {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST'],
    exposedHeaders: exposedHeaders.join(', '),
    maxAge: 600
  }
  await app.register(fastifyCors, {
    delegator: (request, done) => {
      // Only a preflight is answered here; any other OPTIONS is a method we do not have.
      const preflight =
        request.headers.origin !== undefined &&
        request.headers['access-control-request-method'] !== undefined
      done(null, { ...shared, preflight })
    }
  })
}

/** Our headers that a page of another origin may read. */
const exposedHeaders = [
  'Age',
  'Cache-Status',
  'ETag',
  'Link',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Server-Timing',
  'WWW-Authenticate',
  'X-Request-Id',
  'X-Total-Count'
]

async function addRoutes(app: FastifyInstance, options: AppOptions): Promise<void> {
  const { config, clock, chats, draining } = options
  const signingKey = config.WEBHOOK_SIGNING_KEY
  const webhooks = signingKey
    ? createWebhookRoutes({ signingKey, onEvent: options.onEvent })
    : undefined
  const routes = async (scope: FastifyInstance) => {
    if (webhooks) await scope.register(webhooks)
    await scope.register(aboutRoutes, { ready: () => !draining() })
    await scope.register(docsRoutes)
    chatsRoutes(scope, {
      chats,
      clock,
      maxLimit: config.MAX_LIMIT,
      maxWaitMs: config.QUEUE_MAX_WAIT_SECONDS * 1000
    })
  }
  await app.register(routes)
  await app.register(routes, { prefix: '/v1' })
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  if (error instanceof CallerLeftError) return logLeaving(request, reply)
  const problem = toServiceError(error)
  request.outcome = { ...request.outcome, error: problem }
  if (problem.code === 'internal_error') request.log.error({ err: problem.cause }, 'internal error')
  return sendProblem(request, reply, problem)
}

/** Nobody is there to read a reply; 499 is what logs call it. */
function logLeaving(request: FastifyRequest, reply: FastifyReply) {
  reply.code(499)
  logRequest(request, reply)
  return reply.hijack()
}

function saneId(given: string | string[] | undefined): string | undefined {
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : undefined
}
