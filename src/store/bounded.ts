/** Waiting that ends: nobody waits longer for the store than they said. */

import type { Clock } from '../clock.ts'

/** It may come yet, and may have been done all the same. */
export class TimedOutError extends Error {}

/**
 * The promise, or `TimedOutError`. After a stall of the event loop the answer may lie in the socket's
 * buffer while the timer is already due, so it is given one more turn to be read.
 */
export function bounded<Value>(
  clock: Clock,
  answer: Promise<Value>,
  timeoutMs: number
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new TimedOutError(`no answer within ${timeoutMs} ms`))
    let timer = clock.after(timeoutMs, () => {
      timer = clock.after(1, giveUp)
    })
    const settle = () => timer.cancel()
    answer.then(resolve, reject).finally(settle)
  })
}
