/**
 * The status as the rest of the page reads it: every member is there and of its type, whatever the
 * service left out, because an older or newer one may answer after a restart.
 */

import { arrayOf, countsOf, numberOf, objectOf, textOf } from './members.js'

/**
 * @typedef {{ at: string, code: string, detail: string }} Failure
 * @typedef {{ requests: number, calls: number, saved: number, refused: number, waiting: number }} Team
 * @typedef {{ id: string, team: string, done: number, total: number, etaSeconds: number | undefined }} Export
 * @typedef {{ id: string, held: number, share: number, seenSeconds: number, isSilent: boolean }} Member
 * @typedef {ReturnType<typeof figuresOf>} Figures
 */

/** @param {unknown} status */
export function figuresOf(status) {
  const { budget, cache, exports, queue, replicas, service, teams, upstream } = objectOf(status)
  return {
    service: serviceOf(objectOf(service)),
    budget: budgetOf(objectOf(budget)),
    queue: queueOf(objectOf(queue)),
    cache: cacheOf(objectOf(cache)),
    upstream: upstreamOf(objectOf(upstream)),
    teams: Object.entries(objectOf(teams)).map(teamOf),
    exports: arrayOf(exports).map(exportOf),
    replicas: replicasOf(objectOf(replicas))
  }
}

/** @param {Record<string, unknown>} service */
function serviceOf({ instance, name, startedAt, uptimeSeconds, version }) {
  return {
    name: textOf(name, 'helpcrunch-proxy'),
    version: textOf(version),
    instance: textOf(instance),
    startedAt: textOf(startedAt),
    uptimeSeconds: numberOf(uptimeSeconds)
  }
}

/** @param {Record<string, unknown>} budget */
function budgetOf(budget) {
  const limit = numberOf(budget.limit) ?? 0
  return {
    limit,
    workingLimit: numberOf(budget.workingLimit) ?? limit,
    windowSeconds: numberOf(budget.windowSeconds) ?? 60,
    used: numberOf(budget.used) ?? 0,
    inFlight: numberOf(budget.inFlight) ?? 0,
    maxInAnyWindow: numberOf(budget.maxInAnyWindow) ?? 0,
    mode: textOf(budget.mode, 'open'),
    pausedUntil: textOf(budget.pausedUntil),
    journalProblem: textOf(budget.journalProblem)
  }
}

/** @param {Record<string, unknown>} queue */
function queueOf({ byClass, byTeam, length, oldestWaitSeconds }) {
  return {
    length: numberOf(length) ?? 0,
    oldestWaitSeconds: numberOf(oldestWaitSeconds) ?? 0,
    byClass: countsOf(byClass),
    byTeam: countsOf(byTeam)
  }
}

/** @param {Record<string, unknown>} cache */
function cacheOf(cache) {
  return {
    entries: numberOf(cache.entries),
    bytes: numberOf(cache.bytes),
    maxBytes: numberOf(cache.maxBytes),
    evictions: evictionsOf(cache.evictions),
    hitRatio: numberOf(cache.hitRatio),
    hits: numberOf(cache.hits),
    stale: numberOf(cache.stale),
    collapsed: numberOf(cache.collapsed),
    misses: numberOf(cache.misses)
  }
}

/**
 * One count, or one for each reason.
 *
 * @param {unknown} value
 */
function evictionsOf(value) {
  if (typeof value !== 'object' || value === null) return numberOf(value)
  return countsOf(value).reduce((sum, [, count]) => sum + count, 0)
}

/** @param {Record<string, unknown>} upstream */
function upstreamOf({ byStatus, calls, lastError, latencyP50, latencyP99, recentErrors }) {
  const recent = arrayOf(recentErrors)
  const errors = recent.length > 0 ? recent : arrayOf(lastError ? [lastError] : [])
  return {
    calls: numberOf(calls),
    byStatus: countsOf(byStatus),
    latencyP50: numberOf(latencyP50),
    latencyP99: numberOf(latencyP99),
    errors: errors.map(failureOf).sort((a, b) => b.at.localeCompare(a.at))
  }
}

/**
 * @param {unknown} failure
 * @returns {Failure}
 */
function failureOf(failure) {
  const { at, code, detail } = objectOf(failure)
  return { at: textOf(at), code: textOf(code), detail: textOf(detail) }
}

/**
 * @param {[string, unknown]} entry
 * @returns {Team & { name: string }}
 */
function teamOf([name, counts]) {
  const { calls, refused, requests, saved, waiting } = objectOf(counts)
  return {
    name,
    requests: numberOf(requests) ?? 0,
    calls: numberOf(calls) ?? 0,
    saved: numberOf(saved) ?? 0,
    refused: numberOf(refused) ?? 0,
    waiting: numberOf(waiting) ?? 0
  }
}

/**
 * @param {unknown} one
 * @returns {Export}
 */
function exportOf(one) {
  const { done, etaSeconds, id, team, total } = objectOf(one)
  return {
    id: textOf(id),
    team: textOf(team),
    done: numberOf(done) ?? 0,
    total: numberOf(total) ?? 0,
    etaSeconds: numberOf(etaSeconds)
  }
}

/** @param {Record<string, unknown>} replicas */
function replicasOf({ id, members, mode }) {
  return {
    mode: textOf(mode, 'single'),
    id: textOf(id),
    members: arrayOf(members).map(memberOf)
  }
}

/**
 * @param {unknown} member
 * @returns {Member}
 */
function memberOf(member) {
  const { held, id, isSilent, seenSecondsAgo, share } = objectOf(member)
  return {
    id: textOf(id),
    held: numberOf(held) ?? 0,
    share: numberOf(share) ?? 0,
    seenSeconds: numberOf(seenSecondsAgo) ?? 0,
    isSilent: isSilent === true
  }
}
