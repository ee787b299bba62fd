/**
 * How many connections fit into what the system lets this process open, so that callers are
 * refused by us, who can choose whom, and not by the system, which cannot.
 */

import { readFileSync } from 'node:fs'

/** Beyond this, memory is the limit: an idle connection costs about 20 kB. */
const mostConnections = 5000

/** For the log, the journal, the program's own files and the operators. */
const reserve = 100

/** @param others connections that this process makes itself */
export function connectionLimit(others: number): number {
  return Math.max(Math.min(mostConnections, openFileLimit() - others - reserve), 10)
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
