/**
 * What each connection asked last, and what that came to: most ask the same again, in the same
 * words, and to compare these costs a fraction of reading them. V8 puts every text by which
 * something is looked up into a table of its own first, and each request's are new.
 */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

interface Asked<Meaning> {
  readonly target: string | undefined
  readonly rawHeaders: readonly string[]
  readonly meaning: Meaning
}

export class LastAsked<Meaning> {
  readonly #asked = new WeakMap<Socket, Asked<Meaning>>()

  /** Of a request that is the same as the last one on its connection. */
  meaningOf({ rawHeaders, socket, url }: IncomingMessage): Meaning | undefined {
    const asked = this.#asked.get(socket)
    if (asked?.target !== url || asked?.rawHeaders.length !== rawHeaders.length) return undefined
    for (let at = 0; at < rawHeaders.length; at++) {
      if (asked.rawHeaders[at] !== rawHeaders[at]) return undefined
    }
    return asked.meaning
  }

  note({ rawHeaders, socket, url }: IncomingMessage, meaning: Meaning): void {
    this.#asked.set(socket, { target: url, rawHeaders, meaning })
  }

  forget({ socket }: IncomingMessage): void {
    this.#asked.delete(socket)
  }
}
