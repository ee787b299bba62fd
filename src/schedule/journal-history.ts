/**
 * What the journal of earlier processes says about the calls that may still count: when each was
 * done, judged from this start. Whatever cannot be believed, or may have been forgotten, is said to
 * be unknown; nothing is guessed in favour of sending.
 */

import { readFileSync, statSync } from 'node:fs'
import {
  type Cell,
  type Contents,
  decodeJournal,
  longestJournal,
  UnusableJournalError
} from './journal-format.ts'

/** What earlier processes left behind. Instants are `Clock.now()` milliseconds. */
export interface History {
  /** For every slot that may still be held: when its call was done (answered, or given up plus margin). */
  readonly doneAt: readonly number[]
  /** Calls that nobody remembers may arrive until then; -Infinity if every call is remembered. */
  readonly unknownUntil: number
}

interface Times {
  readonly now: number
  /** How long after its send a call is given up. */
  readonly timeoutMs: number
  readonly giveUpMarginMs: number
}

/** The process that reads. */
export interface Start extends Times {
  readonly bootId: string
  /** For how long before it every call has to be known. */
  readonly windowMs: number
}

/** Processes of one boot read the same clock, but not to the last bit. */
const clockSlackMs = 1000

/** Of a first boot. */
export const noHistory: History = { doneAt: [], unknownUntil: -Infinity }

export interface Found {
  readonly history: History
  /** Why not all of it is known, if it is not. */
  readonly problem: string | undefined
}

/** Never throws. */
export function readHistory(path: string, start: Start): Found {
  try {
    const stats = statSync(path)
    if (!stats.isFile() || stats.size > longestJournal) throw new UnusableJournalError('foreign')
    return historyOf(decodeJournal(readFileSync(path)), start)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return { history: noHistory, problem: undefined }
    const isRead = error instanceof UnusableJournalError
    const problem = isRead ? `is ${error.message}` : `cannot be read (${code})`
    return { history: unknownHistory(start), problem: `the journal ${problem}` }
  }
}

/**
 * Since when no call of an earlier process can arrive any more, were its last one sent just now. Of
 * a call without an answer its process would have waited for one until its time-out; that it was
 * killed meanwhile does not make the network faster.
 */
function latestDone({ now, timeoutMs, giveUpMarginMs }: Times): number {
  return now + timeoutMs + giveUpMarginMs
}

/** Of nothing that was sent before this start. */
export function unknownHistory(start: Times): History {
  return { doneAt: [], unknownUntil: latestDone(start) }
}

/** @throws {UnusableJournalError} */
function historyOf(found: Contents, start: Start): Found {
  const theirs = { ...start, timeoutMs: Math.max(start.timeoutMs, found.timeoutMs) }
  // A slot was used again, and its earlier call forgotten, once the shorter window was over.
  if (start.windowMs > found.windowMs) {
    return { history: unknownHistory(theirs), problem: 'the journal is one of a shorter window' }
  }
  const isSameBoot = start.bootId !== '' && start.bootId === found.bootId
  const history = isSameBoot ? ofThisBoot(found, start) : ofAnotherBoot(found, theirs)
  return { history, problem: undefined }
}

function ofThisBoot(
  { cells, timeoutMs, unknownUntil }: Contents,
  { giveUpMarginMs, now }: Start
): History {
  const latest = latestDone({ giveUpMarginMs, now, timeoutMs })
  const taken = cells.filter(({ state }) => state !== 'empty')
  const isToCome = ({ state, at }: Cell) => at > (state === 'sent' ? now : latest) + clockSlackMs
  if (taken.some(isToCome) || unknownUntil > latest + clockSlackMs) {
    throw new UnusableJournalError('corrupt: it holds an instant that has not come yet')
  }
  const doneAt = taken.map(({ state, at }) =>
    state === 'settled' ? at : Math.max(now, at + timeoutMs) + giveUpMarginMs
  )
  return { doneAt, unknownUntil }
}

/** Its clock was another: every call counts as sent now. */
function ofAnotherBoot({ bootId, cells, unknownUntil }: Contents, start: Start): History {
  const latest = latestDone(start)
  // A send may never have reached the disk, so not even an empty cell is believed.
  const isCacheLost = bootId !== start.bootId
  const taken = cells.filter(({ state }) => isCacheLost || state !== 'empty')
  const isAllRemembered = unknownUntil === -Infinity
  return {
    doneAt: taken.map(() => latest),
    unknownUntil: isAllRemembered ? -Infinity : latest
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'failed'
}
