/**
 * The simulated upstream in a process of its own, so that no load delays its stamps. It counts and
 * never refuses, so that a broken limit shows as a count. Over the channel it tells its URL when it
 * is ready, and answers every message with a report. Ends when its parent is gone.
 */

import { subscribe } from 'node:diagnostics_channel'
import { startSimulator } from '../../simulator/upstream.ts'
import {
  apiKey,
  chatCount,
  concurrency,
  jitterMs,
  latencyMs,
  limit,
  targets,
  windowMs
} from './conditions.ts'

export interface Ready {
  readonly baseUrl: string
}

export interface Report {
  /** When it was made; as the arrivals. */
  readonly at: number
  /** Monotonic milliseconds of this process, taken when the head of each request was parsed. */
  readonly arrivals: readonly number[]
  /** From then until the answer was handed over to the system; 0 if nothing was answered. */
  readonly meanLatencyMs: number
  /** How many were. */
  readonly answered: number
}

/** Of as many calls as are ever in flight together; they take in every sort and order. */
const warmUpTurns = 3

const startedAt = new WeakMap<object, number>()
let answered = { count: 0, totalMs: 0 }

subscribe('http.server.request.start', message => {
  startedAt.set((message as { request: object }).request, performance.now())
})
subscribe('http.server.response.finish', message => {
  const started = startedAt.get((message as { request: object }).request)
  if (started === undefined) return
  answered.count += 1
  answered.totalMs += performance.now() - started
})

const simulator = await startSimulator({
  apiKey,
  chats: chatCount,
  limit,
  windowSeconds: windowMs / 1000,
  latencyMs,
  jitterMs,
  enforce: false
})
await warmUp()

process.on('disconnect', () => process.exit())
process.on('message', () => {
  const arrivals = simulator.arrivals().map(arrival => arrival.at)
  const { count, totalMs } = answered
  const meanLatencyMs = totalMs / Math.max(count, 1)
  const at = performance.now()
  process.send?.({ at, arrivals, meanLatencyMs, answered: count } satisfies Report)
})
process.send?.({ baseUrl: simulator.baseUrl } satisfies Ready)

/**
 * A first answer costs sorting and compiling: the first arrivals would be stamped late, which looks
 * like a subject that sends its next turn too early.
 */
async function warmUp(): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}` }
  const pages = targets()
  for (let turn = 0; turn < warmUpTurns; turn++) {
    const answers = Array.from({ length: concurrency }, () =>
      fetch(simulator.baseUrl + pages.next().value, { headers }).then(answer => answer.text())
    )
    await Promise.all(answers)
  }
  simulator.reset()
  answered = { count: 0, totalMs: 0 }
}
