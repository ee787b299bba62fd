/**
 * What the ledger must not forget when the process is killed: one fixed-size cell per slot in the
 * file `journal`, written before its call leaves and after its answer. Promises: every send that
 * left is found by the next start; the file never grows; a file that cannot be believed is noticed;
 * a disk that fails never stops the service. What a found instant means for the allowance is the
 * ledger's business; that no second process writes here is the state lock's.
 *
 * Instants are `Clock.now()`, common to all processes of one boot, beside that boot's id.
 */

import * as fs from 'node:fs'
import { join } from 'node:path'
import {
  type Cell,
  cellBytes,
  cellOffset,
  decodeJournal,
  encodeCell,
  encodeJournal,
  longestJournal,
  UnusableJournalError
} from './journal-format.ts'

/** What earlier processes left behind. Instants are `Clock.now()` milliseconds. */
export type History =
  | { readonly kind: 'first-boot' }
  /** For every slot that may still be held: when its call was done (answered, or given up plus margin). */
  | { readonly kind: 'known'; readonly doneAt: readonly number[] }
  /** Nothing can be said; `reason` is one line for people. */
  | { readonly kind: 'unknown'; readonly reason: string }

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
  readonly now: number
  readonly giveUpMarginMs: number
  /** By default the machine's; empty if it has none, and then every start is another boot. */
  readonly bootId?: string
  readonly warn: (message: string) => void
}

/** Processes of one boot read the same clock, but not to the last bit. */
const clockSlackMs = 1000

/** Reads what is there and puts a new journal, holding the same, in its place. Never throws. */
export function openJournal(options: JournalOptions): Journal {
  const path = join(options.directory, 'journal')
  const bootId = options.bootId ?? machineBootId()
  const found = readHistory(path, bootId, options)
  const cells = heldCells(found, options)
  const slots = Math.max(options.capacity, cells.length)
  try {
    const file = createJournal(path, encodeJournal({ bootId, cells }, slots))
    if (found.kind === 'unknown') warnUnknown(found.reason, options)
    return new FileJournal(found, { file, slots, path, warn: options.warn })
  } catch (error) {
    disown(path)
    const reason = `the journal cannot be written (${codeOf(error)})`
    warnUnknown(reason, options)
    return withoutFile({ kind: 'unknown', reason })
  }
}

/** Remembers nothing and finds nothing: for tools and tests that send no real call. */
export const noJournal: Journal = withoutFile({ kind: 'first-boot' })

interface OpenFile {
  readonly file: number
  readonly slots: number
  readonly path: string
  readonly warn: (message: string) => void
}

class FileJournal implements Journal {
  readonly history: History
  problem: string | undefined
  readonly #cell = Buffer.alloc(cellBytes)
  #open: OpenFile | undefined

  constructor(history: History, open: OpenFile) {
    this.history = history
    this.problem = problemOf(history)
    this.#open = open
  }

  sent(slot: number, at: number): void {
    this.#write(slot, { state: 'sent', at })
  }

  settled(slot: number, doneAt: number): void {
    this.#write(slot, { state: 'settled', at: doneAt })
  }

  released(slot: number): void {
    this.#write(slot, { state: 'empty', at: 0 })
  }

  close(): void {
    const open = this.#open
    this.#open = undefined
    if (open) closeQuietly(open.file)
  }

