/**
 * What operators see, as JSON: the rooms' reports and the figures in the contract's words, with
 * dates instead of monotonic instants. Holds no key, token or chat.
 */

import { type Clock, toIsoDate } from '../clock.ts'
import type { ErrorCode } from '../errors.ts'
import type { EvictionReason, Priority } from '../ports.ts'
import type { ExportReport, ReplicasReport, ScheduleReport } from '../reports.ts'
import type { Failure } from './attempts.ts'
import type { Audit } from './audit.ts'
import type { Figures } from './figures.ts'
import { isSaved } from './requests.ts'
import type { ServiceInstance } from './service-instance.ts'

export interface Status {
  readonly service: {
    readonly name: string
    readonly version: string
    /** ISO 8601, as all dates here. */
    readonly startedAt: string
    readonly uptimeSeconds: number
    readonly instance: string
  }
  readonly budget: {
    readonly limit: number
    /** Less than the limit while somebody else uses the key. */
    readonly workingLimit: number
    readonly windowSeconds: number
    readonly used: number
    readonly inFlight: number
    readonly maxInAnyWindow: number
    readonly mode: ScheduleReport['mode']
    /** Null if nothing holds sending up. */
    readonly pausedUntil: string | null
    readonly journalProblem: string | null
  }
  readonly queue: {
    readonly length: number
    readonly byTeam: Record<string, number>
    readonly byClass: Record<Priority, number>
    readonly oldestWaitSeconds: number
  }
  /** Answers since the start: from fresh pages, from stale ones, from another's call, by a call. */
  readonly cache: {
    readonly entries: number
    readonly bytes: number
    readonly maxBytes: number
    readonly hits: number
    readonly misses: number
    readonly stale: number
    readonly collapsed: number
    /** The part of these answers that made no call of their own; 0 before the first. */
    readonly hitRatio: number
    readonly evictions: Record<EvictionReason, number>
  }
  readonly upstream: {
    /** Attempts that left, since the start. */
    readonly calls: number
    /** How all attempts ended, those included that could not leave. */
    readonly byStatus: Record<string, number>
    /** Seconds, over the latest attempts; null before the first. */
    readonly latencyP50: number | null
    readonly latencyP99: number | null
    readonly lastError: FailureReport | null
    /** The latest first. */
    readonly recentErrors: readonly FailureReport[]
  }
  readonly teams: Record<string, TeamReport>
  readonly replicas: ReplicasReport
  readonly exports: readonly ExportReport[]
}

interface FailureReport {
  readonly at: string
  readonly code: ErrorCode
  readonly detail: string
}

/** Since the start, but for who waits. */
export interface TeamReport {
  readonly requests: number
  /** Spent in this team's turns. */
  readonly calls: number
  /** Answers that made no call of their own. */
  readonly saved: number
  /** Told to come back later: 429 or 503. */
  readonly refused: number
  readonly waiting: number
}

export interface StatusSources {
  readonly clock: Clock
  readonly windowMs: number
  readonly service: ServiceInstance
  readonly audit: Audit
  readonly figures: Figures
  readonly memory: { readonly entries: number; readonly bytes: number; readonly maxBytes: number }
  readonly schedule: () => ScheduleReport
  readonly exports: () => readonly ExportReport[]
}

export function statusOf(sources: StatusSources): Status {
  const { clock, exports, figures, schedule } = sources
  const report = schedule()
  const now = clock.now()
  const queue = queueOf(report, now)
  return {
    service: serviceOf(sources, now),
    budget: budgetOf(report, sources, now),
    queue,
    cache: cacheOf(sources),
    upstream: upstreamOf(figures, now, clock),
    teams: teamsOf(figures, queue.byTeam),
    replicas: report.replicas,
    exports: exports()
  }
}

function serviceOf({ service }: StatusSources, now: number): Status['service'] {
  const { instance, name, startedAt, startedAtWall, version } = service
  const uptimeSeconds = (now - startedAt) / 1000
  return { name, version, startedAt: toIsoDate(startedAtWall), uptimeSeconds, instance }
}

function budgetOf(
  report: ScheduleReport,
  { audit, clock, windowMs }: StatusSources,
  now: number
): Status['budget'] {
  const isHeld = report.nextSendAt > now && report.nextSendAt < Infinity
  return {
    limit: report.limit,
    workingLimit: report.workingLimit,
    windowSeconds: windowMs / 1000,
    used: report.used,
    inFlight: report.inFlight,
    // With others, the slots that all held together say more than our own calls.
    maxInAnyWindow: Math.max(audit.maxInAnyWindow, report.replicas.mostHeld ?? 0),
    mode: report.mode,
    pausedUntil: isHeld ? dateOf(report.nextSendAt, now, clock) : null,
    journalProblem: report.journalProblem ?? null
  }
}

function queueOf({ waiting }: ScheduleReport, now: number): Status['queue'] {
  const byTeam: Record<string, number> = Object.create(null)
  const byClass = { interactive: 0, refresh: 0, bulk: 0 }
  let oldest = now
  for (const { team, priority, arrivedAt } of waiting) {
    byTeam[team] = (byTeam[team] ?? 0) + 1
    byClass[priority]++
    oldest = Math.min(oldest, arrivedAt)
  }
  return { length: waiting.length, byTeam, byClass, oldestWaitSeconds: (now - oldest) / 1000 }
}

function cacheOf({ figures, memory }: StatusSources): Status['cache'] {
  const { requests } = figures
  const count = (outcome: string) => requests.count(({ cache }) => cache === outcome)
  const hits = count('hit')
  const stale = count('stale')
  const collapsed = count('collapsed')
  const misses = count('miss')
  const saved = hits + stale + collapsed
  return {
    entries: memory.entries,
    bytes: memory.bytes,
    maxBytes: memory.maxBytes,
    ...{ hits, misses, stale, collapsed },
    hitRatio: saved === 0 ? 0 : saved / (saved + misses),
    evictions: { ...figures.evictions }
  }
}

function upstreamOf({ attempts, calls }: Figures, now: number, clock: Clock): Status['upstream'] {
  const report = ({ at, code, detail }: Failure) => ({ at: dateOf(at, now, clock), code, detail })
  const recentErrors = attempts.failures.map(report)
  const seen = [...attempts.byOutcome].filter(([, count]) => count > 0)
  return {
    calls: calls.values().reduce((sum, spent) => sum + spent, 0),
    byStatus: Object.fromEntries(seen),
    latencyP50: attempts.quantile(0.5) ?? null,
    latencyP99: attempts.quantile(0.99) ?? null,
    lastError: recentErrors[0] ?? null,
    recentErrors
  }
}

function teamsOf(
  { calls, requests, teams }: Figures,
  waiting: Readonly<Record<string, number>>
): Status['teams'] {
  const reports: Record<string, TeamReport> = Object.create(null)
  for (const name of teams) {
    reports[name] = {
      requests: requests.count(({ team }) => team === name),
      calls: calls.get(name) ?? 0,
      saved: requests.count(answers => answers.team === name && isSaved(answers)),
      refused: requests.count(({ status, team }) => team === name && /^(429|503)$/.test(status)),
      waiting: waiting[name] ?? 0
    }
  }
  return reports
}

/** `at` may lie ahead or behind. */
function dateOf(at: number, now: number, clock: Clock): string {
  return toIsoDate(clock.wall() + at - now)
}
