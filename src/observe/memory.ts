/**
 * Keeps the process near the memory it promises. V8 lets garbage pile up to a multiple of what is
 * alive before it collects, which is right for speed and wrong for a cache that nearly fills its
 * bound. So while the resident set comes near the promise, V8 is asked to prefer memory to speed,
 * a flag that it consults at every collection; the rest of the time it runs as always.
 */

import { setFlagsFromString } from 'node:v8'
import type { Clock, Timer } from '../clock.ts'

export interface MemoryOptions {
  readonly clock: Clock
  /** The resident set that should not be exceeded. */
  readonly promisedBytes: number
  /** The resident set now; by default this process's. */
  readonly rss?: () => number
  /** By default V8's. */
  readonly preferMemory?: (preferred: boolean) => void
}

const everyMs = 500
/** Between these parts of the promise nothing changes, so that it is not switched back and forth. */
const startPart = 0.8
const endPart = 0.65

/** Watches until it is cancelled. */
export function watchMemory(options: MemoryOptions): Timer {
  const { clock, promisedBytes, rss = process.memoryUsage.rss, preferMemory = askV8 } = options
  let preferred = false
  let next: Timer
  const look = () => {
    const wanted = rss() > promisedBytes * (preferred ? endPart : startPart)
    if (wanted !== preferred) preferMemory(wanted)
    preferred = wanted
    next = clock.after(everyMs, look)
  }
  look()
  return { cancel: () => next.cancel() }
}

function askV8(preferred: boolean): void {
  setFlagsFromString(preferred ? '--optimize-for-size' : '--no-optimize-for-size')
}
