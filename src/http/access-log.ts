/**
 * One line per request: who, which route, what the cache did, how it ended, how long it took and
 * which trace it belongs to. The figures are told of every request, whether it has a line or not.
 * The path is logged only where the route does not say it all, cut and never with its query; the
 * request id stands on the line because every line of this request's logger has it. Answers to a
 * team are all logged; refusals, and requests of nobody in particular, within the flood limit.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { type CacheStatus, cacheOutcome } from '../cache-status.ts'
import type { Clock } from '../clock.ts'
import { FloodLimit } from '../observe/flood-limit.ts'
import { type Logger, type PreparedLines, preparedLines } from '../observe/log.ts'
import type { Redactor } from '../observe/redact.ts'
import type { Emit } from '../ports.ts'
import { routeName } from './route-names.ts'
import { traceContextOf } from './trace-context.ts'

/** Lines of one kind and team in a second; the README says so. */
const mostPerSecond = 20

/** Where an answer was asked for and how, as figures and lines say it. */
export interface LinePlace {
  readonly route: string | undefined
  readonly status: number
  /** From the method to the name of the duration: JSON. */
  readonly members: string
}

/** An answer that says what an earlier one said. */
export interface Repetition {
  readonly team: string
  readonly place: LinePlace
  readonly cache: CacheStatus
  readonly durationMs: number
  readonly reqId: string
  readonly traceparent: string | undefined
}

export interface AccessLogOptions {
  readonly logger: Logger
  readonly clock: Clock
  readonly emit: Emit
  readonly redactor: Pick<Redactor, 'clean'>
}

export class AccessLog {
  readonly #logger: Logger
  readonly #lines: PreparedLines
  readonly #clean: Redactor['clean']
  readonly #emit: Emit
  readonly #limit: FloodLimit

  constructor({ clock, emit, logger, redactor }: AccessLogOptions) {
    this.#logger = logger
    this.#lines = preparedLines(logger, 'request')
    this.#clean = redactor.clean
    this.#emit = emit
    const report = (kind: string, count: number) =>
      logger.warn({ kind, count }, 'lines were left out')
    this.#limit = new FloodLimit({ clock, mostPerSecond, report })
  }

  /** An answer, or that nobody was left to have it. */
  answered(request: FastifyRequest, reply: FastifyReply): void {
    const { cache, timing, error, cut } = request.outcome ?? {}
    const { team } = request
    const status = reply.statusCode
    const outcome = cache && cacheOutcome(cache)
    this.#emit({
      type: 'http.answered',
      team,
      route: routeName(request.routeOptions.url),
      status,
      cache: outcome,
      durationMs: reply.elapsedTime
    })
    const isPlain = team !== '' && status < 400
    if (!isPlain && !this.#limit.admits(`${team} ${error?.code ?? status}`)) return
    const line = {
      reqId: request.id,
      team: team || undefined,
      method: request.method,
      ...placeOf(request),
      status,
      ms: round(reply.elapsedTime),
      ...traceContextOf(request.headers.traceparent),
      cache: outcome,
      queueMs: timing && round(timing.queueMs),
      upstreamMs: timing && round(timing.upstreamMs),
      cut,
      error: error?.code,
      evidence: error?.evidence,
      cause: causeOf(error?.cause)
    }
    const hasFailed = status >= 500 || cut === 'broken'
    request.log[hasFailed ? 'warn' : 'info'](line, 'request')
  }

  /** The same of an answer that was given before: the same figures, and the same line for less. */
  repeated({ cache, durationMs, place, reqId, team, traceparent }: Repetition): void {
    const outcome = cacheOutcome(cache)
    const { members, route, status } = place
    this.#emit({ type: 'http.answered', team, route, status, cache: outcome, durationMs })
    if (!this.#lines.areWanted) return
    const trace = traceparent === undefined ? '' : membersOf(traceContextOf(traceparent))
    const start = `"reqId":"${reqId}","team":"${team}",${members}`
    const line = `${start}${round(durationMs)}${trace},"cache":"${outcome}"`
    // Of the members only a trace is new to us.
    this.#lines.write(trace === '' ? line : this.#clean(line))
  }

  /** What was refused before it was a request of the app. */
  refused(refusal: { reqId: string; status: number; error: string }): void {
    const { status } = refusal
    const [team, route, cache, durationMs] = ['', undefined, undefined, 0]
    this.#emit({ type: 'http.answered', team, route, status, cache, durationMs })
    if (this.#limit.admits(` ${refusal.error}`)) this.#logger.info(refusal, 'request')
  }

  /** What nobody foresaw, with its stack. */
  failed(request: FastifyRequest, error: unknown): void {
    if (this.#limit.admits('internal error')) {
      request.log.error({ reqId: request.id, err: error }, 'internal error')
    }
  }
}

/** The route, and the path where that says more or there is none. */
function placeOf({ raw, routeOptions }: FastifyRequest): { route?: string; path?: string } {
  const route = routeOptions.url
  const isWhole = route !== undefined && !/[:*]/.test(route)
  if (isWhole) return { route }
  const path = (raw.url ?? '').split('?', 1)[0]?.slice(0, 200).toWellFormed() ?? ''
  return route === undefined || route === '*' ? { path } : { route, path }
}

export function linePlaceOf(request: FastifyRequest, status: number): LinePlace {
  const about = JSON.stringify({ method: request.method, ...placeOf(request), status })
  return {
    route: routeName(request.routeOptions.url),
    status,
    members: `${about.slice(1, -1)},"ms":`
  }
}

/** With a comma before them. */
function membersOf(about: object | undefined): string {
  return about === undefined ? '' : `,${JSON.stringify(about).slice(1, -1)}`
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}

/** What lay behind an error, by code or class only: a cause's message may quote what came. */
function causeOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const code = (cause as NodeJS.ErrnoException).code
  return code || cause.constructor.name
}
