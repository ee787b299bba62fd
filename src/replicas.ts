/**
 * What one of several replicas has more than a service by itself: a budget and pages that are
 * shared. Loaded only if there is a store: who runs a single one has nothing of it in the process.
 */

import type { SharedCache } from './cache/shared-cache.ts'
import { type Budget, unshared } from './schedule/budget.ts'
import type { ServiceOptions } from './service.ts'

export async function openBudget(options: ServiceOptions): Promise<Budget> {
  const { clock, config, journal, logger, store } = options
  if (!store) return unshared
  const { openIdentity } = await import('./schedule/replicas/identity.ts')
  const { SharedBudget } = await import('./schedule/replicas/shared-budget.ts')
  return new SharedBudget({
    ...{ clock, store, log: logger, identity: openIdentity(config.STATE_DIR) },
    limit: config.UPSTREAM_LIMIT,
    windowMs: config.UPSTREAM_WINDOW_SECONDS * 1000,
    timeoutMs: config.UPSTREAM_TIMEOUT_SECONDS * 1000,
    graceMs: config.STORE_LOSS_GRACE_SECONDS * 1000,
    knowsItsCalls: journal.problem === undefined
  })
}

/** @param keepMs how long any page may be served */
export async function openSharedCache(
  { clock, config, logger, store }: ServiceOptions,
  keepMs: number
): Promise<SharedCache | undefined> {
  if (!store) return undefined
  const { Envelopes } = await import('./cache/envelope.ts')
  const { SharedCache } = await import('./cache/shared-cache.ts')
  return new SharedCache({
    ...{ clock, store, keepMs },
    maxBytes: config.CACHE_MAX_MB * 1024 * 1024,
    // What only the replicas know.
    envelopes: new Envelopes(config.HELPCRUNCH_API_KEY),
    warn: message => logger.warn(message)
  })
}
