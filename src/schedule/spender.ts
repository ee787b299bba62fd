/**
 * The schedule as a budget sees it that is shared with others: what is wanted and held here, and
 * what it is to know of the others.
 */

import type { Clock } from '../clock.ts'
import type { Spender } from './budget.ts'
import type { FairQueue } from './fair-queue.ts'
import type { Prospects } from './prospects.ts'
import { demandAt } from './reserves.ts'
import type { Sends } from './sends.ts'
import type { Waiting } from './waiting.ts'

export interface SpenderOptions {
  readonly clock: Clock
  readonly sends: Sends
  readonly queue: FairQueue<Waiting>
  readonly prospects: Prospects
  readonly changed: () => void
}

export function spenderOf({ changed, clock, prospects, queue, sends }: SpenderOptions): Spender {
  const now = () => clock.now()
  // What is expected holds from one instant on: the same for both, for time goes on between them.
  const demandOf = (at: number) => demandAt(at, prospects.resources(at), queue.lines())
  return {
    demand: () => demandOf(now()),
    held: () => sends.ledger.held(now()),
    workingLimit: () => sends.brake.bounds(now()).limit,
    pausedElsewhere: until => sends.pausedElsewhere(until, now()),
    heldByTeam: () => sends.ledger.heldByTeam(now()),
    heldElsewhere: elsewhere => sends.heldElsewhere(elsewhere),
    changed
  }
}
