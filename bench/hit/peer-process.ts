/**
 * One peer that is made of Node, as a process of its own: `node peer-process.ts <kind>`. Is sent
 * the pages, or where to fetch them, and tells its port. Ends when its parent is gone.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { Agent, interceptors, request } from 'undici'
import { host } from './conditions.ts'
import { answerOf, type Pages, pagesOf } from './pages.ts'

export interface PeerWish {
  readonly bodies: Readonly<Record<string, string>>
  readonly originPort: number
}

process.on('disconnect', () => process.exit())
const [wish] = (await once(process, 'message')) as [PeerWish]
const bodies = Object.entries(wish.bodies).map(([path, text]) => [path, Buffer.from(text)])
const pages: Pages = pagesOf(Object.fromEntries(bodies))

const kinds: Record<string, () => Promise<number>> = { bare, minimalFastify, undiciCache }
process.send?.({ port: await kinds[process.argv[2] ?? '']!() })

/** What Node needs to write a prepared buffer: nothing can be cheaper on it. */
async function bare(): Promise<number> {
  return listening((message, response) => {
    const { body, headers, status } = answerOf(pages, message.url ?? '', message.headers)
    response.writeHead(status, headers)
    response.end(body)
  })
}

async function minimalFastify(): Promise<number> {
  const app = fastify()
  app.get('/chats', async (message, reply) => {
    const { body, headers, status } = answerOf(pages, message.raw.url ?? '', message.headers)
    return reply.code(status).headers(headers).send(body)
  })
  await app.listen({ host, port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** A proxy as one writes it: the cache is the client's. */
async function undiciCache(): Promise<number> {
  const dispatcher = new Agent().compose(interceptors.cache())
  const origin = `http://${host}:${wish.originPort}`
  return listening(async (message, response) => {
    const { authorization: _, host: __, connection: ___, ...headers } = message.headers
    const path = message.url ?? ''
    const answer = await request(origin + path, { dispatcher, headers })
    const { connection: ____, 'keep-alive': _____, ...answered } = answer.headers
    response.writeHead(answer.statusCode, answered)
    response.end(Buffer.from(await answer.body.arrayBuffer()))
  })
}

async function listening(
  answer: (message: IncomingMessage, response: ServerResponse) => void
): Promise<number> {
  const server = createServer(answer).listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
