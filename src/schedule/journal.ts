/**
 * What the ledger must not forget when the process is killed: one fixed-size cell per slot in the
 * file `journal`, written before its call leaves and after its answer. Promises: every send that
 * left is found by the next start; the file never grows; a file that cannot be believed is noticed,
 * one that is taken away is put back; a disk that fails never stops the service. What a found
 * instant means for the allowance is the ledger's business; that no second process writes here is
 * the state lock's.
 *
 * Instants are `Clock.now()`, common to all processes of one boot, beside that boot's id.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { disown, JournalFile } from './journal-file.ts'
import { type Cell, cellAt, cellOffset, encodeCell, encodeJournal } from './journal-format.ts'
import {
  type Found,
  type History,
  noHistory,
  readHistory,
  unknownHistory
} from './journal-history.ts'
import { type StateLock, StateLockedError } from './state-lock.ts'

export interface Journal {
  readonly history: History
  /** Why the journal is not kept, or what it found cannot be believed; one line for people. */
  readonly problem: string | undefined
  /** Before the call leaves. */
  sent(slot: number, at: number): void
  settled(slot: number, doneAt: number): void
  /** The call certainly never left. */
  released(slot: number): void
  close(): void
}

export interface JournalOptions {
  readonly directory: string
  /** Slots of the ledger; the journal has more of them if earlier processes left more. */
  readonly capacity: number
  /** For how long after its answer a call is remembered, at least. */
  readonly windowMs: number
  /** How long after its send a call is given up. */
  readonly timeoutMs: number
  readonly giveUpMarginMs: number
  readonly now: number
  /** By default the machine's; empty if it has none, and then every start is another boot. */
  readonly bootId?: string
  /** Taken anew before a journal that was taken away is put back. */
  readonly lock?: StateLock | undefined
  readonly warn: (message: string) => void
}

/** Reads what is there and puts a new journal, holding the same, in its place. Never throws. */
export function openJournal(options: JournalOptions): Journal {
  const path = join(options.directory, 'journal')
  const bootId = options.bootId ?? machineBootId()
  const { history, problem } = readHistory(path, { ...options, bootId })
  const bytes = firstBytes(history, bootId, options)
  try {
    const file = new JournalFile(path, bytes)
    if (problem) warnUnknown(problem, options)
    return new FileJournal({ history, problem, file, bytes, options })
  } catch (error) {
    disown(path)
    const reason = `the journal cannot be written (${codeOf(error)})`
    warnUnknown(reason, options)
    return withoutFile(unknownHistory(options), reason)
  }
}

/** Remembers nothing and finds nothing: for tools and tests that send no real call. */
export const noJournal: Journal = withoutFile(noHistory, undefined)

interface Opened extends Found {
  readonly file: JournalFile
  /** What the file holds, to put it back. */
  readonly bytes: Buffer
  readonly options: JournalOptions
}

class FileJournal implements Journal {
  readonly history: History
  problem: string | undefined
  readonly #bytes: Buffer
  readonly #options: JournalOptions
  #file: JournalFile | undefined
  #lossWarned = false

  constructor({ history, problem, file, bytes, options }: Opened) {
    this.history = history
    this.problem = problem
    this.#bytes = bytes
    this.#options = options
    this.#file = file
  }

  sent(slot: number, at: number): void {
    this.#write(slot, { state: 'sent', at })
    if (this.#file && !this.#file.isInPlace) this.#putBack(this.#file)
  }

  settled(slot: number, doneAt: number): void {
    this.#write(slot, { state: 'settled', at: doneAt })
  }

  released(slot: number): void {
    this.#write(slot, { state: 'empty', at: 0 })
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
  }

  #write(slot: number, cell: Cell): void {
    if (!this.#file) return
    const bytes = cellAt(this.#bytes, slot)
    if (!bytes) throw new RangeError(`The journal has no slot ${slot}`)
    encodeCell(bytes, slot, cell)
    try {
      this.#file.write(bytes, cellOffset(slot))
    } catch (error) {
      disown(this.#file.path)
      this.#giveUp(`cannot be written (${codeOf(error)})`)
    }
  }

  /** Else the next start would see a first boot, and believe in the full allowance. */
  #putBack({ path }: JournalFile): void {
    this.close()
    try {
      this.#options.lock?.renew()
      this.#file = new JournalFile(path, this.#bytes)
      this.#noteLoss(path)
    } catch (error) {
      if (error instanceof StateLockedError) {
        // What stands there now is that instance's.
        this.#giveUp('was taken over by another instance')
      } else {
        disown(path)
        this.#giveUp(`was taken away and cannot be put back (${codeOf(error)})`)
      }
    }
  }

  #noteLoss(path: string): void {
    this.problem = 'the journal was taken away and had to be put back'
    if (this.#lossWarned) return
    this.#lossWarned = true
    this.#options.warn(`STATE_DIR: ${path} was deleted or replaced; it is put back, let it stand`)
  }

  /** A journal that missed one send must not be believed about the others. */
  #giveUp(what: string): void {
    const { directory, warn } = this.#options
    this.close()
    this.problem = `the journal ${what}`
    warn(
      `STATE_DIR: ${directory}: ${this.problem}; calls go on, ` +
        'but the next start will not know of them'
    )
  }
}

function withoutFile(history: History, problem: string | undefined): Journal {
  const nothing = () => {}
  return { history, problem, sent: nothing, settled: nothing, released: nothing, close: nothing }
}

function warnUnknown(reason: string, options: JournalOptions): void {
  const { directory, giveUpMarginMs, timeoutMs, warn, windowMs } = options
  const seconds = Math.ceil((windowMs + timeoutMs + giveUpMarginMs) / 1000)
  warn(`STATE_DIR: ${directory}: ${reason}; no call is sent for the first ${seconds} s`)
}

/** A journal that holds what was found, in the first slots. */
function firstBytes({ doneAt, unknownUntil }: History, bootId: string, options: JournalOptions) {
  const { capacity, giveUpMarginMs, now, windowMs } = options
  // Calls of a process with a longer time-out may be done later than any of ours.
  const aheadMs = [...doneAt, unknownUntil].reduce((most, at) => Math.max(most, at - now), 0)
  const timeoutMs = Math.max(options.timeoutMs, Math.floor(aheadMs - giveUpMarginMs))
  const cells = doneAt.map((at): Cell => ({ state: 'settled', at }))
  const slots = Math.max(capacity, cells.length)
  return encodeJournal({ bootId, windowMs, timeoutMs, unknownUntil, cells }, slots)
}

/** One per start of the machine; only Linux has it. */
function machineBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'failed'
}
