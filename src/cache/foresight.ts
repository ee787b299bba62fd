/** Calls that nobody asked for yet: which of them are made, and what they may be made of. */

import type { Priority } from '../ports.ts'

/** What the budget can spare. */
export interface Idle {
  /** Whether a call of this team and class could leave now without taking anything from anybody. */
  hasSlot(team: string, priority: Priority): boolean
  /** The part of the window's slots that are held, 0 to 1. */
  pressure(): number
}

/** Calls that nobody asked for yet, each mechanism on or off. */
export interface Foresight {
  /** A page's refreshes follow how often it changed. */
  readonly adaptive: boolean
  /** Pages in use are refreshed just before they are due. */
  readonly refreshAhead: boolean
  /** The page that somebody will want next is fetched before. */
  readonly readAhead: boolean
}
