/**
 * The end, in order: readiness first, then the door, then whoever is still inside. Who waits for
 * an answer gets it or is refused in words; nobody is cut off before the last moment, and only a
 * body that is being sent is cut off then. Ends within the grace whatever callers do.
 */

import type { Clock } from './clock.ts'
import type { Service } from './service.ts'

export interface ShutdownTimes {
  /** From now until the process has to be gone. */
  readonly graceMs: number
  /** From now until the door closes; at most half of the grace. */
  readonly delayMs: number
}

/** Kept back from the grace: half for refusals to be read, half for what remains to be done. */
function reserveOf(graceMs: number): number {
  return Math.max(graceMs / 10, Math.min(graceMs / 4, 500))
}

export async function shutDown(
  service: Omit<Service, 'app' | 'admin'>,
  clock: Clock,
  { delayMs, graceMs }: ShutdownTimes
): Promise<void> {
  const reserveMs = reserveOf(graceMs)
  service.unready(graceMs)
  let last = clock.after(graceMs - reserveMs, () => {
    service.abandon()
    // Counted from here: after a stall both would be due, and the refusals still to be written.
    last = clock.after(reserveMs / 2, () => service.cut())
  })
  // At least one turn of the event loop: requests that have arrived already are read.
  await pause(clock, Math.min(delayMs, graceMs / 2))
  service.drain()
  await service.stopAccepting()
  last.cancel()
  await service.close()
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise(resolve => clock.after(delayMs, resolve))
}
