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

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Chats, ListAnswer } from '../chats/chats.ts'
import type { Window } from '../chats/lists.ts'
import type { Clock } from '../clock.ts'
import type { AccessLog } from './access-log.ts'
import type { Connections } from './connections.ts'
import { LaneMemory, type Wish } from './lane-memory.ts'
import { writeHead } from './prepared-head.ts'
import { choose } from './representation.ts'
import type { TeamLimit } from './team-limit.ts'

export interface FastLaneOptions {
  readonly chats: Chats
  readonly clock: Clock
  readonly log: AccessLog
  readonly draining: () => boolean
  /** A request's id, given its caller's for it, if any. */
  readonly idOf: (given: string | undefined) => string
}

/** What there is only once the app is. */
interface Rest {
  readonly connections: Pick<Connections, 'sending'>
  readonly limit: Pick<TeamLimit, 'hasRoom' | 'take'>
}

export class FastLane {
  readonly #options: FastLaneOptions
  readonly #memory = new LaneMemory()
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
    this.#memory.learn(request, reply, window, answer)
  }

  #repeats(request: IncomingMessage, response: ServerResponse): boolean {
    const isPlain = request.method === 'GET' && request.httpVersion === '1.1'
    if (!isPlain || !this.#rest || this.#options.draining()) return false
    const wish = this.#memory.wishOf(request)
    if (wish && this.#repeat(wish, response)) return true
    this.#memory.forget(request)
    return false
  }

  #repeat(wish: Wish, response: ServerResponse): boolean {
    const { caller, plain, variant, window } = wish
    if (!this.#rest!.limit.hasRoom(caller.team)) return false
    const { chats } = this.#options
    const rendering = chats.kept(window, variant.version, caller.need)
    if (!rendering) return false
    const { body, coding } = choose(rendering, plain.acceptEncoding)
    if (coding !== variant.coding) return false
    const answer = chats.again(window, variant.version, caller.need, rendering)
    if (!answer) return false
    this.#send(response, wish, { answer, body })
    return true
  }

  #send(response: ServerResponse, { caller, plain, variant }: Wish, { answer, body }: Kept): void {
    const { clock, idOf, log } = this.#options
    const { connections, limit } = this.#rest!
    const startedAt = clock.now()
    const { requestId, traceparent } = plain
    const reqId = idOf(requestId)
    const { head, place } = variant
    const { team } = caller
    const tell = () => {
      const durationMs = clock.now() - startedAt
      log.repeated({ team, place, cache: answer.status, durationMs, reqId, traceparent })
    }
    const sent = head.status === 304 ? undefined : body
    writeHead(response, head, { answer, reqId, rateLimit: limit.take(team), length: sent?.length })
    response.end(sent)
    // Mostly the system has taken all of it by now.
    if (response.writableLength === 0) tell()
    else {
      response.on('finish', tell)
      if (sent) connections.sending(response, sent)
    }
  }
}

interface Kept {
  readonly answer: ListAnswer
  readonly body: Buffer
}
