/**
 * The whole service in front of the simulator, on real sockets and free ports, for one test; both
 * are taken down when the test ends. Log lines are kept to be read.
 */

import type { Test } from 'tap'
import { type Settings, type Simulator, startSimulator } from '../../simulator/upstream.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { parseConfig, secretsOf } from '../../src/config.ts'
import type { Load } from '../../src/load.ts'
import { createLogger } from '../../src/observe/log.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { createService, type Service } from '../../src/service.ts'
import type { SharedStore } from '../../src/shared-store.ts'

export const apiKey = 'HCKEY-canary-5f1d0c0ffee'
export const tokens = {
  blue: 'TEAMTOKEN-canary-blue-0123456789',
  green: 'TEAMTOKEN-canary-green-987654321'
} as const

export interface StackOptions {
  readonly env?: Record<string, string>
  readonly upstream?: Partial<Settings>
  readonly clock?: Clock
  /** One that others stand in front of as well; by default one of its own. */
  readonly simulator?: Simulator
  /** What this replica shares with others. */
  readonly store?: SharedStore
  readonly load?: Load
}

export interface Stack {
  readonly url: string
  readonly service: Service
  readonly clock: Clock
  readonly simulator: Simulator
  /** Everything logged so far, one JSON text a line. */
  readonly lines: string[]
  /** A request as team blue, unless `init` says otherwise. */
  get(path: string, init?: RequestInit): Promise<Response>
}

export async function startStack(t: Test, options: StackOptions = {}): Promise<Stack> {
  const simulator =
    options.simulator ??
    (await startSimulator({ chats: 435, apiKey, latencyMs: 0, ...options.upstream }))
  const lines: string[] = []
  const config = parseConfig({
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue},green=${tokens.green}:2`,
    PORT: '0',
    // Calls that nobody asked for are for the tests of these.
    CACHE_ADAPTIVE: 'false',
    CACHE_REFRESH_AHEAD: 'false',
    CACHE_READ_AHEAD: 'false',
    ...options.env
  })
  const logger = createLogger({
    level: config.LOG_LEVEL,
    secrets: secretsOf(config),
    destination: { write: line => void lines.push(line) }
  })
  const clock = options.clock ?? systemClock
  const { load, store } = options
  const service = await createService({
    ...{ config, clock, logger, journal: noJournal, store },
    ...(load && { load })
  })
  const url = await service.app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    service.app.server.closeAllConnections()
    await service.close()
    if (!options.simulator) await simulator.close()
  })
  const get = (path: string, init: RequestInit = {}) =>
    fetch(url + path, {
      ...init,
      headers: {
        authorization: `Bearer ${tokens.blue}`,
        // Without any, fetch adds no-cache of its own to a conditional request.
        'cache-control': 'no-transform',
        // The small codings come once they are made, which a test would have to wait for.
        'accept-encoding': 'identity',
        ...(init.headers as object)
      }
    })
  return { url, service, clock, simulator, lines, get }
}
