/**
 * The callers' listener, built without environment, port or signals. The order of what happens to
 * a request is written once, here: too much for us? → cross-origin preflight? → readable? → which
 * team? → within its limit? → is there such a route? → the route. Nothing of it depends on the
 * rooms behind.
 */

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type FastifyInstance, type FastifyRequest, fastify, LogController } from 'fastify'
import type { Chats } from '../chats/chats.ts'
import type { Exports } from '../chats/export/exports.ts'
import type { Clock } from '../clock.ts'
import { type Config, secretsOf } from '../config.ts'
import type { Load } from '../load.ts'
import type { Logger } from '../observe/log.ts'
import { createRedactor, type Redactor } from '../observe/redact.ts'
import type { Emit } from '../ports.ts'
import type { SharedStore } from '../shared-store.ts'
import { aboutRoutes } from './about-routes.ts'
import { AccessLog } from './access-log.ts'
import { allowedMethods, isOpenPath, type MethodTable, methodTable } from './allowed-methods.ts'
import { chatsRoutes } from './chats-routes.ts'
import { Connections } from './connections.ts'
import { addCors, corsHeadersFor } from './cors.ts'
import { describeRoutes, docsRoutes } from './docs.ts'
import { discardRest } from './early-end.ts'
import { errorHandler } from './error-handler.ts'
import { exportRoutes } from './export-routes.ts'
import { FastLane } from './fast-lane.ts'
import { Overload } from './overload.ts'
import { ProtocolErrors, routerErrorHandler } from './protocol-errors.ts'
import { checkRequest, originForm } from './request-checks.ts'
import { decorateRequests } from './request-state.ts'
import { shedding } from './shedding.ts'
import { createTeamLimit, type TeamLimit } from './team-limit.ts'
import { Teams } from './teams.ts'
import { createWebhookRoutes } from './webhook-routes.ts'

export interface AppOptions {
  readonly config: Config
  readonly clock: Clock
  readonly load: Load
  readonly logger: Logger
  readonly chats: Chats
  readonly exports: Exports
  readonly emit: Emit
  /** A signed event of HelpCrunch, new. */
  readonly onEvent: (event: string, eventData: unknown) => void
  /** True from SIGTERM on: connections are closed after their reply. */
  readonly draining: () => boolean
  /** While draining: when a successor can be expected to answer, in milliseconds from now. */
  readonly successorInMs: () => number
  /** Connections at once. */
  readonly mostConnections: number
  /** What replicas share. */
  readonly store?: SharedStore | undefined
  /** Whether hits may take it; the answers are the same. */
  readonly fastLane?: boolean
}

export interface CallersListener {
  readonly app: FastifyInstance
  readonly connections: Connections
  /** Why a team's next request would be refused by its own limit, if it would. */
  readonly teamRefusal: TeamLimit['refusal']
  readonly cleanTarget: Redactor['cleanTarget']
}

/** How long a request may take to arrive, in milliseconds; slower ones are answered 408. */
const headersTimeoutMs = 10_000
const requestTimeoutMs = 20_000
/** How long a connection may be idle: longer than the minute that most in front of us keep theirs. */
const keepAliveTimeoutMs = 72_000

const noQuery = Object.freeze({})

const serverOptions = {
  headersTimeout: headersTimeoutMs,
  requestTimeout: requestTimeoutMs,
  keepAliveTimeout: keepAliveTimeoutMs,
  connectionsCheckingInterval: 1000,
  // What has no body costs no stream of one, which nobody would read.
  optimizeEmptyRequests: true,
  // Node would answer a missing Host with an empty body; request-checks.ts does it in words.
  requireHostHeader: false
}

