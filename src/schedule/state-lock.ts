/**
 * One instance per `STATE_DIR`: an exclusive lock that dies with its holder, however it dies, so a
 * killed instance's successor starts at once and nobody ever deletes a stale file. It is SQLite's
 * lock on the file `lock`: an operating system lock, also between containers that share a volume.
 * Nothing is ever stored in that file. A directory that cannot hold a lock is left to the journal,
 * which cannot be written there either.
 *
 * Nobody else in this process may open `lock`: closing it would drop the lock (fcntl(2)).
 */

import { truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { identityOf, makeStateDir } from './state-dir.ts'

export interface StateLock {
  /**
   * Takes it anew if its file was deleted, for then it keeps nobody out any more.
   *
   * @throws {StateLockedError} if another process has taken it since.
   */
  renew(): void
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
  try {
    return new FileLock(directory)
  } catch (error) {
    if (error instanceof StateLockedError) throw error
    return undefined
  }
}

class FileLock implements StateLock {
  readonly #path: string
  #database: DatabaseSync
  #identity: string | undefined

  constructor(directory: string) {
    this.#path = join(directory, 'lock')
    this.#database = lockIn(directory)
    this.#identity = identityOf(this.#path)
  }

  renew(): void {
    if (identityOf(this.#path) === this.#identity) return
    const database = lockIn(dirname(this.#path))
    this.release()
    this.#database = database
    this.#identity = identityOf(this.#path)
  }

  release(): void {
    if (held.delete(this.#database)) this.#database.close()
  }
}

function lockIn(directory: string): DatabaseSync {
  makeStateDir(directory)
  try {
    const database = lockEmptied(join(directory, 'lock'))
    held.add(database)
    return database
  } catch (error) {
    throw resultCode(error) === busy ? new StateLockedError(directory) : error
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
