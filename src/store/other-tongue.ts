/**
 * Whether the server would answer if TLS were spoken to it, or not spoken: to whoever speaks the
 * wrong one it only hangs up. Nothing that is secret is said to it.
 */

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { StoreAddress } from '../config-store.ts'
import { lasting, type Trouble, tlsUnknown, tlsWanted } from './trouble.ts'

const patienceMs = 500

export function otherTongue(
  { hosts, tls }: StoreAddress,
  clock: Clock
): Promise<Trouble | undefined> {
  const place = { ...hosts[0]! }
  // Whom it belongs to is of no interest yet: only that it is TLS.
  const socket = tls ? connect(place) : connectTls({ ...place, rejectUnauthorized: false })
  return new Promise(resolve => {
    const end = (trouble?: Trouble) => {
      timer.cancel()
      socket.destroy()
      resolve(trouble)
    }
    const timer = clock.after(patienceMs, end)
    socket.on('error', () => end())
    socket.on('close', () => end())
    if (tls) listenToPlain(socket, () => end(lasting(tlsUnknown)))
    else socket.on('secureConnect', () => end(lasting(tlsWanted)))
  })
}

/** Every answer of a Redis to a command that it may refuse begins with one of these. */
function listenToPlain(socket: Socket, onRedis: () => void): void {
  socket.on('connect', () => socket.write('PING\r\n'))
  socket.on('data', data => {
    if (/^[+-]/.test(data.toString('latin1'))) onRedis()
  })
}
