/**
 * `GET /events`: the status, live (server-sent events, HTML Living Standard section 9.2). `history`
 * brings the points that a stream has not had yet, at first all that are remembered; `status` is the
 * JSON of `GET /status`, once a second, written once for all streams. It is the heartbeat too: who
 * hears nothing for some seconds is not connected.
 *
 * Streams are few, and a reader that is slow misses snapshots instead of having them kept for it.
 */

import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { FastifyReply } from 'fastify'
import type { Clock, Timer } from '../clock.ts'
import { ServiceError } from '../errors.ts'
import { type History, historySeconds } from '../observe/history.ts'

export interface EventsOptions {
  readonly clock: Clock
  readonly history: History
  readonly status: () => unknown
}

interface Stream {
  readonly body: Readable
  /** How many points had been taken when it was last sent some. */
  taken: number
}

/** Pages that are open at once. */
export const mostStreams = 32

const everyMs = 1000
/** Before a browser whose stream ended asks for the next one. */
const retryMs = 1000
/** For the last bytes to leave when the service ends. */
const endMs = 100

export class Events {
  readonly #options: EventsOptions
  readonly #streams = new Set<Stream>()
  #timer: Timer | undefined

  constructor(options: EventsOptions) {
    this.#options = options
  }

  /** @throws {ServiceError} `forbidden` if there are too many streams */
  open(reply: FastifyReply): FastifyReply {
    if (this.#streams.size >= mostStreams) {
      const detail = `${mostStreams} pages are watching already; close one of them.`
      throw new ServiceError('forbidden', detail)
    }
    const stream = { body: new Readable({ read() {} }), taken: 0 }
    this.#streams.add(stream)
    stream.body.once('close', () => this.#remove(stream))
    stream.body.push(`retry: ${retryMs}\n\n`)
    this.#write(stream, this.#snapshot())
    this.#timer ??= this.#next()
    return reply.type('text/event-stream; charset=utf-8').send(stream.body)
  }

  /** Ends all streams in order; resolves when their last bytes have left, or soon in any case. */
  async end(): Promise<void> {
    const ends = Array.from(this.#streams, ({ body }) => {
      body.push(null)
      return finished(body).catch(() => {})
    })
    if (ends.length === 0) return
    const late = Promise.withResolvers<void>()
    const timer = this.#options.clock.after(endMs, late.resolve)
    await Promise.race([Promise.all(ends), late.promise])
    timer.cancel()
  }

  #next(): Timer {
    return this.#options.clock.after(everyMs, () => {
      const snapshot = this.#snapshot()
      // What a reader has not taken yet would only pile up.
      for (const stream of this.#streams) {
        if (stream.body.readableLength === 0) this.#write(stream, snapshot)
      }
      this.#timer = this.#next()
    })
  }

  #remove(stream: Stream): void {
    this.#streams.delete(stream)
    if (this.#streams.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #snapshot(): string {
    return eventText('status', this.#options.status())
  }

  #write(stream: Stream, snapshot: string): void {
    const { history } = this.#options
    const points = history.since(stream.taken)
    stream.taken = history.taken
    const { every, span } = historySeconds
    const past = { everySeconds: every, spanSeconds: span, points }
    stream.body.push(points.length > 0 ? eventText('history', past) + snapshot : snapshot)
  }
}

/** JSON has no line breaks of its own, so one line is all of it. */
function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