export async function createApp(options: AppOptions): Promise<CallersListener> {
  const { clock, config, draining, load, mostConnections } = options
  const redactor = createRedactor(secretsOf(config))
  const log = new AccessLog({ ...options, redactor })
  const idFrom = (given: string | string[] | undefined) => saneId(given, redactor) ?? freshId()
  const idOf = ({ headers }: IncomingMessage) => idFrom(headers['x-request-id'])
  const lane = new FastLane({ ...options, log, idOf: idFrom })
  const corsOf = corsHeadersFor(config.CORS_ORIGINS)
  const protocolErrors = new ProtocolErrors({ log, redactor, idOf, corsOf })
  const overload = new Overload({ clock, load, random: Math.random })
  const { refuse } = protocolErrors
  const app = fastify({
    loggerInstance: options.logger,
    // Fastify's own request lines would be a second and third one; see access-log.ts.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: idOf,
    // The two lines that a request may have say whose they are (access-log.ts).
    childLoggerFactory: logger => logger,
    // While draining, what arrives on open connections is still answered, in our words.
    return503OnClosing: false,
    bodyLimit: 256 * 1024,
    serverFactory: app =>
      createServer(serverOptions, shedding(lane.before(app), { overload, draining, refuse })),
    // The rooms read the raw query; see chats/query.ts.
    routerOptions: { ignoreTrailingSlash: true, querystringParser: () => noQuery },
    // Whoever logs or repeats the target from here on cannot repeat a secret.
    rewriteUrl: request => originForm(redactor.cleanTarget(request.url ?? '')),
    clientErrorHandler: protocolErrors.onClientError,
    frameworkErrors: routerErrorHandler(log, corsOf)
  }) as unknown as FastifyInstance
  const server = app.server as Server
  protocolErrors.attach(server)
  const connections = new Connections({ server, clock, most: mostConnections })
  // Before any route: those of plugins keep the handler that they find.
  app.setErrorHandler(errorHandler({ ...options, log }))
  describeOnly(app)
  decorateRequests(app)
  await describeRoutes(app)
  const limit = await addGates(app, options, connections)
  cleanBodies(app, redactor)
  addEnds(app, { ...options, connections, log, redactor, lane })
  await addRoutes(app, { ...options, connections, log })
  if (options.fastLane !== false) lane.open({ connections, limit })
  app.addHook('preClose', async () => lane.close())
  return { app, connections, teamRefusal: limit.refusal, cleanTarget: redactor.cleanTarget }
}

/** Schemas document; the rooms validate and chats pass through as bytes (see schemas.ts). */
function describeOnly(app: FastifyInstance): void {
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => value => JSON.stringify(value))
}

/** What every request passes, in this order; returns the teams' limit. */
async function addGates(
  app: FastifyInstance,
  options: AppOptions,
  connections: Connections
): Promise<TeamLimit> {
  const { config, clock } = options
  const teams = new Teams(config.TEAM_TOKENS)
  const methods = methodTable(app)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    done()
  })
  // Before anything is refused, so that a page can read why.
  if (config.CORS_ORIGINS.length > 0) await addCors(app, config.CORS_ORIGINS)
  app.addHook('onRequest', async request => {
    const { url = '', httpVersion, rawHeaders } = request.raw
    checkRequest(url, httpVersion, rawHeaders)
    if (connections.abandonedFor) throw connections.abandonedFor
  })
  app.addHook('onRequest', async request => {
    if (isOpen(request, methods)) return
    request.team = teams.identify(request.headers.authorization, request.raw.rawHeaders)
  })
  const limit = await createTeamLimit(app, clock, config.TEAM_RATE_LIMIT, options.store)
  app.addHook('onRequest', async (request, reply) => {
    if (request.team !== '') await limit.check(request, reply)
  })
  answerNoRoute(app, methods)
  return limit
}

/** A body may be repeated as well, or sent on; a signed one is neither, and stays what was signed. */
function cleanBodies(app: FastifyInstance, { clean }: Redactor): void {
  app.addHook('preValidation', async request => {
    if (request.team === '' || !Buffer.isBuffer(request.body)) return
    const text = request.body.toString('latin1')
    const cleaned = clean(text)
    if (cleaned !== text) request.body = Buffer.from(cleaned, 'latin1')
  })
}

