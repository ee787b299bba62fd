/** The operators' listener on a free port, with a status that the test makes up. */

import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { createAdminApp } from '../../src/admin/app.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { parseConfig } from '../../src/config.ts'
import { createLogger } from '../../src/observe/log.ts'
import type { Status } from '../../src/observe/status.ts'
import { apiKey } from './stack.ts'

export interface OperatorsOptions {
  readonly status: () => unknown
  readonly env?: Record<string, string>
  readonly clock?: Clock
  readonly port?: number
}

export interface Operators {
  readonly url: string
  readonly app: FastifyInstance
  /** How often everything stored was made stale. */
  readonly invalidations: () => number
}

export async function startOperators(t: Test, options: OperatorsOptions): Promise<Operators> {
  const { clock = systemClock, env = {}, port = 0, status } = options
  let invalidations = 0
  const app = createAdminApp({
    clock,
    config: parseConfig({ HELPCRUNCH_API_KEY: apiKey, ALLOW_ANONYMOUS: 'true', ...env }),
    logger: createLogger({ level: 'silent', secrets: [], destination: { write() {} } }),
    metrics: { read: async () => ({ contentType: 'text/plain', text: '' }) },
    explain: () => ({}) as never,
    teams: [],
    status: status as () => Status,
    invalidateAll: () => {
      invalidations++
    }
  })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port })
  return { url, app, invalidations: () => invalidations }
}
