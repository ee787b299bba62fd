/**
 * The upstream of the peers: hands out the pages as a server that wants to be cached does, with a
 * freshness lifetime, an entity tag and each content coding; and counts what it is asked. It runs
 * in the bench, because nobody asks it anything while hits are measured.
 */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { host } from './conditions.ts'
import { answerOf, type Pages } from './pages.ts'

export interface Origin {
  readonly port: number
  /** Requests so far. */
  readonly calls: number
  close(): void
}

export async function startOrigin(pages: Pages): Promise<Origin> {
  let calls = 0
  const server = createServer((request, response) => {
    calls++
    const { body, headers, status } = answerOf(pages, request.url ?? '', request.headers)
    response.writeHead(status, { ...headers, 'cache-control': 'max-age=3600' }).end(body)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get calls() {
      return calls
    },
    close: () => server.close().closeAllConnections()
  }
}
