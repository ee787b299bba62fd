/**
 * What operators see, as JSON: the rooms' reports in the contract's words, with dates instead of
 * monotonic instants. Holds no key, token or chat.
 */

import { type Clock, toIsoDate } from '../clock.ts'
import type { ExportReport, Priority, ReplicasReport, ScheduleReport } from '../ports.ts'
import type { Audit } from './audit.ts'

export interface Status {
  readonly budget: {
    readonly limit: number
    /** Less than the limit while somebody else uses the key. */
    readonly workingLimit: number
    readonly windowSeconds: number
    readonly used: number
    readonly inFlight: number
    readonly maxInAnyWindow: number
    readonly mode: ScheduleReport['mode']
    /** ISO 8601; null if nothing holds sending up. */
    readonly pausedUntil: string | null
    readonly journalProblem: string | null
  }
  readonly queue: {
    readonly length: number
    readonly byTeam: Record<string, number>
    readonly byClass: Record<Priority, number>
    readonly oldestWaitSeconds: number
  }
  readonly exports: readonly ExportReport[]
  readonly replicas: ReplicasReport
}

export interface StatusSources {
  readonly clock: Clock
  readonly windowMs: number
  readonly audit: Audit
  readonly schedule: () => ScheduleReport
  readonly exports: () => readonly ExportReport[]
}

export function statusOf({ audit, clock, exports, schedule, windowMs }: StatusSources): Status {
  const report = schedule()
  const now = clock.now()
  return {
    budget: {
      limit: report.limit,
      workingLimit: report.workingLimit,
      windowSeconds: windowMs / 1000,
      used: report.used,
      inFlight: report.inFlight,
      // With others, the slots that all held together say more than our own calls.
      maxInAnyWindow: Math.max(audit.maxInAnyWindow, report.replicas.mostHeld ?? 0),
      mode: report.mode,
      pausedUntil: dateOf(report.nextSendAt, now, clock),
      journalProblem: report.journalProblem ?? null
    },
    queue: queueOf(report, now),
    exports: exports(),
    replicas: report.replicas
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

function dateOf(instant: number, now: number, clock: Clock): string | null {
  return instant > now ? toIsoDate(clock.wall() + instant - now) : null
}
