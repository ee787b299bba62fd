/**
 * The fast lane: repeats what the ordinary way has answered, without walking it again.
 *
 * A hit costs the ordinary way five times what Node itself needs to write it: routing, a chain of
 * hooks, the token's digest, a query to be read, fifteen headers to be checked, a logger. All of it
 * comes to the same each time the same is asked. So the ordinary way, when it has answered a hit,
 * leaves here what it was asked (the exact target and the few headers that matter), what that
 * means, and the headers that it sent; the next such request is answered before Fastify sees it.
 *
 * Nothing is decided here. Whether the page is still fresh and the same, and whether it is to be
 * refreshed, the cache says each time, as it does in the ordinary way, so that whatever makes a
 * page stale is seen at once; no page and no answer is kept here. The team's limit counts in the
 * same place. Whatever is not exactly as it was before goes the ordinary way, and nothing has
 * happened to it yet. test/http/fast-lane.test.ts sends the same requests both ways and compares.
 */

import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Chats, ListAnswer } from '../chats/chats.ts'
import type { Window } from '../chats/lists.ts'
import type { Coding } from '../chats/rendering.ts'
import type { Clock } from '../clock.ts'
import type { Need } from '../ports.ts'
import { type AccessLog, type LinePlace, linePlaceOf } from './access-log.ts'
import type { Connections } from './connections.ts'
import { type PlainHeaders, plainHeaders } from './plain-headers.ts'
import { headOf, type PreparedHead, writeHead } from './prepared-head.ts'
import { choose } from './representation.ts'
import type { TeamLimit } from './team-limit.ts'

export interface FastLaneOptions {
  readonly chats: Chats
  readonly clock: Clock
  readonly log: AccessLog
  readonly draining: () => boolean
  /** A caller's id for a request, if it is sane. */
  readonly saneId: (given: string) => string | undefined
}

/** What there is only once the app is. */
interface Rest {
  readonly connections: Pick<Connections, 'sending'>
  readonly limit: Pick<TeamLimit, 'hasRoom' | 'take'>
}

interface Caller {
  readonly team: string
  readonly need: Need
}

/** One way in which one target was asked for, and how that was answered. */
interface Variant extends Pick<PlainHeaders, 'acceptEncoding' | 'ifNoneMatch' | 'origin'> {
  readonly status: number
  readonly version: number
  readonly coding: Coding | undefined
  readonly head: PreparedHead
  readonly place: LinePlace
}

interface Known {
  readonly window: Window
  readonly variants: Variant[]
}

/** Those that were learnt first go first; whatever is still asked for is learnt again. */
const mostTargets = 1000
const mostVariants = 8
const mostCallers = 1000

export class FastLane {
  readonly #options: FastLaneOptions
  readonly #targets = new Map<string, Known>()
  /** By the whole `Authorization` that was let in. */
  readonly #callers = new Map<string | undefined, Caller>()
  #rest: Rest | undefined

  constructor(options: FastLaneOptions) {
    this.#options = options
  }

  /** From now on it repeats. */
  open(rest: Rest): void {
    this.#rest = rest
  }

  /** From now on everything goes the ordinary way. */
  close(): void {
    this.#rest = undefined
  }

  /** A listener that hands over to `next` whatever is not repeated. */
  before(next: RequestListener): RequestListener {
    return (request, response) => {
      if (!this.#repeats(request, response)) next(request, response)
    }
  }

  /** Of an answer from memory, when it is about to be sent. */
  learn(request: FastifyRequest, reply: FastifyReply, window: Window, answer: ListAnswer): void {
    const { originalUrl, raw, team } = request
    const plain = plainHeaders(raw.rawHeaders)
    const isRepeatable = raw.method === 'GET' && originalUrl === raw.url && plain !== undefined
    const head = headOf(reply.statusCode, reply.getHeaders())
    const { rendering, status, version } = answer
    if (!isRepeatable || !head || status.kind !== 'hit' || version === undefined) return
    const known = this.#knownOf(originalUrl, window)
    const at = known.variants.findIndex(variant => isSame(variant, plain))
    if (at >= 0) known.variants.splice(at, 1)
    known.variants.unshift({
      acceptEncoding: plain.acceptEncoding,
      ifNoneMatch: plain.ifNoneMatch,
      origin: plain.origin,
      status: reply.statusCode,
      version,
      coding: choose(rendering, plain.acceptEncoding).coding,
      head,
      place: linePlaceOf(request)
    })
    known.variants.length = Math.min(known.variants.length, mostVariants)
    if (this.#callers.size < mostCallers) {
      this.#callers.set(plain.authorization, { team, need: needOf(team) })
    }
  }

  #knownOf(target: string, window: Window): Known {
    const known = this.#targets.get(target)
    if (known) return known
    const fresh = { window, variants: [] }
    this.#targets.set(target, fresh)
    const [oldest] = this.#targets.keys()
    if (this.#targets.size > mostTargets && oldest !== undefined) this.#targets.delete(oldest)
    return fresh
  }

  #repeats(request: IncomingMessage, response: ServerResponse): boolean {
    const known = this.#targets.get(request.url!)
    if (!known || request.method !== 'GET' || request.httpVersion !== '1.1') return false
    const plain = plainHeaders(request.rawHeaders)
    if (!plain || !this.#rest || this.#options.draining()) return false
    const caller = this.#callers.get(plain.authorization)
    const variant = known.variants.find(one => isSame(one, plain))
    if (!caller || !variant || !this.#rest.limit.hasRoom(caller.team)) return false
    const { chats } = this.#options
    const rendering = chats.kept(known.window, variant.version, caller.need)
    if (!rendering) return false
    const { body, coding } = choose(rendering, plain.acceptEncoding)
    if (coding !== variant.coding) return false
    const answer = chats.again(known.window, variant.version, caller.need, rendering)
    if (!answer) return false
    this.#send(response, { answer, body, caller, plain, variant })
    return true
  }

  #send(response: ServerResponse, { answer, body, caller, plain, variant }: Repeated): void {
    const { clock, log, saneId } = this.#options
    const { connections, limit } = this.#rest!
    const startedAt = clock.now()
    const { origin: _, requestId, traceparent } = plain
    const reqId = (requestId !== undefined && saneId(requestId)) || randomUUID()
    const { head, place, status } = variant
    const { team } = caller
    response.on('finish', () => {
      const durationMs = clock.now() - startedAt
      log.repeated({ team, place, status, cache: answer.status, durationMs, reqId, traceparent })
    })
    const sent = status === 304 ? undefined : body
    writeHead(response, head, { answer, reqId, rateLimit: limit.take(team), length: sent?.length })
    if (sent) connections.sending(response, sent)
    response.end(sent)
  }
}

interface Repeated {
  readonly answer: ListAnswer
  readonly body: Buffer
  readonly caller: Caller
  readonly plain: PlainHeaders
  readonly variant: Variant
}

function isSame(variant: Variant, plain: PlainHeaders): boolean {
  return (
    variant.acceptEncoding === plain.acceptEncoding &&
    variant.ifNoneMatch === plain.ifNoneMatch &&
    variant.origin === plain.origin
  )
}

/** Nobody waits for what is stored. */
function needOf(team: string): Need {
  return { team, priority: 'interactive', deadline: -Infinity, signal: neverAborted }
}

const neverAborted = new AbortController().signal
