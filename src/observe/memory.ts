/**
 * Keeps the process near the memory it promises. V8 lets garbage pile up to a multiple of what is
 * alive before it collects, which is right for speed and wrong for a cache that nearly fills its
 * bound. So while the resident set comes near the promise, V8 is asked to prefer memory to speed, a
 * flag that it consults at every collection; and one is made at once, because until the next it
 * holds by what it planned before, tens of megabytes more. Another is made whenever the promise is
 * all but reached: V8 collects beside the work, and has no time for it on a busy machine. The rest
 * of the time it runs as always, except while the code is loaded: that happens once, and what is
 * taken for it would stay.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Timer } from '../clock.ts'

export interface MemoryOptions {
  readonly clock: Clock
  /** The resident set that should not be exceeded. */
  readonly promisedBytes: number
  /** The resident set now; by default this process's. */
  readonly rss?: () => number
  /** By default V8's, like the next. */
  readonly preferMemory?: (preferred: boolean) => void
  readonly collect?: () => void
}

/** A young generation that is let grow does so within a second of load. */
const everyMs = 100
/** Between these parts of the promise nothing changes, so that it is not switched back and forth. */
const startPart = 0.8
const endPart = 0.65
/** On coming above this part it is collected, which takes about 50 ms, at most so often. */
const fullPart = 0.95
const collectEveryMs = 1000
/** Where a collection did not help, what is there is needed: no other until so long after. */
const collectAgainMs = 60_000

/** V8's flags while the code is loaded, and then; it consults them whenever it decides. */
const whileLoading = ['--semi-space-growth-factor=1', '--no-opt', '--no-maglev']
const afterwards = ['--semi-space-growth-factor=2', '--opt', '--maglev']

/**
 * Lets neither the young generation grow nor anything be optimised: that would take 11 MB and 5.
 * To be called before the code is loaded.
 *
 * @param tell sets one of V8's flags
 * @returns ends it
 */
export function saveWhileLoading(tell: (flag: string) => void = setFlagsFromString): () => void {
  for (const flag of whileLoading) tell(flag)
  return () => {
    for (const flag of afterwards) tell(flag)
  }
}

/** Watches until it is cancelled. */
export function watchMemory(options: MemoryOptions): Timer {
  const { clock, promisedBytes, rss = process.memoryUsage.rss } = options
  const { collect = collectNow, preferMemory = askV8 } = options
  let preferred = false
  /** Collected, and still full. */
  let inVain = false
  let collectedAt = -Infinity
  let next: Timer
  const look = () => {
    const part = rss() / promisedBytes
    const wanted = part > (preferred ? endPart : startPart)
    const isFull = part > fullPart
    if (wanted !== preferred) preferMemory(wanted)
    const sinceMs = clock.now() - collectedAt
    const isNews = isFull && sinceMs >= (inVain ? collectAgainMs : collectEveryMs)
    if (isNews || (wanted && !preferred)) {
      collect()
      collectedAt = clock.now()
    }
    inVain = isFull && (inVain || isNews)
    preferred = wanted
    next = clock.after(everyMs, look)
  }
  look()
  return { cancel: () => next.cancel() }
}

function askV8(preferred: boolean): void {
  setFlagsFromString(preferred ? '--optimize-for-size' : '--no-optimize-for-size')
}

/** V8 shows the function to contexts that are made once the flag is set. */
function collectNow(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  setFlagsFromString('--no-expose-gc')
}
