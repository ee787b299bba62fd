/**
 * Whether a call that arrives can be sent before its deadline. Playing the line forward
 * (estimate.ts) tells exactly, and costs a step for every call that waits; arithmetic tells of most
 * calls what it would say, and costs the same however long the line is.
 */

import { estimateSendAt, type Outlook } from './estimate.ts'
import type { Queued } from './fair-queue.ts'
import { openTo } from './reserves.ts'

export interface Limits {
  /** Calls in any window. */
  readonly limit: number
  /** Calls in flight at once. */
  readonly concurrency: number
}

/** Whether `item`, which waits, will be sent by `deadline` if nothing else arrives. */
export function canMake<Item extends Queued>(
  item: Item,
  outlook: Outlook<Item>,
  deadline: number,
  limits: Limits
): boolean {
  if (isTooLateFor(item, outlook, deadline)) return false
  if (latestSendAt(item, outlook, limits) <= deadline) return true
  return estimateSendAt(item, outlook, deadline) <= deadline
}

/** Those before it in its own line alone need all slots that come free in time. */
function isTooLateFor<Item extends Queued>(
  item: Item,
  { now, queue, sends }: Outlook<Item>,
  deadline: number
): boolean {
  return queue.countBefore(item) >= sends.ledger.mostUntil(deadline, now)
}

/**
 * The end of the longest wait there can be, with everybody who waits sent first; Infinity if
 * anything holds sending up. Whenever a slot and a connection are open to it, it or somebody before
 * it is sent. A slot comes back one window after the answer, or after the instant until which a call
 * that was lost may still arrive, so in any such time there are as many sends as slots are open to
 * it, or it goes; and the same for connections and the time of a call.
 */
function latestSendAt<Item extends Queued>(
  { priority }: Item,
  { budget, now, queue, sends }: Outlook<Item>,
  { concurrency, limit }: Limits
): number {
  const { brake, latencyMs, ledger } = sends
  const bounds = brake.bounds(now)
  const isHeldUp = brake.mode(now) !== 'open' || brake.nextSendAt() > now
  const isLowered = bounds.limit < limit || bounds.concurrency < concurrency
  const isShared = budget.limit(now) < limit || budget.turns > 1
  if (isHeldUp || isLowered || isShared) return Infinity
  const open = openTo(priority, bounds)
  const slotMs = latencyMs + ledger.heldAfterMs
  const slotsMs = Math.ceil(queue.length / open.limit) * slotMs
  const connectionsMs = Math.ceil(queue.length / open.concurrency) * latencyMs
  return now + ledger.settledAheadMs(now) + slotsMs + connectionsMs
}
