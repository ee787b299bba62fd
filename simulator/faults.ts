/**
 * What can be told to go wrong, the queue in which faults wait for the requests they are meant
 * for, and the one place where a request meets its fault.
 */

import { type Answer, send } from './answer.ts'
import { type DistortionShapes, distortions } from './distortions.ts'
import { type Exchange, type TransportShapes, transports } from './transports.ts'

type FaultShapes = DistortionShapes & TransportShapes
type FaultKind = keyof FaultShapes

/** `match` decides by the request target (path and query) whether the fault is meant for it. */
export type Fault<K extends FaultKind = FaultKind> = {
  readonly [P in K]: {
    readonly kind: P
    readonly match?: (target: string) => boolean
  } & FaultShapes[P]
}[K]

export class FaultQueue {
  #waiting: Fault[] = []
  #standing: Fault | undefined

  push(...faults: readonly Fault[]): void {
    this.#waiting.push(...faults)
  }

  /** For every request that takes none from the queue. */
  stand(fault: Fault | undefined): void {
    this.#standing = fault
  }

  take(target: string): Fault | undefined {
    const index = this.#waiting.findIndex(fault => isMeantFor(fault, target))
    if (index >= 0) return this.#waiting.splice(index, 1)[0]
    return this.#standing && isMeantFor(this.#standing, target) ? this.#standing : undefined
  }

  clear(): void {
    this.#waiting = []
    this.#standing = undefined
  }
}

/** Answers, rightly or wrongly. `said` learns the status, or 0 if a client can read none. */
export async function perform(
  fault: Fault | undefined,
  exchange: Exchange,
  said: (status: number) => void
): Promise<void> {
  if (fault && isTransport(fault)) {
    said(silent.includes(fault.kind) ? 0 : exchange.answer.status)
    await transport(fault, exchange)
  } else {
    const answer = fault ? distort(fault, exchange.answer) : exchange.answer
    said(answer.status)
    send(answer, exchange.response)
  }
}

const silent: readonly FaultKind[] = ['hang', 'resetBeforeBytes', 'raw']

function isMeantFor(fault: Fault, target: string): boolean {
  return fault.match?.(target) ?? true
}

type DistortionKind = keyof DistortionShapes
type TransportKind = keyof TransportShapes

function isTransport(fault: Fault): fault is Fault<TransportKind> {
  return fault.kind in transports
}

function distort<K extends DistortionKind>(fault: Fault<K>, answer: Answer): Answer {
  return distortions[fault.kind](fault, answer)
}

async function transport<K extends TransportKind>(fault: Fault<K>, exchange: Exchange) {
  await transports[fault.kind](fault, exchange)
}