  /**
   * No fsync: what was written outlives the process in the page cache, and `kill -9` asks for no
   * more. Losing power loses the page cache, but also ends the boot: every cell then counts as sent
   * now, whatever it says.
   */
  #write(slot: number, cell: Cell): void {
    if (!this.#open) return
    if (slot < 0 || slot >= this.#open.slots)
      throw new RangeError(`The journal has no slot ${slot}`)
    encodeCell(this.#cell, slot, cell)
    try {
      writeAll(this.#open.file, this.#cell, cellOffset(slot))
    } catch (error) {
      this.#giveUp(this.#open, codeOf(error))
    }
  }

  /** A journal that missed one send must not be believed about the others. */
  #giveUp({ path, warn }: OpenFile, code: string): void {
    this.close()
    disown(path)
    this.problem = `the journal cannot be written (${code})`
    warn(
      `STATE_DIR: ${path} cannot be written (${code}); calls go on, ` +
        'but the next start will send none for one window'
    )
  }
}

function withoutFile(history: History): Journal {
  const nothing = () => {}
  const problem = problemOf(history)
  return { history, problem, sent: nothing, settled: nothing, released: nothing, close: nothing }
}

function problemOf(history: History): string | undefined {
  return history.kind === 'unknown' ? history.reason : undefined
}

function warnUnknown(reason: string, { directory, warn }: JournalOptions): void {
  warn(`STATE_DIR: ${directory}: ${reason}; no call is sent for one window`)
}

function readHistory(path: string, bootId: string, options: JournalOptions): History {
  try {
    // Looked at before it is opened: opening a pipe would wait for its other end forever.
    const file = fs.statSync(path)
    if (!file.isFile() || file.size > longestJournal) throw new UnusableJournalError('foreign')
    return historyOf(fs.readFileSync(path), bootId, options)
  } catch (error) {
    if (error instanceof UnusableJournalError) {
      return { kind: 'unknown', reason: `the journal is ${error.message}` }
    }
    const code = codeOf(error)
    if (code === 'ENOENT') return { kind: 'first-boot' }
    return { kind: 'unknown', reason: `the journal cannot be read (${code})` }
  }
}

/** An unsettled call may still be seen upstream until its margin, from this start, is over. */
function historyOf(bytes: Buffer, bootId: string, options: JournalOptions): History {
  const { bootId: theirs, cells } = decodeJournal(bytes)
  const sameBoot = bootId !== '' && bootId === theirs
  const latest = options.now + options.giveUpMarginMs
  // Another boot: a send may never have reached the disk, so not even an empty cell is believed.
  const isCacheLost = bootId !== theirs
  const taken = cells.filter(({ state }) => isCacheLost || state !== 'empty')
  if (sameBoot && taken.some(({ at }) => at > latest + clockSlackMs)) {
    throw new UnusableJournalError('corrupt: it holds an instant that has not come yet')
  }
  const doneAt = taken.map(({ state, at }) => (sameBoot && state === 'settled' ? at : latest))
  return { kind: 'known', doneAt }
}

/**
 * What the new journal starts with. If nothing is known, every slot is held as if its call were
 * given up now: killed before its first window is over, this process must not have forgotten it.
 */
function heldCells(found: History, { capacity, now, giveUpMarginMs }: JournalOptions): Cell[] {
  if (found.kind === 'first-boot') return []
  const unknown = () => Array<number>(capacity).fill(now + giveUpMarginMs)
  const doneAt = found.kind === 'known' ? found.doneAt : unknown()
  return doneAt.map(at => ({ state: 'settled', at }))
}

/**
 * Written in full and synced under another name first: whoever is killed meanwhile leaves the old
 * journal or the new one, and no later write of a cell needs space.
 */
function createJournal(path: string, bytes: Buffer): number {
  const temporary = `${path}.new`
  fs.mkdirSync(join(path, '..'), { recursive: true })
  fs.rmSync(temporary, { force: true })
  const file = fs.openSync(temporary, 'wx')
  try {
    writeAll(file, bytes, 0)
    fs.fsyncSync(file)
    fs.renameSync(temporary, path)
    syncDirectory(path)
    return file
  } catch (error) {
    closeQuietly(file)
    throw error
  }
}

/** Without it a first journal might vanish with the power, and look like a first boot. */
function syncDirectory(path: string): void {
  const directory = fs.openSync(join(path, '..'), 'r')
  try {
    fs.fsyncSync(directory)
  } finally {
    closeQuietly(directory)
  }
}

/**
 * Leaves an empty file, which the next start will not believe, in the place of a journal that is
 * not being kept. It may fail for the same reason as the journal did; then nothing can be done.
 */
function disown(path: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = fs.constants
  try {
    fs.closeSync(fs.openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK))
  } catch {}
}

function writeAll(file: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(file, bytes, done, bytes.length - done, position + done)
  }
}

function closeQuietly(file: number): void {
  try {
    fs.closeSync(file)
  } catch {}
}

/** One per start of the machine; only Linux has it. */
function machineBootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'failed'
}
