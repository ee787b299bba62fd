/**
 * What each connection asked last, and what that came to: most ask the same again, in the same
 * words, and to compare these costs a fraction of reading them. V8 puts every text by which
 * something is looked up into a table of its own first, and each request's are new.
 */

import type { IncomingMessage } from 'node:http'

interface Asked {
  readonly target: string | undefined
  readonly rawHeaders: readonly string[]
  readonly meaning: unknown
}

/** On the socket itself, like what connections.ts knows of it. */
const asked = Symbol('asked')

declare module 'node:net' {
  interface Socket {
    [asked]?: Asked | undefined
  }
}

/** Longer ones, all together, are not worth the memory. */
const mostCharacters = 2000

export class LastAsked<Meaning> {
  /** Of a request that is the same as the last one on its connection. */
  meaningOf({ rawHeaders, socket, url }: IncomingMessage): Meaning | undefined {
    const last = socket[asked]
    if (last?.target !== url || last?.rawHeaders.length !== rawHeaders.length) return undefined
    for (let at = 0; at < rawHeaders.length; at++) {
      if (last.rawHeaders[at] !== rawHeaders[at]) return undefined
    }
    return last.meaning as Meaning
  }

  note({ rawHeaders, socket, url }: IncomingMessage, meaning: Meaning): void {
    const characters = rawHeaders.reduce((sum, text) => sum + text.length, url?.length ?? 0)
    if (characters <= mostCharacters) socket[asked] = { target: url, rawHeaders, meaning }
  }

  forget({ socket }: IncomingMessage): void {
    socket[asked] = undefined
  }
}
