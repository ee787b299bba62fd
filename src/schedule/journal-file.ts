/**
 * The journal as a file: put in its place whole or not at all, written cell by cell, watched for
 * being taken away, disowned when it cannot be kept. It knows nothing of what the bytes say.
 */

import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { identityOf, makeStateDir } from './state-dir.ts'

export class JournalFile {
  readonly path: string
  readonly #file: number
  readonly #identity: string | undefined

  /**
   * Written in full and synced under another name first: whoever is killed meanwhile leaves the old
   * journal or the new one, and no later write of a cell needs space.
   */
  constructor(path: string, bytes: Buffer) {
    const temporary = `${path}.new`
    makeStateDir(dirname(path))
    fs.rmSync(temporary, { force: true })
    const file = fs.openSync(temporary, 'wx')
    try {
      writeAll(file, bytes, 0)
      fs.fsyncSync(file)
      fs.renameSync(temporary, path)
      syncDirectory(path)
    } catch (error) {
      closeQuietly(file)
      throw error
    }
    this.path = path
    this.#file = file
    this.#identity = identityOf(path)
  }

  /** False once it was deleted or replaced, alone or with its directory. */
  get isInPlace(): boolean {
    return identityOf(this.path) === this.#identity
  }

  /**
   * No fsync: what was written outlives the process in the page cache, and `kill -9` asks for no
   * more. Losing power loses the page cache, but also ends the boot: every cell then counts as sent
   * now, whatever it says.
   */
  write(bytes: Buffer, position: number): void {
    writeAll(this.#file, bytes, position)
  }

  close(): void {
    closeQuietly(this.#file)
  }
}

/**
 * Leaves an empty file, which the next start will not believe, in the place of a journal that is
 * not being kept. It may fail for the same reason as the journal did; then nothing can be done.
 */
export function disown(path: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = fs.constants
  try {
    fs.closeSync(fs.openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK))
  } catch {}
}

/** Without it a first journal might vanish with the power, and look like a first boot. */
function syncDirectory(path: string): void {
  const directory = fs.openSync(dirname(path), 'r')
  try {
    fs.fsyncSync(directory)
  } finally {
    closeQuietly(directory)
  }
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
