/**
 * The operators' side of the service: status, metrics and explanations of the rooms, on a listener
 * of their own, so that they can look when callers have taken all connections. It only looks, but
 * for making everything stored stale.
 */

import { createAdminApp } from './admin/app.ts'
import { everything } from './cache/invalidations.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { createExplainer, type ExplainerOptions } from './explain.ts'
import { Connections } from './http/connections.ts'
import type { Logger } from './observe/log.ts'
import { createMetrics } from './observe/metrics.ts'
import { serviceInstance } from './observe/service-instance.ts'
import { statusOf } from './observe/status.ts'
import type { Rooms } from './service.ts'

export interface OperatorsOptions extends Pick<ExplainerOptions, 'cleanTarget' | 'teamRefusal'> {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly rooms: Rooms
}

/** Connections of operators at once. */
const mostConnections = 100

export function createOperators(options: OperatorsOptions) {
  const { cleanTarget, clock, config, logger, rooms, teamRefusal } = options
  const { audit, exports, figures, invalidate, memory, prospect, schedule } = rooms
  const sources = {
    ...{ clock, audit, figures, memory },
    windowMs: config.UPSTREAM_WINDOW_SECONDS * 1000,
    service: serviceInstance(clock),
    schedule: () => schedule.report(),
    exports: () => exports.report()
  }
  const status = () => statusOf(sources)
  const admin = createAdminApp({
    ...{ config, clock, logger, status, metrics: createMetrics({ status, figures }) },
    ...{ teams: figures.teams, invalidateAll: () => invalidate([everything]) },
    explain: createExplainer({
      ...{ clock, prospect, teamRefusal, cleanTarget },
      foresee: asking => schedule.foresee(asking),
      maxLimit: config.MAX_LIMIT,
      maxWaitMs: config.QUEUE_MAX_WAIT_SECONDS * 1000
    })
  })
  const connections = new Connections({ server: admin.server, clock, most: mostConnections })
  return { admin, connections }
}
