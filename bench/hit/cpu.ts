/**
 * The processor time of a process and all its descendants, and what else happened on a core.
 *
 * `/proc/PID/stat` counts in ticks of 10 ms, of which a repetition has 200; `schedstat` has the
 * same time, user and system together, as the scheduler keeps it, in nanoseconds, for each thread.
 * A thread that ends takes its time with it; none of those measured ends one while it answers.
 */

import { readdirSync, readFileSync } from 'node:fs'

/** Microseconds so far. */
export function cpuMicros(pid: number): number {
  let sum = 0
  for (const task of tasksOf(pid)) {
    const [nanos = 0] = read(`/proc/${pid}/task/${task}/schedstat`).split(' ').map(Number)
    sum += nanos / 1000
    for (const child of read(`/proc/${pid}/task/${task}/children`).split(' ')) {
      if (child.trim() !== '') sum += cpuMicros(Number(child))
    }
  }
  return sum
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** Empty if it has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Microseconds that a core was busy so far, and those that the host gave to others. */
export function coreMicros(core: number): { readonly busy: number; readonly stolen: number } {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1]
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? '')
    .split(' ')
    .map(ticks => Number(ticks) * 10_000)
  return { busy: user + nice + system + irq + softirq, stolen: steal }
}
