/**
 * Who is measured: the service as a real process with every feature on, and the peers. Each is
 * started, told to fetch what it will be asked for, and then only asked.
 */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../../simulator/free-ports.ts'
import { commandOf, startCommand } from '../processes.ts'
import { type Case, cases, host, pathOf, serverCore, token } from './conditions.ts'
import { nginx, type ServerPlace, varnish } from './other-servers.ts'
import type { PeerWish } from './peer-process.ts'
import { isInstalled, pinned } from './pinned.ts'

/** What a subject stands on. */
interface Ground {
  /** Empty, and only this subject's. */
  readonly folder: string
  readonly simulatorUrl: string
  readonly originPort: number
  /** What the origin hands out, by path. */
  readonly bodies: Readonly<Record<string, string>>
}

export interface Running {
  readonly child: ChildProcess
  readonly url: string
}

export interface Subject {
  readonly name: string
  readonly cases: readonly Case[]
  /** Why it cannot be measured here, if so. */
  readonly missing?: string
  /** Whether it asks the upstream for each 304 all the same. */
  readonly asksAgain?: boolean
  start(ground: Ground): Promise<Running>
}

export const ours = 'helpcrunch-proxy'
export const floor = 'bare node:http'

const plain = cases.filter(name => !/br|gzip/.test(name))

export const subjects: readonly Subject[] = [
  { name: ours, cases, start: startService },
  { name: floor, cases, start: ground => startPeer('bare', ground) },
  {
    name: 'minimal Fastify',
    cases: plain,
    start: ground => startPeer('minimalFastify', ground)
  },
  { ...installed('nginx', 'nginx'), cases, start: ground => startServer(nginx, ground) },
  {
    ...installed('Varnish', 'varnishd'),
    // It makes and keeps gzip by itself, and knows no brotli.
    cases: cases.filter(name => !name.includes('br')),
    start: ground => startServer(varnish, ground)
  },
  {
    name: 'undici cache interceptor',
    cases: plain,
    asksAgain: true,
    start: ground => startPeer('undiciCache', ground)
  }
]

function installed(name: string, command: string): Pick<Subject, 'name' | 'missing'> {
  return { name, ...(!isInstalled(command) && { missing: `${command} is not installed` }) }
}

/** All on: token, team limit, log lines into a file, operators' listener, CORS. */
async function startService({ folder, simulatorUrl }: Ground): Promise<Running> {
  const [port = 0, adminPort = 0] = await freePorts(host, [0, 0])
  const command = commandOf(new URL('../../src/main.ts', import.meta.url))
  const child = startCommand(pinned(serverCore, command), {
    folder,
    output: join(folder, 'service.log'),
    env: {
      HELPCRUNCH_API_KEY: 'bench-key',
      HELPCRUNCH_BASE_URL: simulatorUrl,
      HOST: host,
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      TEAM_TOKENS: `blue=${token},green=bench-token-of-team-green`,
      TEAM_RATE_LIMIT: String(10 ** 9),
      CORS_ORIGINS: 'https://desk.example',
      // Nothing is to be fetched again while it is measured.
      CACHE_FRESH_SECONDS: '3600',
      STATE_DIR: folder
    }
  })
  return ready(child, `http://${host}:${port}`)
}

async function startPeer(kind: string, { bodies, originPort }: Ground): Promise<Running> {
  const command = commandOf(new URL('./peer-process.ts', import.meta.url), [kind])
  const child = startCommand(pinned(serverCore, command), { channel: true })
  child.send({ bodies, originPort } satisfies PeerWish)
  const [{ port }] = await once(child, 'message')
  return { child, url: `http://${host}:${port}` }
}

async function startServer(
  configure: (place: ServerPlace) => string[],
  { folder, originPort }: Ground
): Promise<Running> {
  const [port = 0] = await freePorts(host, [0])
  // Started by root, they work as somebody else.
  chmodSync(folder, 0o755)
  const child = startCommand(pinned(serverCore, configure({ folder, port, originPort })), {})
  return ready(child, `http://${host}:${port}`)
}

async function ready(child: ChildProcess, url: string): Promise<Running> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} has ended`)
    const answer = await fetch(url + pathOf['304']).catch(() => undefined)
    await answer?.arrayBuffer()
    // Whatever it says of the missing token, it listens.
    if (answer) return { child, url }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
