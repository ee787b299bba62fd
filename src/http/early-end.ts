/**
 * An answer that ends before its request has. If the connection ends with it, what still comes is
 * read and thrown away for a moment: unread bytes would have the system reset the connection, and
 * the client never see the answer (RFC 9112 section 9.6).
 */

import type { IncomingMessage } from 'node:http'
import type { Clock } from '../clock.ts'

const discardMs = 2000

/** To be called before the answer is sent. */
export function discardRest({ socket }: IncomingMessage, clock: Clock): void {
  socket.destroySoon = () => {
    socket.end()
    const moment = clock.after(discardMs, () => socket.destroy())
    socket.once('close', () => moment.cancel())
  }
}
