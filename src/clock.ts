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

/**
 * What to add to `performance.now()`, which counts from this process's start, to get CLOCK_MONOTONIC.
 * Between looks at the two a process may have to wait, for milliseconds, and its clock would be that
 * much behind those of others: the closest of many looks counts.
 */
function startOfProcess(): number {
  let closest = { ms: Infinity, start: 0 }
  for (let look = 0; look < 20; look++) {
    const before = performance.now()
    const monotonic = Number(process.hrtime.bigint()) / 1e6
    const ms = performance.now() - before
    if (ms < closest.ms) closest = { ms, start: monotonic - before - ms / 2 }
  }
  return closest.start
}

const processStart = startOfProcess()

export const systemClock: Clock = {
  now: () => processStart + performance.now(),
  wall: () => Date.now(),
  after(delayMs, run) {
    const handle = setTimeout(run, Math.min(Math.max(delayMs, 0), longestDelayMs))
    return { cancel: () => clearTimeout(handle) }
  }
}

/** The three formats of RFC 9110 section 5.6.7, of which the last one leaves out that it is GMT. */
const httpDates = [
  /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/
]

/**
 * An HTTP date in Unix milliseconds. Only the formats themselves are let through to `Date.parse`,
 * which would take "-5" and "Later 5" for months of the year 2001.
 */
export function parseHttpDate(text: string): number | undefined {
  if (!httpDates.some(format => format.test(text))) return undefined
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(date) ? undefined : date
}

/** Unix milliseconds as people and JSON read them: ISO 8601, UTC. */
export function toIsoDate(wallMs: number): string {
  return new Date(wallMs).toISOString()
}
