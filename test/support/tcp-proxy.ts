/**
 * A line between a client and a server that a test can make slow, cut, or leave open while
 * nothing passes any more, in one direction or both.
 */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

/** `up`: towards the server. */
export type Direction = 'up' | 'down'

export class TcpProxy {
  /** How much longer everything takes in each direction. */
  delayMs = 0
  readonly #server: Server
  #target: number
  readonly #sockets = new Set<Socket>()
  readonly #swallowed = new Set<Direction>()
  #isCut = false

  constructor(target: number) {
    this.#target = target
    this.#server = createServer(client => this.#accept(client))
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Connections are reset, those there are and those that come. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Connections stay open and can be made, and nothing passes. */
  swallow(...directions: Direction[]): void {
    for (const direction of directions) this.#swallowed.add(direction)
  }

  /** As it was. What was swallowed is gone, so the connections it was taken from are as well. */
  heal(): void {
    this.#isCut = false
    if (this.#swallowed.size > 0) for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#swallowed.clear()
  }

  /** From now on to another server. */
  turnTo(port: number): void {
    this.#target = port
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  close(): void {
    this.cut()
    this.#server.close()
  }

  #accept(client: Socket): void {
    this.#keep(client)
    if (this.#isCut) {
      client.resetAndDestroy()
      return
    }
    const server = this.#keep(connect(this.#target, '127.0.0.1'))
    this.#pass(client, server, 'up')
    this.#pass(server, client, 'down')
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    return socket
  }

  #pass(from: Socket, to: Socket, direction: Direction): void {
    const queue = new DelayQueue()
    const later = (act: () => void) => queue.add(this.delayMs, act)
    from.on('data', chunk => {
      if (this.#swallowed.has(direction)) return
      later(() => to.writable && to.write(chunk))
    })
    from.on('close', () => later(() => to.destroy()))
  }
}

/** Whatever becomes of the delay meanwhile, nothing overtakes what came before it. */
class DelayQueue {
  readonly #waiting: { readonly dueAt: number; readonly act: () => void }[] = []

  add(delayMs: number, act: () => void): void {
    if (delayMs <= 0 && this.#waiting.length === 0) {
      act()
      return
    }
    this.#waiting.push({ dueAt: performance.now() + delayMs, act })
    if (this.#waiting.length === 1) this.#wait()
  }

  #wait(): void {
    const [next] = this.#waiting
    if (next) setTimeout(() => this.#passNext(), Math.max(next.dueAt - performance.now(), 0))
  }

  #passNext(): void {
    this.#waiting.shift()?.act()
    this.#wait()
  }
}

export async function startTcpProxy(t: Test, target: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(target)
  await proxy.listen()
  t.teardown(() => proxy.close())
  return proxy
}
