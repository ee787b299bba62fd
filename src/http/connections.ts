/**
 * The connections of a listener and what each is still owed. Answers cheaply who is idle, so that
 * a listener with too many connections gives up the one that was idle longest instead of refusing
 * the newcomer, so that a reader who stopped reading is hung up on, and so that draining closes
 * each connection the moment nothing is owed to it. What a request means is none of its business.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { Clock, Timer } from '../clock.ts'

export interface ConnectionsOptions {
  readonly server: Server
  readonly clock: Clock
  /** Connections at once. */
  readonly most: number
  /** Bytes of answers that are being sent, all together. */
  readonly mostUnsentBytes?: number
}

interface Connection {
  /** Answers to requests whose header has arrived, until they are sent or nobody is left. */
  readonly owed: Set<ServerResponse>
  latest: IncomingMessage | undefined
  /** Bytes handed over when it was last looked at, and since when some of them are not taken. */
  sent: number
  stuckSince: number
}

/** A busy caller's next request comes within this time after an answer, or after it connected. */
const lingerMs = 250

/** Emitted on a response for whoever works on it: give up, for this reason. */
export const abandoned = 'abandoned'

/** Not more memory than a cache has; smaller answers fit into what the system keeps for a socket. */
const defaultMostUnsentBytes = 256 * 1024 * 1024
const noteworthyBytes = 64 * 1024

/** For what a refused client still sends. */
const discardMs = 2000

/** The longest that a whole answer may take to be read, and that a stream may stand still. */
const sendTimeoutMs = 60_000
const lookEveryMs = 10_000

export class Connections {
  readonly #options: Required<ConnectionsOptions>
  /** Those that became idle longest ago come first. */
  readonly #open = new Map<Socket, Connection>()
  /** Large answers on their way, those begun longest ago first, and how many share a body. */
  readonly #unsent = new Map<ServerResponse, Buffer>()
  readonly #sharers = new Map<Buffer, number>()
  #unsentBytes = 0
  #timer: Timer | undefined
  #endsIdle = false
  #abandoned: Error | undefined
  #onEmpty: () => void = () => {}

  constructor(options: ConnectionsOptions) {
    this.#options = { mostUnsentBytes: defaultMostUnsentBytes, ...options }
    options.server.on('connection', (socket: Socket) => this.#add(socket))
    // Before the application's listener, which may have sent the answer when it returns.
    options.server.prependListener('request', (request, response) => this.#owe(request, response))
  }

  /** False if further requests have come on the same connection, which wait for their answers. */
  isLatest(request: IncomingMessage): boolean {
    const connection = this.#open.get(request.socket)
    return connection === undefined || connection.latest === request
  }

  /** Notes an answer that begins to be sent; too many unread ones cost those begun longest ago. */
  sending(response: ServerResponse, body: Buffer): void {
    if (body.length < noteworthyBytes) return
    const sharers = this.#sharers.get(body) ?? 0
    if (sharers === 0) this.#unsentBytes += body.length
    this.#sharers.set(body, sharers + 1)
    this.#unsent.set(response, body)
    response.once('close', () => this.#sent(response))
    for (const [oldest] of this.#unsent) {
      if (this.#unsentBytes <= this.#options.mostUnsentBytes || oldest === response) return
      // A reset, because the end of a connection is the end of the body for HTTP/1.0.
      oldest.socket?.resetAndDestroy()
      this.#sent(oldest)
    }
  }

  /**
   * Notes that this answer ends before the request has: if the connection ends with it, what still
   * comes is read and thrown away for a moment. Unread bytes would have the system reset the
   * connection, and the client never see the answer (RFC 9112 section 9.6).
   */
  endsEarly({ socket }: IncomingMessage): void {
    socket.destroySoon = () => {
      socket.end()
      const moment = this.#options.clock.after(discardMs, () => socket.destroy())
      socket.once('close', () => moment.cancel())
    }
  }

  /**
   * Takes no further connections. Those that are owed nothing, also if half a request has come on
   * them, are ended a moment later: a request may be on its way already, which gets its answer and
   * is told that it was the last. Resolves when all have ended.
   */
  async drain(): Promise<void> {
    // Node's own close ends idle connections at once, and so resets whoever is about to ask.
    NetServer.prototype.close.call(this.#options.server)
    if (this.#open.size === 0) return
    const moment = this.#options.clock.after(lingerMs, () => this.#endIdle())
    await new Promise<void>(resolve => {
      this.#onEmpty = resolve
    })
    moment.cancel()
  }

  /** Why no answer is worked on any more, once that is so. */
  get abandonedFor(): Error | undefined {
    return this.#abandoned
  }

  /** Tells whoever works on an answer that there is no more time for it. */
  abandon(reason: Error): void {
    this.#abandoned = reason
    for (const { owed } of this.#open.values()) {
      for (const response of owed) response.emit(abandoned, reason)
    }
  }

  /** Ends everything at once; a body that is being sent stays visibly incomplete. */
  cut(): void {
    for (const [socket, { owed }] of this.#open) {
      if (owed.size > 0) socket.resetAndDestroy()
      else socket.destroy()
    }
  }

  #add(socket: Socket): void {
    const fresh = { owed: new Set<ServerResponse>(), latest: undefined, sent: 0, stuckSince: 0 }
    this.#open.set(socket, fresh)
    socket.on('close', () => this.#remove(socket))
    if (this.#open.size > this.#options.most) this.#makeRoom()
    this.#timer ??= this.#options.clock.after(lookEveryMs, () => this.#look())
  }

  #remove(socket: Socket): void {
    this.#open.delete(socket)
    if (this.#open.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#onEmpty()
  }

  /** The newcomer itself if all others are busy. */
  #makeRoom(): void {
    for (const [socket, { owed }] of this.#open) {
      if (owed.size > 0) continue
      this.#open.delete(socket)
      socket.destroy()
      return
    }
  }

  #owe(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(request.socket)
    if (!connection) return
    connection.latest = request
    connection.owed.add(response)
    response.on('close', () => this.#settle(request.socket, connection, response))
  }

  #settle(socket: Socket, connection: Connection, response: ServerResponse): void {
    connection.owed.delete(response)
    if (connection.owed.size > 0 || !this.#open.delete(socket)) return
    this.#open.set(socket, connection)
    if (this.#endsIdle) socket.destroySoon()
  }

  #endIdle(): void {
    this.#endsIdle = true
    for (const [socket, { owed }] of this.#open) if (owed.size === 0) socket.destroySoon()
  }

  #sent(response: ServerResponse): void {
    const body = this.#unsent.get(response)
    if (!body) return
    this.#unsent.delete(response)
    const sharers = (this.#sharers.get(body) ?? 1) - 1
    if (sharers > 0) this.#sharers.set(body, sharers)
    else {
      this.#sharers.delete(body)
      this.#unsentBytes -= body.length
    }
  }

  /** Hangs up on who has stopped reading. Waiting for an answer is not that. */
  #look(): void {
    const { clock } = this.#options
    const now = clock.now()
    this.#timer = clock.after(lookEveryMs, () => this.#look())
    for (const [socket, connection] of this.#open) {
      const isStuck = socket.writableLength > 0 && socket.bytesWritten === connection.sent
      if (!isStuck) connection.stuckSince = now
      else if (now - connection.stuckSince >= sendTimeoutMs) socket.resetAndDestroy()
      connection.sent = socket.bytesWritten
    }
  }
}
