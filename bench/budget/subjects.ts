/**
 * Who is measured: the service as a real process under the load of three teams, and the peers, each
 * a process that loads itself. A subject that is killed is launched again with the same place.
 */

import type { ChildProcess } from 'node:child_process'
import { startScript } from '../processes.ts'
import { apiKey, concurrency, limit, windowMs } from './conditions.ts'
import { limiters } from './limiters.ts'
import { type Load, startLoad } from './load.ts'

/** What stays when the process is killed. */
export interface Place {
  readonly upstreamUrl: string
  /** Empty at first. */
  readonly folder: string
  /** A free one. */
  readonly port: number
}

export interface Subject {
  readonly name: string
  launch(place: Place): ChildProcess
  /** Only for one that does not load itself. */
  load?(place: Place): Load
}

export const host = '127.0.0.1'
const weights = { blue: 1, green: 2, red: 3 }
export const tokens = { blue: tokenOf('blue'), green: tokenOf('green'), red: tokenOf('red') }
const outstandingPerTeam = 60

export const service: Subject = {
  name: 'helpcrunch-proxy',
  launch: place =>
    startScript({
      script: new URL('../../src/main.ts', import.meta.url),
      env: environment(place),
      // The service reads `.env` where it is started.
      folder: place.folder
    }),
  load: ({ port }) => startLoad({ url: `http://${host}:${port}`, tokens, outstandingPerTeam })
}

export const peers: readonly Subject[] = Object.keys(limiters).map(peer)

function peer(name: string): Subject {
  const script = new URL('./peer-process.ts', import.meta.url)
  return {
    name,
    launch: ({ upstreamUrl }) =>
      startScript({
        script,
        args: [name, upstreamUrl],
        channel: true
      })
  }
}

/** Every request is a call: nothing stays fresh or is served stale, nothing is fetched unasked. */
export function environment({ upstreamUrl, folder, port }: Place): Record<string, string> {
  const teams = Object.entries(weights) as [keyof typeof tokens, number][]
  return {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: upstreamUrl,
    UPSTREAM_LIMIT: String(limit),
    UPSTREAM_WINDOW_SECONDS: String(windowMs / 1000),
    UPSTREAM_CONCURRENCY: String(concurrency),
    HOST: host,
    PORT: String(port),
    ADMIN_PORT: '0',
    TEAM_TOKENS: teams.map(([team, weight]) => `${team}=${tokens[team]}:${weight}`).join(),
    TEAM_RATE_LIMIT: '0',
    CACHE_FRESH_SECONDS: '0',
    CACHE_STALE_WHILE_REVALIDATE_SECONDS: '0',
    CACHE_STALE_IF_ERROR_SECONDS: '0',
    CACHE_READ_AHEAD: 'false',
    CACHE_REFRESH_AHEAD: 'false',
    CACHE_ADAPTIVE: 'false',
    QUEUE_MAX_WAIT_SECONDS: '30',
    QUEUE_MAX_LENGTH: '1000',
    STATE_DIR: folder,
    LOG_LEVEL: 'error'
  }
}

function tokenOf(team: string): string {
  return `bench-token-of-team-${team}`
}
