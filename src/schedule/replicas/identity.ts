/**
 * Who this replica is, across restarts: a random name in `STATE_DIR`, with the machine's name and the
 * directory's number behind it, so that copies of a volume or of the directory do not collide; and
 * what it last knew of the shared ledger, which tells an emptied store from a new one.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

interface Memory {
  /** The shared ledger's epoch; empty if this replica never joined one. */
  readonly epoch: string
  /** The part of the limit that it was last told to have. */
  readonly share: number
}

export interface Identity {
  readonly id: string
  readonly memory: Memory
  /** Never throws: what is not remembered costs budget after the next start, not the law. */
  remember(memory: Memory): void
}

/** Reads it, or makes a new one where there is none that can be believed. */
export function openIdentity(directory: string): Identity {
  const path = join(directory, 'identity')
  const found = read(path)
  const name = found?.name ?? randomBytes(6).toString('hex')
  const write = ({ epoch, share }: Memory) => {
    try {
      writeFileSync(`${path}.new`, JSON.stringify({ name, epoch, share }))
      renameSync(`${path}.new`, path)
    } catch {
      // The journal has said already that the directory cannot be written.
    }
  }
  const memory = found?.memory ?? { epoch: '', share: 0 }
  if (!found) write(memory)
  return { id: `${name}.${placeOf(directory)}`, memory, remember: write }
}

/** Another one for a copy of the directory, also on the same machine. */
function placeOf(directory: string): string {
  const host = hostname().replace(/[^\w.-]/g, '_')
  const inode = statSync(directory, { throwIfNoEntry: false })?.ino ?? 0
  return `${host}.${inode.toString(36)}`
}

function read(path: string): { name: string; memory: Memory } | undefined {
  try {
    const { name, epoch, share } = JSON.parse(readFileSync(path, 'utf8'))
    const isWhole =
      /^[0-9a-f]{12}$/.test(name) && typeof epoch === 'string' && Number.isInteger(share)
    return isWhole ? { name, memory: { epoch, share } } : undefined
  } catch {
    return undefined
  }
}