interface Ends extends Pick<AppOptions, 'clock' | 'draining'> {
  readonly connections: Connections
  readonly log: AccessLog
  readonly redactor: Redactor
  readonly lane: FastLane
}

/** What every reply passes on its way out. */
function addEnds(app: FastifyInstance, ends: Ends): void {
  const { clock, connections, draining, lane, log, redactor } = ends
  app.addHook('onSend', async (request, reply, payload) => {
    const { answered, raw } = request
    // Not before the last answer on it: those that were pipelined behind would get none.
    if (draining() && connections.isLatest(raw)) reply.header('connection', 'close')
    if (hasBodyLeft(raw)) discardRest(raw, clock)
    if (Buffer.isBuffer(payload)) connections.sending(reply.raw, payload)
    if (answered) lane.learn(request, reply, answered.window, answered.answer)
    // Our own words may repeat the upstream's; chats are bytes, and pass.
    return typeof payload === 'string' ? redactor.clean(payload) : payload
  })
  app.addHook('onResponse', async (request, reply) => log.answered(request, reply))
}

function hasBodyLeft({ complete, headers }: IncomingMessage): boolean {
  const hasBody =
    headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return hasBody && !complete
}

/** Here, and not only after the body was read: a body must not decide what a wrong path is told. */
function answerNoRoute(app: FastifyInstance, methods: MethodTable): void {
  app.addHook('onRequest', async (request, reply) => {
    if (isUnrouted(request)) throw allowedMethods(methods, request, reply)
  })
  // For routes that find out by themselves, such as files.
  app.setNotFoundHandler((request, reply) => {
    throw allowedMethods(methods, request, reply)
  })
}

/** The wildcard route of CORS takes every OPTIONS; preflights among them never get past its hook. */
function isUnrouted({ is404, routeOptions }: FastifyRequest): boolean {
  return is404 || routeOptions.url === '*'
}

/** Of no team, and counted for none. */
function isOpen(request: FastifyRequest, methods: MethodTable): boolean {
  if (isUnrouted(request)) return isOpenPath(methods, request)
  return request.routeOptions.config?.open === true
}

async function addRoutes(
  app: FastifyInstance,
  options: AppOptions & Pick<Ends, 'connections' | 'log'>
): Promise<void> {
  const { config, draining } = options
  const signingKey = config.WEBHOOK_SIGNING_KEY
  const webhooks = signingKey
    ? createWebhookRoutes({ signingKey, onEvent: options.onEvent })
    : undefined
  const routes = async (scope: FastifyInstance) => {
    if (webhooks) await scope.register(webhooks)
    await scope.register(aboutRoutes, { ready: () => !draining() })
    await scope.register(docsRoutes)
    const maxWaitMs = config.QUEUE_MAX_WAIT_SECONDS * 1000
    chatsRoutes(scope, { ...options, maxLimit: config.MAX_LIMIT, maxWaitMs })
    // Bulk waits for a window's slots to come back, if it has to.
    const windowMs = config.UPSTREAM_WINDOW_SECONDS * 1000
    exportRoutes(scope, { ...options, maxWaitMs: maxWaitMs + windowMs })
  }
  await app.register(routes)
  await app.register(routes, { prefix: '/v1' })
}

/** Node makes it of twenty pieces, ten times as large as the one that they become when they are read. */
function freshId(): string {
  const id = randomUUID()
  id.charCodeAt(0)
  return id
}

/** A caller's id for a request, if it is sane and no secret that strayed there. */
function saneId(given: string | string[] | undefined, { clean }: Redactor): string | undefined {
  const isSane = typeof given === 'string' && /^[\w-]{1,64}$/.test(given) && clean(given) === given
  return isSane ? given : undefined
}
