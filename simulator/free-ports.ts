/**
 * Ports that can be listened on: the wished ones, or any others where these are taken. All are
 * held until the last is found, so that no two are the same; somebody may still take one
 * afterwards.
 */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

export async function freePorts(host: string, wished: readonly number[]): Promise<number[]> {
  const held: Server[] = []
  for (const port of wished) held.push(await hold(host, port).catch(() => hold(host, 0)))
  const ports = held.map(server => (server.address() as AddressInfo).port)
  await Promise.all(held.map(server => once(server.close(), 'close')))
  return ports
}

async function hold(host: string, port: number): Promise<Server> {
  const server = createServer().listen(port, host)
  await once(server, 'listening')
  return server
}
