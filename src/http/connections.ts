/**
 * The connections of a listener and what each is still owed. Answers cheaply who is idle, so that
 * a listener with too many connections gives up the one that was idle longest instead of refusing
 * the newcomer, so that a reader who stopped reading is hung up on, and so that draining closes
 * each connection the moment nothing is owed to it. Tells whoever works on an answer when nobody
 * is left to have it. What a request means is none of its business.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import { Cancellation, type Signal } from '../cancellation.ts'
import type { Clock, Timer } from '../clock.ts'
import { Link, Ring } from './ring.ts'
import { UnsentAnswers } from './unsent-answers.ts'

export interface ConnectionsOptions {
  readonly server: Server
  readonly clock: Clock
  /** Connections at once. */
  readonly most: number
  /** Bytes of answers that are being sent, all together. */
  readonly mostUnsentBytes?: number
}

/** An answer to a request whose header has arrived, until it is sent or nobody is left. */
interface Owed {
  readonly response: ServerResponse
  /** For whoever works on it. */
  leaving: Cancellation | undefined
}

/** Nothing is ever added to it. */
const none: Owed[] = []

class Connection extends Link {
  readonly socket: Socket
  /** Those asked for first come first; mostly one or none, and a set would take four times that. */
  owed: Owed[] = none
  latest: IncomingMessage | undefined
  /** Bytes handed over when it was last looked at, and since when some of them are not taken. */
  sent = 0
  stuckSince = 0

  constructor(socket: Socket) {
    super()
    this.socket = socket
  }
}

/** On the socket itself: a map would have to be asked three times for every answer. */
const connection = Symbol('connection')

declare module 'node:net' {
  interface Socket {
    [connection]?: Connection
  }
}

/** A busy caller's next request comes within this time after an answer, or after it connected. */
const lingerMs = 250

/** Why a signal is aborted; never answered, because nobody is there to read it. */
export class CallerLeftError extends Error {}

/** The longest that a whole answer may take to be read, and that a stream may stand still. */
const sendTimeoutMs = 60_000
const lookEveryMs = 10_000

/** Turns in which nobody came: then there is nobody in the line. */
const quietTurns = 3

export class Connections {
  readonly #options: ConnectionsOptions
  /** Those that became idle longest ago come first. */
  readonly #open = new Ring<Connection>()
  readonly #unsent: UnsentAnswers
  #timer: Timer | undefined
  #endsIdle = false
  /** Connections so far. */
  #taken = 0
  #abandoned: Error | undefined
  #onEmpty: () => void = () => {}
  /** One for all of them: a function for each would be there for as long as its caller waits. */
  readonly #onSocketClose: (this: Socket) => void
  readonly #onResponseClose: (this: ServerResponse) => void

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#unsent = new UnsentAnswers(options.mostUnsentBytes)
    const connections = this
    this.#onSocketClose = function () {
      connections.#remove(this[connection]!)
    }
    this.#onResponseClose = function () {
      connections.#settle(this)
    }
    options.server.on('connection', (socket: Socket) => this.#add(socket))
    // Before the application's listener, which may have sent the answer when it returns.
    options.server.prependListener('request', (request, response) => this.#owe(request, response))
  }

  /** False if further requests have come on the same connection, which wait for their answers. */
  isLatest(request: IncomingMessage): boolean {
    const { [connection]: own } = request.socket
    return own === undefined || own.latest === request
  }

  /** Notes an answer that begins to be sent. */
  sending(response: ServerResponse, body: Buffer): void {
    this.#unsent.add(response, body)
  }

  /** Aborted when the caller has left, or when there is no more time for its answer. */
  signalOf(request: IncomingMessage): Signal {
    const { owed = none } = request.socket[connection] ?? {}
    const mine = owed.findLast(({ response }) => response.req === request)
    const leaving = new Cancellation()
    if (mine) mine.leaving = leaving
    else if (request.socket.destroyed) leaving.abort(callerLeft())
    if (this.#abandoned) leaving.abort(this.#abandoned)
    return leaving
  }

  /**
   * Takes in who stands in the system's line already, and was told there that the connection is
   * made: the listener is asked for one in a turn of the event loop, and closing it resets the rest.
   */
  async takeIn(): Promise<void> {
    const { clock } = this.#options
    const until = clock.now() + lingerMs
    for (let quiet = 0; quiet < quietTurns && clock.now() < until; ) {
      const known = this.#taken
      // A timer is a turn of its own.
      await new Promise<void>(resolve => clock.after(1, resolve))
      quiet = this.#taken === known ? quiet + 1 : 0
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
    for (const { owed } of [...this.#open]) {
      for (const { leaving } of [...owed]) leaving?.abort(reason)
    }
  }

  /** Ends everything at once; a body that is being sent stays visibly incomplete. */
  cut(): void {
    for (const { owed, socket } of [...this.#open]) {
      if (owed.length > 0) socket.resetAndDestroy()
      else socket.destroy()
    }
  }

  #add(socket: Socket): void {
    this.#taken++
    const added = new Connection(socket)
    socket[connection] = added
    this.#open.add(added)
    socket.on('close', this.#onSocketClose)
    if (this.#open.size > this.#options.most) this.#makeRoom()
    this.#timer ??= this.#options.clock.after(lookEveryMs, () => this.#look())
  }

  #remove(closed: Connection): void {
    this.#open.delete(closed)
    const { owed } = closed
    closed.owed = none
    // Not every Node tells those that were pipelined behind another one.
    for (const one of owed) leave(one)
    if (this.#open.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#onEmpty()
  }

  /** The newcomer itself if all others are busy. */
  #makeRoom(): void {
    for (const one of this.#open) {
      if (one.owed.length > 0) continue
      this.#open.delete(one)
      one.socket.destroy()
      return
    }
  }

  #owe(request: IncomingMessage, response: ServerResponse): void {
    const own = request.socket[connection]
    if (!own) return
    own.latest = request
    const owed = { response, leaving: undefined }
    // What is pushed onto an empty array gets room for sixteen more.
    if (own.owed.length === 0) own.owed = [owed]
    else own.owed.push(owed)
    response.on('close', this.#onResponseClose)
  }

  #settle(response: ServerResponse): void {
    const own = response.req.socket[connection]
    if (!own) return
    const at = own.owed.findIndex(owed => owed.response === response)
    if (at >= 0) for (const settled of own.owed.splice(at, 1)) leave(settled)
    if (own.owed.length > 0 || !this.#open.has(own)) return
    this.#open.makeLatest(own)
    if (this.#endsIdle) own.socket.destroySoon()
  }

  #endIdle(): void {
    this.#endsIdle = true
    for (const { owed, socket } of [...this.#open]) if (owed.length === 0) socket.destroySoon()
  }

  /** Hangs up on who has stopped reading. Waiting for an answer is not that. */
  #look(): void {
    const { clock } = this.#options
    const now = clock.now()
    this.#timer = clock.after(lookEveryMs, () => this.#look())
    for (const one of [...this.#open]) {
      const { sent, socket, stuckSince } = one
      const isStuck = socket.writableLength > 0 && socket.bytesWritten === sent
      if (!isStuck) one.stuckSince = now
      else if (now - stuckSince >= sendTimeoutMs) socket.resetAndDestroy()
      one.sent = socket.bytesWritten
    }
  }
}

function leave({ leaving, response }: Owed): void {
  if (!response.writableFinished) leaving?.abort(callerLeft())
}

function callerLeft(): CallerLeftError {
  return new CallerLeftError('The caller has left.')
}
