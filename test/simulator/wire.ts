/**
 * A client that sees the bare bytes of the simulator and how the connection ended, which no HTTP
 * client would show.
 */

import { connect } from 'node:net'

export interface Received {
  readonly text: string
  readonly bytes: Buffer
  readonly head: string
  readonly body: Buffer
  /** `open` if the wait was over before anything ended it. */
  readonly end: 'closed' | 'reset' | 'open'
  readonly chunks: number
}

export interface Sending {
  readonly target?: string
  readonly key?: string
  readonly waitMs?: number
}

/** One GET with `Connection: close`; waits until the connection ends, or `waitMs` are over. */
export function receive(port: number, sending: Sending = {}): Promise<Received> {
  const { target = '/v1/chats?limit=2', key = 'demo-key', waitMs = 2_000 } = sending
  const { promise, resolve } = Promise.withResolvers<Received>()
  const chunks: Buffer[] = []
  const socket = connect(port, '127.0.0.1')
  const finish = (end: Received['end']) => {
    clearTimeout(timer)
    socket.destroy()
    resolve(received(chunks, end))
  }
  const timer = setTimeout(finish, waitMs, 'open')
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('end', () => finish('closed'))
  socket.on('error', () => finish('reset'))
  const head = ['Host: simulator', `Authorization: Bearer ${key}`, 'Connection: close']
  socket.write(`GET ${target} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`)
  return promise
}

function received(chunks: readonly Buffer[], end: Received['end']): Received {
  const bytes = Buffer.concat(chunks)
  const border = bytes.indexOf('\r\n\r\n')
  const head = border < 0 ? '' : bytes.subarray(0, border).toString().toLowerCase()
  const body = border < 0 ? Buffer.alloc(0) : bytes.subarray(border + 4)
  return { text: bytes.toString(), bytes, head, body, end, chunks: chunks.length }
}
