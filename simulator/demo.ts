/**
 * The demo: the simulator with 5,000 chats and the service in front of it, ready to curl. The
 * service is the real one, src/gate.ts with an environment of its own: free ports, temporary state
 * that is gone afterwards, and no developer's .env. It runs in this process, so that one signal
 * reaches both, once, and neither can outlive the other.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { startSimulator } from './upstream.ts'

const host = '127.0.0.1'
const blueToken = 'demo-token-of-team-blue'
const greenToken = 'demo-token-of-team-green'
const apiKey = 'demo-key-of-the-simulator'

const folder = mkdtempSync(join(tmpdir(), 'helpcrunch-demo-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const simulator = await startSimulator({ chats: 5_000, apiKey, latencyMs: 80, jitterMs: 120 })
const [port = 0, adminPort = 0] = await freePorts(host, [8080, 8081])

// The service reads .env where it is started.
process.chdir(folder)
process.env = {
  HELPCRUNCH_API_KEY: apiKey,
  HELPCRUNCH_BASE_URL: simulator.baseUrl,
  HOST: host,
  PORT: String(port),
  ADMIN_HOST: host,
  ADMIN_PORT: String(adminPort),
  STATE_DIR: folder,
  TEAM_TOKENS: `blue=${blueToken},green=${greenToken}`,
  LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn'
}
const { open } = await import('../src/gate.ts')
// Listens when that is done; ends the process, in words, if it cannot.
await open()
process.stdout.write(guide(`http://${host}:${port}`, `http://${host}:${adminPort}/`))

function guide(service: string, operators: string): string {
  const blue = `-H 'Authorization: Bearer ${blueToken}'`
  const green = `-H 'Authorization: Bearer ${greenToken}'`
  return `
The service is ready, in front of a simulated HelpCrunch with 5,000 chats and 120 calls a minute.

curl ${blue} ${service}/chats?limit=3

The same with its headers. It is a hit now, see Cache-Status; so it is for the other team:
curl -i ${blue} '${service}/chats?limit=3'
curl -i ${green} '${service}/chats?limit=3'

Sorted, and further down the list:
curl ${blue} '${service}/chats?sort=chats.closedAt&order=desc&offset=200&limit=2'

To read and to try:      ${service}/docs
The contract:            ${service}/openapi.yaml
The operators' view:     ${operators}
For HelpCrunch clients:  ${service}/v1

Ctrl-C stops everything and leaves nothing behind.
`
}
