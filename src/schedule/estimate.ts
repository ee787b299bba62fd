/**
 * When will a waiting call be sent, and when would one that comes back find its way free? The
 * ledger and the queue are played forward by the same rules that send for real, on copies: exact
 * while nothing else arrives and calls take as long as they did lately. A few hundred steps of
 * arithmetic, so that refusing costs less than waiting.
 */

import type { FairQueue, Judge, Queued } from './fair-queue.ts'
import { hasRoom, judgeOf, type Shares } from './reserves.ts'
import type { Sends } from './sends.ts'

export interface Outlook<Item extends Queued> {
  readonly now: number
  readonly queue: FairQueue<Item>
  readonly sends: Sends
  readonly shares: Shares
}

/** @returns the instant at which `item`, which waits in the queue, will be sent; Infinity if never */
export function estimateSendAt<Item extends Queued>(item: Item, outlook: Outlook<Item>): number {
  return playForward(outlook, next => next === item)
}

/**
 * @returns the first instant at which a call of this class and team, coming only then, would be
 * sent at once, because whoever waits now was served or may not go
 */
export function estimateFreeAt<Item extends Queued>(
  { priority, team }: Pick<Queued, 'priority' | 'team'>,
  outlook: Outlook<Item>
): number {
  return playForward(outlook, (next, judge) => !next && judge.isOpen(priority, team))
}

/** Who is sent next, or nobody although there is room. */
type Stop<Item> = (next: Item | undefined, judge: Judge) => boolean

function playForward<Item extends Queued>(outlook: Outlook<Item>, stop: Stop<Item>): number {
  const { sends, shares } = outlook
  const { brake, latencyMs } = sends
  const ledger = sends.ledger.clone()
  const queue = outlook.queue.clone()
  const answers = expectedAnswers(sends, outlook.now)
  let now = outlook.now
  let nextSendAt = brake.nextSendAt()
  while (now < Infinity) {
    while (answers[0] && answers[0].at <= now) ledger.settle(answers[0].slot, answers.shift()!.at)
    const situation = { now, ledger, shares, bounds: sends.bounds(now) }
    const ready = now >= nextSendAt && hasRoom(situation)
    const judge = judgeOf(situation)
    const next = ready ? queue.take(judge) : undefined
    if (ready && stop(next, judge)) return now
    if (next) {
      answers.push({ slot: ledger.take(next.team, now)!, at: now + latencyMs })
      nextSendAt = now + brake.gapMs
    } else {
      const pacedAt = nextSendAt > now ? nextSendAt : Infinity
      const answerAt = answers[0]?.at ?? Infinity
      const freeAt = ledger.nextFreeAt(now) ?? Infinity
      now = Math.min(pacedAt, brake.nextChangeAt(now), answerAt, freeAt)
    }
  }
  return Infinity
}

interface Answer {
  readonly slot: number
  readonly at: number
}

/** When the calls in flight will be answered, soonest first; one that is overdue, at any moment. */
function expectedAnswers({ ledger, latencyMs }: Sends, now: number): Answer[] {
  const answers: Answer[] = []
  for (const { slot, sentAt } of ledger.flying) {
    answers.push({ slot, at: Math.max(now, sentAt + latencyMs) })
  }
  return answers.sort((a, b) => a.at - b.at)
}
