/**
 * Ground floor: what rooms say of themselves to operators. `observe` makes the status and the
 * metrics of it.
 */

import type { BrakeMode, Priority } from './ports.ts'

/** What the schedule says of itself. Instants are `Clock.now()`. */
export interface ScheduleReport {
  /** Slots in any window: the configured ones, and those left beside whoever else uses the key. */
  readonly limit: number
  readonly workingLimit: number
  readonly used: number
  readonly inFlight: number
  /** What stands in the way of sending, if anything does. */
  readonly mode: 'open' | 'held' | 'cut-off' | BrakeMode
  /** The instant before which nothing is sent. */
  readonly nextSendAt: number
  /** Why earlier sends are not known, if they are not. */
  readonly journalProblem: string | undefined
  readonly waiting: readonly { team: string; priority: Priority; arrivedAt: number }[]
  readonly replicas: ReplicasReport
}

/** With whom the budget is shared, as this replica knows it. */
export interface ReplicasReport {
  /**
   * `single`: with nobody. `joined`: the shared ledger grants each call. `cut-off`: it is out of
   * reach, and nothing is sent. `alone`: out of reach, and this replica spends its share.
   */
  readonly mode: 'single' | 'joined' | 'cut-off' | 'alone'
  readonly id?: string
  /** Most slots that all of them ever held at one time. */
  readonly mostHeld?: number
  readonly members: readonly {
    readonly id: string
    /** Slots that it holds, and those that it may hold if it is cut off. */
    readonly held: number
    readonly share: number
    readonly seenSecondsAgo: number
    readonly isSilent: boolean
  }[]
}

/** An export that is running, as operators see it. */
export interface ExportReport {
  readonly id: string
  readonly team: string
  /** Chats given to its reader, those before its offset included. */
  readonly done: number
  readonly total: number
  readonly etaSeconds: number
}
