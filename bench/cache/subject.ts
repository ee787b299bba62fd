/** What is measured: something that answers requests from its store or from the virtual upstream. */

import type { Random } from '../../simulator/random.ts'
import type { Clock } from '../../src/clock.ts'
import type { DeskEvent } from './desk.ts'
import type { Shown } from './staleness.ts'
import type { VirtualUpstream } from './virtual-upstream.ts'
import type { Request } from './workload.ts'

/** What a subject stands in; each run has its own. */
export interface World {
  readonly clock: Clock
  readonly upstream: VirtualUpstream
  readonly random: Random
}

export interface Subject {
  /** What it shows; rejects with a `ServiceError` if it refuses. */
  ask(request: Request): Promise<readonly Shown[]>
  /** Told of everything that happens at the desk, at once. */
  hear?(event: DeskEvent): void
  /** How many calls it made since the last time it was asked, by what they were made for. */
  takeCallCounts?(): Readonly<Record<string, number>>
}

export interface Candidate {
  readonly name: string
  enter(world: World): Subject
}
