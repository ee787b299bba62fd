/**
 * One request and its response on an undici dispatcher, watched closely enough to say afterwards
 * how far it got. undici calls `onRequestStart` right before it writes to a socket; a request
 * aborted before that moment certainly never left, which is what gives its slot back at once.
 */

import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Contact } from '../errors.ts'

export interface RawResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** The response grew past its bound. */
export class TooLargeError extends Error {}

/** The peer said something that is no answer to what it was asked. */
export class UnaskedError extends Error {}

export interface ExchangeOptions {
  readonly maxBytes: number
  /** Whether its time is over: a process that stood still may get its connection only then. */
  readonly isTooLate: () => boolean
}

/** It took longer than it may. */
export class TimeoutError extends Error {}

export class Exchange implements Dispatcher.DispatchHandler {
  /** Settles once; rejects with undici's error, `TooLargeError` or the reason given to `abort`. */
  readonly response: Promise<RawResponse>
  /** The connection that carries it, from the moment it has one. */
  line: { readonly saidMore: boolean } | undefined
  readonly #options: ExchangeOptions
  readonly #chunks: Buffer[] = []
  readonly #resolve: (response: RawResponse) => void
  readonly #reject: (error: Error) => void
  #bytes = 0
  #contact: Contact = 'unsent'
  #controller: Dispatcher.DispatchController | undefined
  #aborted: Error | undefined
  #head: { status: number; headers: IncomingHttpHeaders } | undefined

  constructor(options: ExchangeOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<RawResponse>()
    this.response = promise.then(response => {
      // Only now has undici read on behind the answer.
      if (this.line?.saidMore) throw new UnaskedError('there was more after the answer')
      return response
    })
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
  }

  get contact(): Contact {
    return this.#contact
  }

  abort(reason: Error): void {
    this.#aborted = reason
    this.#controller?.abort(reason)
    this.#reject(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // Whoever counts calls counts on it that none leaves after its time.
    if (this.#options.isTooLate()) this.abort(new TimeoutError())
    if (this.#aborted) {
      controller.abort(this.#aborted)
    } else if (this.#contact !== 'unsent') {
      // Sending again without asking the ledger would be a call that nobody counted.
      this.abort(new Error('the connection was lost'))
    } else {
      this.#contact = 'unanswered'
    }
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders) {
    // Nobody asked for an interim response, and whoever sends one may not have seen the call yet.
    if (status < 200) return this.abort(new UnaskedError(`a ${status} came first`))
    this.#contact = 'answered'
    this.#head = { status, headers }
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > this.#options.maxBytes) this.abort(new TooLargeError())
    else this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (this.#head) this.#resolve({ ...this.#head, body: Buffer.concat(this.#chunks) })
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error)
  }
}
