/**
 * `STATE_DIR` as a place: made if it is not there, and watched for files that are taken away.
 */

import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes the directory and what leads to it. Not by Node's `recursive`, which never returns where
 * making one fails with ENOENT although its parent is there, as in /proc.
 *
 * @throws {NodeJS.ErrnoException} if it cannot be made.
 */
export function makeStateDir(directory: string): void {
  if (existsSync(directory)) return
  const parent = dirname(directory)
  if (parent !== directory) makeStateDir(parent)
  try {
    mkdirSync(directory)
  } catch (error) {
    // Another instance may have been faster.
    if (!existsSync(directory)) throw error
  }
}

/** Which file a path stands for just now; undefined if none. Costs microseconds. */
export function identityOf(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false })
    return stats && `${stats.dev}:${stats.ino}`
  } catch {
    return undefined
  }
}
