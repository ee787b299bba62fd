/**
 * Under what the soak runs: HelpCrunch's 120 calls in a window of 6 s, short lifetimes and waits, so
 * that every limit is met many times, and what is told to the service accordingly.
 */

import { concurrency, limit, windowMs } from '../bench/budget/conditions.ts'

export { limit, windowMs }

/** They must not be found in anything that a process writes. */
export const apiKey = 'SOAKKEY-canary-77d0b2c4e6a8'
export const adminToken = 'SOAKADMIN-canary-1a3c5e7092b4'
export const tokens = {
  blue: 'SOAKTEAM-canary-blue-0918273645',
  green: 'SOAKTEAM-canary-green-5647382910',
  red: 'SOAKTEAM-canary-red-6758493021'
} as const

export type Team = keyof typeof tokens

/** A member that every chat has, and nothing else. */
export const chatCanary = '"lastMessageText"'

export const chatCount = 600
export const changesPerSecond = 2.5
export const latencyMs = 20
export const jitterMs = 80

export const freshMs = 2000
export const staleWhileRevalidateMs = 3000
export const staleIfErrorMs = 60_000
export const upstreamTimeoutMs = 2000
export const queueWaitMs = 4000
export const shutdownGraceMs = 10_000

const seconds = (ms: number) => String(ms / 1000)

/** Besides where it is and what it shares. */
export const environment: Readonly<Record<string, string>> = {
  HELPCRUNCH_API_KEY: apiKey,
  UPSTREAM_LIMIT: String(limit),
  UPSTREAM_WINDOW_SECONDS: seconds(windowMs),
  UPSTREAM_TIMEOUT_SECONDS: seconds(upstreamTimeoutMs),
  UPSTREAM_CONCURRENCY: String(concurrency),
  HOST: '127.0.0.1',
  ADMIN_HOST: '127.0.0.1',
  ADMIN_TOKEN: adminToken,
  // More than a greedy team can ask: what is to be seen is the budget that it takes from others.
  TEAM_RATE_LIMIT: '1000000',
  TEAM_TOKENS: `blue=${tokens.blue},green=${tokens.green}:2,red=${tokens.red}:3`,
  CACHE_FRESH_SECONDS: seconds(freshMs),
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: seconds(staleWhileRevalidateMs),
  CACHE_STALE_IF_ERROR_SECONDS: seconds(staleIfErrorMs),
  // Small, so that it has been full and filled anew before memory is measured (levels.ts): what it
  // holds changes until then, and that is no leak.
  CACHE_MAX_MB: '4',
  QUEUE_MAX_WAIT_SECONDS: seconds(queueWaitMs),
  SHUTDOWN_GRACE_SECONDS: seconds(shutdownGraceMs),
  STORE_LOSS_GRACE_SECONDS: '20',
  LOG_LEVEL: 'info',
  // As in the image.
  MALLOC_ARENA_MAX: '1'
}
