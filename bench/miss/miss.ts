/**
 * What it costs to be no hit: what the service adds to a call when a slot is free, what a caller
 * that waits takes of its memory, and what ten thousand of them do to the hits of others. The real
 * process, real sockets.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { quantile } from '../cache/tally.ts'
import { kill, startScript } from '../processes.ts'
import type { Suite } from '../suite.ts'
import { formatTable } from '../table.ts'
import { type Server, startBare, startService } from './servers.ts'

const calls = 3000
const waitingCallers = 10_000
const hits = 3000
const limit = 120
/** Connections opened at one time; the system would drop some of more. */
const atOnce = 500

interface Claim {
  readonly what: string
  readonly measured: number
  readonly promised: number
}

export const miss: Suite = async () => {
  const upstream = startScript({
    script: new URL('../endless-upstream.ts', import.meta.url),
    channel: true
  })
  const [{ baseUrl }] = await once(upstream, 'message')
  try {
    return report([...(await claimsOfCalls(baseUrl)), ...(await claimsOfWaiting(baseUrl))])
  } finally {
    await kill(upstream)
  }
}

/** Each page is asked for once directly and once through the service, one after the other. */
async function claimsOfCalls(baseUrl: string): Promise<Claim[]> {
  const service = await startService(baseUrl, { UPSTREAM_LIMIT: '100000' })
  const direct = new Pool(new URL(baseUrl).origin, { connections: 1 })
  const through = new Pool(service.url, { connections: 1 })
  try {
    const own: number[] = []
    const all: number[] = []
    for (let call = 0; call < calls; call++) {
      own.push(await timed(direct, `/v1${pathOf(call)}`))
      all.push(await timed(through, pathOf(call)))
    }
    // The first ones are for both to warm up.
    const from = calls / 10
    const ownMs = quantile(own.slice(from), 0.5)
    const added = all.slice(from).map(ms => ms - ownMs)
    return [
      { what: 'ms added to a call, p50', measured: quantile(added, 0.5), promised: 1 },
      { what: 'ms added to a call, p99', measured: quantile(added, 0.99), promised: 5 }
    ]
  } finally {
    await Promise.all([direct.destroy(), through.destroy(), service.end()])
  }
}

async function claimsOfWaiting(baseUrl: string): Promise<Claim[]> {
  const env = {
    UPSTREAM_LIMIT: String(limit),
    UPSTREAM_WINDOW_SECONDS: '3600',
    QUEUE_MAX_LENGTH: String(2 * waitingCallers),
    QUEUE_MAX_WAIT_SECONDS: '1000000',
    CACHE_FRESH_SECONDS: '3600'
  }
  const service = await startService(baseUrl, env)
  const callers = new Pool(service.url, { connections: 1 })
  try {
    for (let call = 0; call < limit; call++) await timed(callers, pathOf(call))
    const took: number[] = []
    const bytes = await crowded(service, async () => {
      for (let hit = 0; hit < hits; hit++) took.push(await timed(callers, pathOf(0)))
    })
    const kb = (bytes - (await bareBytes())) / 1000
    const hitMs = quantile(took, 0.99)
    return [
      { what: 'kB of a waiting caller, beyond a bare server', measured: kb, promised: 4 },
      { what: `ms of a hit beside ${waitingCallers} of them, p99`, measured: hitMs, promised: 10 }
    ]
  } finally {
    await Promise.all([callers.destroy(), service.end()])
  }
}

async function bareBytes(): Promise<number> {
  const bare = await startBare()
  return crowded(bare, async () => {}).finally(() => bare.end())
}

/**
 * Has callers of different pages wait, each on a connection of its own.
 *
 * @param meanwhile what is to be done while they wait
 * @returns bytes on the heap for each of them
 */
async function crowded(
  { heapBytes, url, waiting }: Server,
  meanwhile: () => Promise<void>
): Promise<number> {
  const { hostname, port } = new URL(url)
  const before = await heapBytes()
  const sockets: Socket[] = []
  for (let from = 0; from < waitingCallers; from += atOnce) {
    for (let caller = from; caller < from + atOnce; caller++) {
      const socket = connect(Number(port), hostname)
      socket.write(`GET ${pathOf(limit + caller)} HTTP/1.1\r\nHost: bench\r\n\r\n`)
      sockets.push(socket)
    }
    while ((await waiting()) < sockets.length) await sleep(20)
  }
  const bytes = ((await heapBytes()) - before) / waitingCallers
  await meanwhile()
  for (const socket of sockets) socket.destroy()
  return bytes
}

function pathOf(page: number): string {
  return `/chats?offset=${page * 100}&limit=100`
}

async function timed(pool: Pool, path: string): Promise<number> {
  const from = performance.now()
  const { body, statusCode } = await pool.request({ path, method: 'GET' })
  await body.dump({ limit: Infinity })
  if (statusCode !== 200) throw new Error(`${path} was answered ${statusCode}`)
  return performance.now() - from
}

function report(claims: readonly Claim[]) {
  const rows = claims.map(({ measured, promised, what }) => [what, measured.toFixed(2), promised])
  return {
    table: formatTable(['', 'measured', 'promised'], rows),
    results: { calls, waitingCallers, hits, claims },
    broken: claims
      .filter(({ measured, promised }) => measured > promised)
      .map(
        ({ measured, promised, what }) =>
          `${measured.toFixed(2)} ${what}; ${promised} were promised`
      )
  }
}
