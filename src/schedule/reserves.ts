/**
 * Which calls may use the slot and the connection that are free. A spent slot comes back only a
 * window later, so the end of the window is kept for those who would otherwise wait that long:
 *
 * - the last sixth of the slots is closed to bulk;
 * - the last twelfth is closed to refreshes, and to any team that holds more than its weighted
 *   share among all configured teams; with one team, to no team.
 *
 * A connection comes back after one call, but eight of them filled by one team are a wait as well:
 * the last quarter is closed to bulk, the last eighth to refreshes and to a team above its share.
 */

import type { Priority } from '../ports.ts'
import type { BrakeView } from './brake.ts'
import { type Demand, type Expectation, type Level, levelOf } from './budget.ts'
import type { FairQueue, Judge, Queued } from './fair-queue.ts'
import type { LedgerView } from './ledger.ts'

/** What the configured teams are entitled to. */
export class Shares {
  readonly #weights: ReadonlyMap<string, number>
  readonly #sum: number

  /** @param weights of each configured team */
  constructor(weights: ReadonlyMap<string, number>) {
    this.#weights = weights
    this.#sum = [...weights.values()].reduce((total, weight) => total + weight, 0)
  }

  weightOf(team: string): number {
    return this.#weights.get(team) ?? 1
  }

  /** A team's part of the whole, above 0; all of it where there is but one team. */
  shareOf(team: string): number {
    return this.#weights.size <= 1 ? 1 : this.weightOf(team) / this.#sum
  }
}

export interface Bounds {
  /** Slots that may be held at one time, just now. */
  readonly limit: number
  /** Calls that may be in flight at one time, just now. */
  readonly concurrency: number
}

/** What every send depends on. */
export interface Resources {
  readonly ledger: LedgerView
  readonly brake: BrakeView
  readonly shares: Shares
  readonly budget: Expectation
}

/**
 * Judges who may go next; undefined if just now nobody may.
 *
 * @param granted levels of the slots that are granted, where they have to be: then whoever granted
 * them has judged the window
 */
export function judgeAt(
  now: number,
  resources: Resources,
  granted?: readonly Level[]
): Judge | undefined {
  const { brake, ledger } = resources
  if (now < brake.nextSendAt()) return undefined
  const bounds = boundsAt(now, resources)
  if (ledger.inFlight >= bounds.concurrency) return undefined
  const hasSlot = granted
    ? granted.length > 0 && ledger.room(now) > 0
    : ledger.used(now) < bounds.limit
  return hasSlot ? judgeOf({ ...resources, bounds, now, granted }) : undefined
}

/** The next instant at which more may be sent although no answer comes; Infinity if none. */
export function nextChangeAt(now: number, { brake, budget, ledger }: Resources): number {
  const nextFreeAt = ledger.nextFreeAt(now) ?? Infinity
  return Math.min(brake.nextChangeAt(now), nextFreeAt, budget.nextChangeAt(now))
}

/** How many of those who wait could go if they were granted a slot, by level. */
export function demandAt(
  now: number,
  resources: Resources,
  lines: Iterable<readonly [Priority, team: string, length: number]>
): Demand {
  const demand: [number, number, number] = [0, 0, 0]
  const { brake, ledger } = resources
  if (now < brake.nextSendAt()) return demand
  const situation = { ...resources, bounds: boundsAt(now, resources), now }
  for (const [priority, team, length] of lines) {
    const { slots, connections } = suppliesOf(team, situation)
    const level = levelOf(priority, slots.overShare || connections.overShare)
    demand[level - 1] = demand[level - 1]! + length
  }
  // Who is granted a slot has to have a connection for it, and a place in the journal.
  let open = 0
  return demand.map((wanted, index) => {
    const { concurrency } = situation.bounds
    const closed = Math.floor(concurrency * closedConnections[index]!)
    const free = Math.min(concurrency - closed - ledger.inFlight, ledger.room(now)) - open
    const granted = Math.max(Math.min(wanted, free), 0)
    open += granted
    return granted
  }) as [number, number, number]
}

function boundsAt(now: number, { brake, budget }: Resources): Bounds {
  const bounds = brake.bounds(now)
  return { ...bounds, limit: Math.min(bounds.limit, budget.limit(now)) }
}

