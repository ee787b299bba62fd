/**
 * How many connections fit into what the system lets this process open, so that callers are
 * refused by us, who can choose whom, and not by the system, which cannot.
 */

import { readFileSync } from 'node:fs'

/** Beyond this, memory is the limit: an idle connection costs about 20 kB. */
const mostConnections = 5000

/** Beside as many callers as may wait: for those who need not. */
const besideWaiting = 2000

/** For the log, the journal, the program's own files and the operators. */
const reserve = 100

export interface Expected {
  /** Connections that this process makes itself. */
  readonly own: number
  /** Callers that may wait at one time. */
  readonly waiting: number
}

export function connectionLimit({ own, waiting }: Expected, openFiles = openFileLimit()): number {
  const wanted = Math.max(mostConnections, waiting + besideWaiting)
  return Math.max(Math.min(wanted, openFiles - own - reserve), 10)
}

/** Infinity where the system does not tell. Node has raised the soft limit to the hard one. */
function openFileLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}
