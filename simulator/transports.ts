/**
 * The faults of the wire: the right answer sent too slowly, in part, or not at all. Most write
 * past Node's response straight to the socket, because Node refuses to send what is wrong; Node
 * then still waits for that response, so such a connection serves no further request and says so.
 * Each may run for long; `sleep` rejects when the simulator closes, and that ends it.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type Answer, headOf, send } from './answer.ts'

export interface TransportShapes {
  /** Ends the connection after half of the body. */
  truncated: { readonly framing: 'length' | 'chunked' }
  resetBeforeBytes: object
  /** Sends the head and half of the body, then resets the connection. */
  resetMidBody: object
  /** Accepts the request and never answers. */
  hang: object
  /** Sends the head and half of the body, then nothing more. */
  stallMidBody: object
  /** One byte of the head at a time, then the body. */
  dripHeaders: { readonly everyMs?: number }
  /** The head, then one byte of the body at a time. */
  dripBody: { readonly everyMs?: number }
  /** A chunked body of this many bytes: a list that is valid but for its size, or junk. */
  bodyOfBytes: { readonly bytes: number; readonly content?: 'json' | 'junk' }
  /** The same list, a thousandth of the size on the wire; `bytes` counts it unpacked. */
  gzipBomb: { readonly bytes?: number }
  /** These bytes instead of an answer. Left open, the connection answers nothing any more. */
  raw: { readonly bytes: string | Buffer; readonly close?: boolean }
  /** The correct answer, this much later. */
  delay: { readonly ms: number }
}

export interface Exchange {
  readonly answer: Answer
  readonly response: ServerResponse
  readonly socket: Socket
  readonly sleep: (ms: number) => Promise<void>
}

/** What one returns is awaited. */
type Transports = {
  readonly [K in keyof TransportShapes]: (fault: TransportShapes[K], exchange: Exchange) => unknown
}

export const transports: Transports = {
  truncated: ({ framing }, { answer, socket }) => {
    socket.end(framing === 'length' ? firstHalf(answer) : firstChunk(answer))
  },
  resetBeforeBytes: (_, { socket }) => {
    socket.resetAndDestroy()
  },
  resetMidBody: async (_, { answer, socket, sleep }) => {
    await write(socket, firstHalf(answer))
    // A reset overtakes what the client has not read yet.
    await sleep(20)
    socket.resetAndDestroy()
  },
  hang: () => {},
  stallMidBody: (_, { answer, socket }) => write(socket, firstHalf(answer)),
  dripHeaders: async ({ everyMs = 100 }, { answer, socket, sleep }) => {
    await drip(headOf(answer), everyMs, { socket, sleep })
    socket.end(answer.body)
  },
  dripBody: async ({ everyMs = 100 }, { answer, socket, sleep }) => {
    await write(socket, headOf(answer))
    await drip(answer.body, everyMs, { socket, sleep })
    socket.end()
  },
  bodyOfBytes: ({ bytes, content = 'json' }, { answer, response }) => {
    response.writeHead(answer.status, answer.headers)
    return pipeline(Readable.from(content === 'json' ? paddedList(bytes) : junk(bytes)), response)
  },
  gzipBomb: ({ bytes = 64 * 2 ** 20 }, { answer, response }) => {
    response.writeHead(answer.status, { ...answer.headers, 'content-encoding': 'gzip' })
    return pipeline(Readable.from(paddedList(bytes)), createGzip(), response)
  },
  raw: ({ bytes, close = true }, { socket }) => (close ? socket.end(bytes) : write(socket, bytes)),
  delay: async ({ ms }, { answer, response, sleep }) => {
    await sleep(ms)
    send(answer, response)
  }
}

const padding = Buffer.alloc(64 * 1024, ' ')

function firstHalf(answer: Answer): Buffer {
  return Buffer.concat([headOf(answer), answer.body.subarray(0, answer.body.length >> 1)])
}

/** The whole body, without the last chunk that would say so. */
function firstChunk(answer: Answer): Buffer {
  const head = headOf(answer, { 'transfer-encoding': 'chunked' })
  const size = Buffer.from(`${answer.body.length.toString(16)}\r\n`)
  return Buffer.concat([head, size, answer.body, Buffer.from('\r\n')])
}

/** Resolves also when the client is gone: what it then misses is its own affair. */
function write(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise(resolve => socket.write(bytes, () => resolve()))
}

type Wire = Pick<Exchange, 'socket' | 'sleep'>

async function drip(bytes: Buffer, everyMs: number, { socket, sleep }: Wire): Promise<void> {
  for (let sent = 0; sent < bytes.length && socket.writable; sent += 1) {
    await write(socket, bytes.subarray(sent, sent + 1))
    await sleep(everyMs)
  }
}

function* paddedList(bytes: number): Generator<Buffer> {
  const start = Buffer.from('{"data":[],"meta":{"total":0},"padding":"')
  const end = Buffer.from('"}')
  yield start
  yield* junk(bytes - start.length - end.length)
  yield end
}

function* junk(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= padding.length) yield padding.subarray(0, left)
}
