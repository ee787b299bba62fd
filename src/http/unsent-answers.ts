/**
 * Large answers on their way to callers who may be slow to read them: of more than there is memory
 * for, those that were begun longest ago are given up. Answers that share their bytes cost no more
 * than one.
 */

import type { ServerResponse } from 'node:http'

/** Not more memory than a cache has; smaller answers fit into what the system keeps for a socket. */
const defaultMostBytes = 256 * 1024 * 1024
const noteworthyBytes = 64 * 1024

export class UnsentAnswers {
  readonly #mostBytes: number
  /** Those begun longest ago first, and how many share a body. */
  readonly #bodies = new Map<ServerResponse, Buffer>()
  readonly #sharers = new Map<Buffer, number>()
  #bytes = 0

  /** @param mostBytes of all of them together */
  constructor(mostBytes = defaultMostBytes) {
    this.#mostBytes = mostBytes
  }

  /** One that begins to be sent. */
  add(response: ServerResponse, body: Buffer): void {
    if (body.length < noteworthyBytes) return
    const sharers = this.#sharers.get(body) ?? 0
    if (sharers === 0) this.#bytes += body.length
    this.#sharers.set(body, sharers + 1)
    this.#bodies.set(response, body)
    response.once('close', () => this.#delete(response))
    for (const [oldest] of this.#bodies) {
      if (this.#bytes <= this.#mostBytes || oldest === response) return
      // A reset, because the end of a connection is the end of the body for HTTP/1.0.
      oldest.socket?.resetAndDestroy()
      this.#delete(oldest)
    }
  }

  #delete(response: ServerResponse): void {
    const body = this.#bodies.get(response)
    if (!body) return
    this.#bodies.delete(response)
    const sharers = (this.#sharers.get(body) ?? 1) - 1
    if (sharers > 0) this.#sharers.set(body, sharers)
    else {
      this.#sharers.delete(body)
      this.#bytes -= body.length
    }
  }
}
