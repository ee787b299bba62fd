/**
 * What the service takes of the machine's memory when it has just started, while callers ask for a
 * million different windows, and then, of the same process, for two hundred pages of two megabytes:
 * the real process, real sockets, its resident set as the system sees it. And how soon after its
 * start the first answer comes.
 */

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Pool } from 'undici'
import { freePorts } from '../../simulator/free-ports.ts'
import { kill, makeFolder, removeFolder, startScript } from '../processes.ts'
import type { Suite } from '../suite.ts'
import { formatTable } from '../table.ts'

const cacheMb = 128
/** Room for the cache, for what is being made and thrown away around it, and for Node itself. */
const promisedMb = 1.5 * cacheMb + 120
const promisedIdleMb = 120
const promisedStartMs = 1000
const distinctWindows = 1_000_000
/** That many of them lie on one page: a call for each page, an answer of its own for each window. */
const windowsPerPage = 10
const largePages = 200
const largePageBytes = 2_000_000
/** Requests on their way at one time; calls to the upstream are as many as by default. */
const concurrency = 64
const samples = 10

/** What an idle process still does is done by then. */
const idleMs = 2000

interface Sample {
  readonly phase: string
  readonly requests: number
  readonly rssMb: number
  /** The most since the sample before. */
  readonly peakMb: number
}

export const memory: Suite = async () => {
  const folder = makeFolder()
  const upstream = startScript({
    script: new URL('../endless-upstream.ts', import.meta.url),
    channel: true
  })
  const [{ baseUrl }] = await once(upstream, 'message')
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const startedAt = performance.now()
  const service = startScript({
    script: new URL('../../src/main.ts', import.meta.url),
    folder,
    env: {
      HELPCRUNCH_API_KEY: 'bench-key',
      HELPCRUNCH_BASE_URL: baseUrl,
      CACHE_MAX_MB: String(cacheMb),
      LOG_LEVEL: 'warn',
      PORT: String(port),
      ADMIN_PORT: '0',
      TEAM_RATE_LIMIT: '0',
      UPSTREAM_LIMIT: '100000',
      UPSTREAM_WINDOW_SECONDS: '1'
    }
  })
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: concurrency })
  try {
    await ready(pool)
    const startMs = Math.round(performance.now() - startedAt)
    await new Promise(resolve => setTimeout(resolve, idleMs))
    const measured = [sample('idle', 0, service.pid!)]
    const walk = async (phase: string, count: number, pathOf: (index: number) => string) => {
      const perSample = count / samples
      for (let done = 0; done < count; done += perSample) {
        await ask(pool, done, perSample, pathOf)
        measured.push(sample(phase, done + perSample, service.pid!))
      }
    }
    await walk(`${distinctWindows.toLocaleString('en')} different windows`, distinctWindows, small)
    upstream.send(largePageBytes)
    await once(upstream, 'message')
    await walk(`${largePages} pages of 2 MB`, largePages, large)
    return report(measured, startMs)
  } finally {
    await pool.destroy()
    await Promise.all([kill(service), kill(upstream)])
    removeFolder(folder)
  }
}

async function ready(pool: Pool): Promise<void> {
  for (;;) {
    const answer = await pool.request({ path: '/healthz', method: 'GET' }).catch(() => undefined)
    await answer?.body.dump()
    if (answer?.statusCode === 200) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

function small(index: number): string {
  const page = Math.floor(index / windowsPerPage)
  return `/chats?offset=${page * 100 + (index % windowsPerPage)}&limit=50`
}

function large(index: number): string {
  return `/chats?order=desc&offset=${index * 100}&limit=100`
}

async function ask(
  pool: Pool,
  first: number,
  count: number,
  pathOf: (index: number) => string
): Promise<void> {
  let next = first
  const caller = async () => {
    while (next < first + count) {
      const path = pathOf(next++)
      const { body, statusCode } = await pool.request({ path, method: 'GET' })
      await body.dump({ limit: Infinity })
      if (statusCode !== 200) throw new Error(`${path} was answered ${statusCode}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, caller))
}

function sample(phase: string, requests: number, pid: number): Sample {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (name: string) =>
    Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
  const taken = { phase, requests, rssMb: mb('VmRSS'), peakMb: mb('VmHWM') }
  // Has the system count the peak from now on.
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
  return taken
}

function report(measured: readonly Sample[], startMs: number) {
  const [idle, ...loaded] = measured
  const idleMb = idle?.rssMb ?? 0
  const most = Math.max(...loaded.map(({ rssMb }) => rssMb))
  const rows = measured.map(({ peakMb, phase, requests, rssMb }) => [
    phase,
    requests,
    rssMb,
    peakMb
  ])
  const claims: [string, number, number][] = [
    ['MB, idle', idleMb, promisedIdleMb],
    ['MB, loaded', most, promisedMb],
    ['ms from the start to the first answer', startMs, promisedStartMs]
  ]
  return {
    table: [
      formatTable(['asked for', 'requests', 'RSS, MB', 'its peak'], rows),
      formatTable(['', 'measured', 'promised'], claims)
    ].join('\n\n'),
    results: { cacheMb, promisedMb, promisedIdleMb, promisedStartMs, startMs, measured },
    broken: claims
      .filter(([, taken, promised]) => taken > promised)
      .map(([what, taken, promised]) => `${taken} ${what}; ${promised} were promised`)
  }
}
