/**
 * An upstream with as many chats as there are numbers, in a process of its own: any page of it is
 * full, and as large as it is told. Tells its URL over the channel; a number sent to it is the
 * bytes of the pages from then on. Ends when its parent is gone.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const chatsPerPage = 100
const total = 1e12

let filling = ''

const server = createServer((request, response) => {
  const offset = Number(/offset=(\d+)/.exec(request.url ?? '')?.[1] ?? 0)
  const chats = Array.from(
    { length: chatsPerPage },
    (_, step) => `{"id":${offset + step},"lastMessageText":"${filling}"}`
  )
  const body = `{"data":[${chats}],"meta":{"total":${total}}}`
  response.writeHead(200, { 'content-type': 'application/json' }).end(body)
})

process.on('disconnect', () => process.exit())
process.on('message', bytes => {
  filling = 'x'.repeat(Number(bytes) / chatsPerPage)
  process.send?.({ bytes })
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` })
})
