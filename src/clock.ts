/**
 * Ground floor: the only place that touches time. Rooms get a `Clock` and never see `Date`,
 * `performance` or timers, so that tests and the simulation can run years in a second.
 * Durations and instants are milliseconds; instants are monotonic and mean nothing as dates.
 */

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds on the machine's own clock, common to all processes of one boot. */
  now(): number
  /** Unix milliseconds; may jump. For dates shown or parsed on the wire, never for arithmetic. */
  wall(): number
  /** Calls `run` once, no earlier than the event loop's timers allow (up to 1 ms early). */
  after(delayMs: number, run: () => void): Timer
}

/** Longer delays overflow Node's 32-bit timers and would fire at once. */
const longestDelayMs = 2 ** 31 - 1

/** What to add to `performance.now()`, which counts from this process's start, to get CLOCK_MONOTONIC. */
const processStart = Number(process.hrtime.bigint()) / 1e6 - performance.now()

export const systemClock: Clock = {
  now: () => processStart + performance.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(delayMs, 0), longestDelayMs))
    return { cancel: () => clearTimeout(handle) }
  }
}

/**
 * An HTTP date (RFC 9110 section 5.6.7) in Unix milliseconds. It starts with a day's name;
 * `Date.parse` alone would take "-5" for a month of the year 2001.
 */
export function parseHttpDate(text: string): number | undefined {
  const date = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : date
}
