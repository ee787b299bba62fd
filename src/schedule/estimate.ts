/**
 * When will a waiting call be sent, and when would one that comes back find its way free? Ledger,
 * queue and brake are played forward by the same rules that send for real, on copies: exact while
 * nothing else arrives and calls take as long as they did lately. It looks no further than somebody
 * cares, so that refusing costs less than waiting.
 */

import type { Expectation } from './budget.ts'
import type { FairQueue, Judge, Queued } from './fair-queue.ts'
import { judgeAt, nextChangeAt, type Shares } from './reserves.ts'
import type { Sends } from './sends.ts'

export interface Outlook<Item extends Queued> {
  readonly now: number
  readonly queue: FairQueue<Item>
  readonly sends: Sends
  readonly shares: Shares
  readonly budget: Expectation
}

/** @returns the instant at which `item`, which waits, will be sent; Infinity if not by `horizon` */
export function estimateSendAt<Item extends Queued>(
  item: Item,
  outlook: Outlook<Item>,
  horizon: number
): number {
  return playForward(outlook, horizon, next => next === item)
}

/** The same, and how many calls go before it; undefined if it is not sent by `horizon`. */
export function estimateTurn<Item extends Queued>(
  item: Item,
  outlook: Outlook<Item>,
  horizon: number
): { readonly sendAt: number; readonly before: number } | undefined {
  let before = 0
  const sendAt = playForward(outlook, horizon, next => {
    if (next !== item && next !== undefined) before++
    return next === item
  })
  return sendAt < Infinity ? { sendAt, before } : undefined
}

/**
 * @returns the first instant at which a call of this class and team, coming only then, would be
 * sent at once, because whoever waits now was served or may not go; Infinity if not by `horizon`
 */
export function estimateFreeAt<Item extends Queued>(
  { priority, team }: { readonly priority: Queued['priority']; readonly team: string },
  outlook: Outlook<Item>,
  horizon: number
): number {
  return playForward(outlook, horizon, (next, judge) => !next && judge.isOpen(priority, team))
}

/** Who is sent next, or nobody although there is room. */
type Stop<Item> = (next: Item | undefined, judge: Judge) => boolean

function playForward<Item extends Queued>(
  outlook: Outlook<Item>,
  horizon: number,
  stop: Stop<Item>
): number {
  const { budget, sends, shares } = outlook
  const ledger = sends.ledger.clone()
  const brake = sends.brake.clone()
  const queue = outlook.queue.clone()
  const resources = { ledger, brake, shares, budget }
  const answers = expectedAnswers(sends, outlook.now)
  /** Turns of other replicas that come before our next. */
  let turnsOfOthers = 0
  let now = outlook.now
  while (now <= horizon) {
    for (; answers[0] && answers[0].at <= now; answers.shift()) {
      ledger.settle(answers[0].slot, answers[0].at)
      // That calls succeed is only assumed while nothing says otherwise.
      if (brake.mode(now) === 'open') brake.succeeded(answers[0].sentAt)
    }
    const judge = judgeAt(now, resources)
    const isTheirs = judge !== undefined && turnsOfOthers > 0
    const turn = isTheirs ? { item: undefined, team: '' } : judge && queue.take(judge)
    if (judge && !isTheirs && stop(turn?.item, judge)) return now
    if (turn) {
      const slot = ledger.take(turn.team, now)!
      brake.sent(now)
      answers.push({ slot, sentAt: now, at: now + sends.latencyMs })
      turnsOfOthers = isTheirs ? turnsOfOthers - 1 : budget.turns - 1
    } else {
      now = Math.min(nextChangeAt(now, resources), answers[0]?.at ?? Infinity)
    }
    if (now === Infinity) break
  }
  return Infinity
}

interface Answer {
  readonly slot: number
  readonly sentAt: number
  readonly at: number
}

/** When the calls in flight will be answered, soonest first; one that is overdue, at any moment. */
function expectedAnswers({ ledger, latencyMs }: Sends, now: number): Answer[] {
  const answers: Answer[] = []
  for (const { slot, sentAt } of ledger.flying) {
    answers.push({ slot, sentAt, at: Math.max(now, sentAt + latencyMs) })
  }
  return answers.sort((a, b) => a.at - b.at)
}
