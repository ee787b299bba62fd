/** The service in front of the simulator, each a process, with a budget that is no hindrance. */

import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePorts } from '../../simulator/free-ports.ts'
import { kill, makeFolder, removeFolder, startScript } from '../processes.ts'

export interface Site {
  readonly url: string
  readonly token: string
  /** The service's resident memory. */
  residentMb(): Promise<number>
  close(): Promise<void>
}

const host = '127.0.0.1'
const key = 'bench-key-of-the-simulator'
const token = 'bench-token-of-team-blue'

/** So many calls in a second that only the machine is the limit. */
const allowance = { limit: 100_000, windowSeconds: 1 }
const latencyMs = 20

const startLimitMs = 60_000
const run = promisify(execFile)

export async function openSite(chats: number): Promise<Site> {
  const [upstreamPort = 0, port = 0] = await freePorts(host, [0, 0])
  const folder = makeFolder()
  const simulator = startScript({
    script: new URL('../../simulator/main.ts', import.meta.url),
    args: argumentsOf({
      port: upstreamPort,
      chats,
      limit: allowance.limit,
      window: allowance.windowSeconds,
      latency: latencyMs,
      jitter: 0,
      key
    })
  })
  const service = startScript({
    script: new URL('../../src/main.ts', import.meta.url),
    folder,
    env: {
      HELPCRUNCH_API_KEY: key,
      HELPCRUNCH_BASE_URL: `http://${host}:${upstreamPort}/v1`,
      UPSTREAM_LIMIT: String(allowance.limit),
      UPSTREAM_WINDOW_SECONDS: String(allowance.windowSeconds),
      TEAM_TOKENS: `blue=${token}`,
      HOST: host,
      PORT: String(port),
      ADMIN_PORT: '0',
      STATE_DIR: folder,
      LOG_LEVEL: 'warn'
    }
  })
  await answering(`http://${host}:${upstreamPort}/`)
  await answering(`http://${host}:${port}/readyz`)
  return {
    url: `http://${host}:${port}`,
    token,
    residentMb: () => residentMb(service.pid ?? 0),
    close: async () => {
      await Promise.all([kill(service), kill(simulator)])
      removeFolder(folder)
    }
  }
}

function argumentsOf(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/** `ps` knows it on every Unix, in kilobytes. */
async function residentMb(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)])
  return (Number(stdout) * 1024) / 1e6
}

async function answering(url: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < startLimitMs; waitedMs += 100) {
    const status = await fetch(url).then(
      response => response.status,
      () => 0
    )
    if (status > 0) return
    await sleep(100)
  }
  throw new Error(`${url} did not answer within ${startLimitMs / 1000} s`)
}