/** The state of things at the moment of a send. */
interface Situation extends Resources {
  readonly now: number
  readonly bounds: Bounds
  readonly granted?: readonly Level[] | undefined
}

/** Given that there is room. */
function judgeOf(situation: Situation): Judge {
  const { granted, ledger, now, shares } = situation
  return {
    isOpen(priority, team) {
      const { connections, slots } = suppliesOf(team, situation)
      const hasSlot = granted
        ? granted.some(level => level >= levelOf(priority, slots.overShare))
        : fits(priority, slots, slotParts)
      return hasSlot && fits(priority, connections, connectionParts)
    },
    load: team => (ledger.heldBy(team, now) + 1) / shares.weightOf(team)
  }
}

/** The slots and the connections, and whether a team has more than its share of them. */
function suppliesOf(team: string, { bounds, ledger, now, shares }: Situation) {
  const share = shares.shareOf(team)
  const slots: Supply = {
    used: ledger.used(now),
    size: bounds.limit,
    overShare: share < 1 && ledger.heldBy(team, now) > bounds.limit * share
  }
  const connections: Supply = {
    used: ledger.inFlight,
    size: bounds.concurrency,
    overShare: share < 1 && ledger.flyingOf(team) > bounds.concurrency * share
  }
  return { slots, connections }
}

/** For which part of the window a call of this class and team needs a slot. */
export function levelAt(now: number, resources: Resources, { team, priority }: Asker): Level {
  const situation = { ...resources, bounds: boundsAt(now, resources), now }
  return levelOf(priority, suppliesOf(team, situation).slots.overShare)
}

interface Asker {
  readonly team: string
  readonly priority: Priority
}

interface Supply {
  readonly used: number
  readonly size: number
  readonly overShare: boolean
}

/** Fractions of the whole. */
interface Parts {
  readonly closedToBulk: number
  readonly closedToOverShare: number
}

const slotParts: Parts = { closedToBulk: 1 / 6, closedToOverShare: 1 / 12 }
const connectionParts: Parts = { closedToBulk: 1 / 4, closedToOverShare: 1 / 8 }
/** The same by level. */
export const closedSlots = [0, slotParts.closedToOverShare, slotParts.closedToBulk]
const closedConnections = [0, connectionParts.closedToOverShare, connectionParts.closedToBulk]

/** How many slots of so many bulk may hold. */
export function slotsOpenToBulk(limit: number): number {
  return openPart(limit, slotParts.closedToBulk)
}

/** What calls of a class may use whoever they are of: a team above its share, to be sure. */
export function openTo(priority: Priority, { concurrency, limit }: Bounds): Bounds {
  return {
    limit: openPart(limit, closedPart(priority, true, slotParts)),
    concurrency: openPart(concurrency, closedPart(priority, true, connectionParts))
  }
}

/** A fraction of few is rounded in favour of whoever waits. */
function openPart(size: number, closed: number): number {
  return size - Math.floor(size * closed)
}

function fits(priority: Priority, { used, size, overShare }: Supply, parts: Parts): boolean {
  return used < openPart(size, closedPart(priority, overShare, parts))
}

function closedPart(priority: Priority, overShare: boolean, parts: Parts): number {
  if (priority === 'bulk') return parts.closedToBulk
  return priority === 'refresh' || overShare ? parts.closedToOverShare : 0
}

/** Places in the queue that a team cannot take from each other configured team. */
const keptPlaces = 10

export interface Places {
  /** Waiting calls, all teams together. */
  readonly maxLength: number
  /** Of each configured team. */
  readonly weights: ReadonlyMap<string, number>
}

/** Whether one more call of this team may wait: nobody takes the last places of another team. */
export function hasPlace(
  team: string,
  queue: FairQueue<Queued>,
  { maxLength, weights }: Places
): boolean {
  const kept = Math.min(keptPlaces, Math.floor(maxLength / Math.max(weights.size, 1)))
  let taken = queue.length
  for (const other of weights.keys()) {
    if (other !== team) taken += Math.max(kept - queue.lengthOf(other), 0)
  }
  return taken < maxLength
}
