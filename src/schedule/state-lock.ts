/**
 * One instance per `STATE_DIR`: an exclusive lock that dies with its holder, however it dies, so a
 * killed instance's successor starts at once and nobody ever deletes a stale file. It is SQLite's
 * lock on the file `lock`: an operating system lock, also between containers that share a volume.
 * Nothing is ever stored in that file. A directory that cannot hold a lock is left to the journal,
 * which cannot be written there either.
 *
 * Nobody else in this process may open `lock`: closing it would drop the lock (fcntl(2)).
 */

import { mkdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface StateLock {
  release(): void
}

/** Another process holds the directory; the message is one line that says what to do. */
export class StateLockedError extends Error {
  constructor(directory: string) {
    super(
      `STATE_DIR: ${directory} is in use by another instance; ` +
        'stop that one or give this one a directory of its own'
    )
    this.name = 'StateLockedError'
  }
}

/** Two instances that start at once disturb each other for a moment; this long one of them waits. */
const startTogetherMs = 100

/** SQLite's result codes: somebody else holds the lock; the file's content is not SQLite's. */
const busy = 5
const corrupt = 11
const notADatabase = 26

/** Collecting the handle as garbage would release the lock, so it is not left to the caller. */
const held = new Set<DatabaseSync>()

/**
 * Takes the lock, and makes the directory if there is none; undefined if it cannot hold a lock.
 *
 * @throws {StateLockedError} if another process holds it.
 */
export function lockStateDir(directory: string): StateLock | undefined {
  const path = join(directory, 'lock')
  try {
    mkdirSync(directory, { recursive: true })
    const lock = lockEmptied(path)
    held.add(lock)
    return { release: () => void (held.delete(lock) && lock.close()) }
  } catch (error) {
    if (resultCode(error) === busy) throw new StateLockedError(directory)
    return undefined
  }
}

/**
 * Damaged content does not keep anybody out. Emptying is safe, because a held lock is reported
 * before the content is looked at; deleting would not be, because two starters could then each
 * lock a file of that name.
 */
function lockEmptied(path: string): DatabaseSync {
  try {
    return lockFile(path)
  } catch (error) {
    const code = resultCode(error)
    if (code !== corrupt && code !== notADatabase) throw error
    truncateSync(path)
    return lockFile(path)
  }
}

/**
 * The transaction is never committed: the file stays empty, and without a rollback journal on
 * disk nothing is left for the next start to find. Writing inside it makes sure that the file was
 * not quietly opened for reading only, where SQLite would grant the lock to everybody.
 */
function lockFile(path: string): DatabaseSync {
  const file = new DatabaseSync(path, { timeout: startTogetherMs })
  try {
    file.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; PRAGMA user_version = 1')
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

/** SQLite's primary result code; the extended ones have it in their low byte. */
function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: number }).errcode
  return code === undefined ? undefined : code & 0xff
}
