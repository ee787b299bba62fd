/**
 * What would become of calls that came now, by the rules that send for real, on copies: for who
 * asks before doing. Nothing is taken, sent, counted or promised.
 */

import type { ServiceError } from '../errors.ts'
import type { CallProspect, Priority, RefusalRule } from '../ports.ts'
import { estimateFreeAt, estimateTurn, type Outlook } from './estimate.ts'
import type { FairQueue, Queued } from './fair-queue.ts'

/** Calls of one team that come together, in this order. */
export interface Asking {
  readonly team: string
  readonly priorities: readonly Priority[]
  readonly deadline: number
}

/** As it is when they come. */
export interface Scene {
  readonly outlook: Outlook<Queued>
  /** How far an estimate looks. */
  readonly horizon: number
  readonly hasPlace: (queue: FairQueue<Queued>) => boolean
  readonly refusal: (waitMs: number) => ServiceError
  /** What refuses whom the queue does not. */
  readonly rule: RefusalRule
  /** Only a probe is sent; who comes after it is refused. */
  readonly isProbing: boolean
}

/** One after the other, each behind those before it that may wait. */
export function foreseeCalls(asking: Asking, scene: Scene): readonly CallProspect[] {
  const { deadline, priorities, team } = asking
  const { now } = scene.outlook
  const outlook = { ...scene.outlook, queue: scene.outlook.queue.clone() }
  // Without those who leave as they come: they take a slot and no place.
  const line = outlook.queue.clone()
  return priorities.map((priority, index): CallProspect => {
    const item = { teams: [team], team, priority, arrivedAt: now }
    const mayWait = scene.hasPlace(line) && !(scene.isProbing && index > 0)
    outlook.queue.push(item)
    const turn = estimateTurn(item, outlook, mayWait ? deadline : now)
    if (turn && turn.sendAt > now) line.push(item)
    if (turn) return { sendAt: turn.sendAt, position: turn.before }
    outlook.queue.remove(item)
    const freeAt = Math.min(estimateFreeAt(item, outlook, scene.horizon), scene.horizon)
    const rule = mayWait || scene.rule !== 'deadline' ? scene.rule : 'queue-full'
    return { refusal: scene.refusal(freeAt - now), rule }
  })
}
