/**
 * Bare node:http that answers nobody: what a caller that waits costs whatever is behind it. Says
 * how many there are at `/status`, like the service.
 */

import { createServer, type ServerResponse } from 'node:http'

const held: ServerResponse[] = []

createServer((request, response) => {
  if (request.url !== '/status') held.push(response)
  else response.end(JSON.stringify({ queue: { length: held.length } }))
}).listen(Number(process.env.PORT), '127.0.0.1', 5000)
