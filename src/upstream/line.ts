/**
 * One of the pool's connections, watched for what its peer does beside answering. undici hands an
 * answer over and only then sees that the peer went on talking; it ends the connection, so nobody
 * else is harmed, but the answer has to be known for what it was: half of a split response.
 */

import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher, errors } from 'undici'
import { Exchange } from './exchange.ts'

/** What the pool makes its connections with; it has built the connector already. */
export interface LineOptions extends Client.Options {
  readonly connect: buildConnector.connector
}

export class Line extends Client {
  readonly #peer: { socket?: Socket }

  constructor(origin: URL, options: LineOptions) {
    const peer: { socket?: Socket } = {}
    super(origin, {
      ...options,
      connect: (target, done) =>
        options.connect(target, (...result: buildConnector.CallbackArgs) => {
          if (result[1]) peer.socket = result[1]
          done(...result)
        })
    })
    this.#peer = peer
  }

  /** True if the peer sent more than it was asked for, as far as one read has shown. */
  get saidMore(): boolean {
    const cause = this.#peer.socket?.errored
    return cause instanceof errors.SocketError || cause instanceof errors.HTTPParserError
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    if (handler instanceof Exchange) handler.line = this
    return super.dispatch(options, handler)
  }
}
