/**
 * An upstream of bare sockets, for what no HTTP server would send: a test says, request by
 * request, what happens to the connection. Everything is ended when the test ends.
 */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface RawUpstream {
  readonly port: number
  readonly url: string
  /** The heads of the requests so far. */
  readonly requests: readonly string[]
  /** All connections so far. */
  readonly sockets: readonly Socket[]
}

/** `answer` is called for each request head, with how many came before it. */
export async function startRawUpstream(
  t: Test,
  answer: (socket: Socket, index: number) => void
): Promise<RawUpstream> {
  const requests: string[] = []
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    // Being cut off is what the tests are about.
    socket.on('error', () => {})
    let seen = ''
    socket.on('data', chunk => {
      seen += chunk.toString('latin1')
      for (let end = seen.indexOf('\r\n\r\n'); end >= 0; end = seen.indexOf('\r\n\r\n')) {
        requests.push(seen.slice(0, end))
        seen = seen.slice(end + 4)
        answer(socket, requests.length - 1)
      }
    })
  })
  const port = await listen(t, server)
  return { port, url: `http://127.0.0.1:${port}/v1`, requests, sockets }
}

/** On a free port, until the test ends; its connections as well. */
export async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

export const emptyList = '{"data":[],"meta":{"total":0}}'

/** A response with a length; the status line and headers may be anything. */
export function rawResponse(
  body = emptyList,
  headers: readonly string[] = [],
  status = '200 OK'
): string {
  const lines = [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
