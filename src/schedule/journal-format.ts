/**
 * The journal's bytes: a header and one cell of fixed size per slot, each with a check value.
 * Pure: bytes in, cells out. Promises: whatever is not exactly what `encodeJournal` and `encodeCell`
 * wrote is refused with a reason for people.
 */

import { crc32 } from 'node:zlib'

const states = ['empty', 'sent', 'settled'] as const

export interface Cell {
  readonly state: (typeof states)[number]
  /** When the call was sent, or done. */
  readonly at: number
}

export interface Contents {
  /** Of the boot whose clock the instants are from; empty if the machine has none. */
  readonly bootId: string
  /** For how long after its answer a call is remembered. */
  readonly windowMs: number
  /** How long after its send a call without an answer is given up. */
  readonly timeoutMs: number
  /** Calls that are in no cell may arrive until then; -Infinity if there are none. */
  readonly unknownUntil: number
  readonly cells: readonly Cell[]
}

/** A file that is no journal of ours; the message completes "the journal is …". */
export class UnusableJournalError extends Error {}

/**
 * Magic 0–8, version 8–12, number of cells 12–16, boot id 16–52, zeros, window 56–64, time-out
 * 64–72, unknown until 72–80, zeros, check value 92–96.
 */
const headerBytes = 96
const magic = 'hcjournl'
const version = 2
const bootIdBytes = 36

/** State 0, zeros, instant 8–16, zeros, check value 28–32. No cell lies across two sectors. */
const cellBytes = 32

const mostCells = 2 ** 20
export const longestJournal = headerBytes + mostCells * cellBytes

const empty: Cell = { state: 'empty', at: 0 }

/** Where slot `index` has its cell. */
export function cellOffset(index: number): number {
  return headerBytes + index * cellBytes
}

/** The cell of slot `index` in a whole journal; undefined if there is none. */
export function cellAt(journal: Buffer, index: number): Buffer | undefined {
  const from = cellOffset(index)
  return index < 0 || from >= journal.length ? undefined : journal.subarray(from, from + cellBytes)
}

/** A whole journal of `count` cells, of which the first are given and the others hold nothing. */
export function encodeJournal(contents: Contents, count: number): Buffer {
  const bytes = Buffer.alloc(cellOffset(count))
  bytes.write(magic, 0, 'latin1')
  bytes.writeUInt32LE(version, 8)
  bytes.writeUInt32LE(count, 12)
  bytes.write(contents.bootId, 16, bootIdBytes, 'latin1')
  bytes.writeDoubleLE(contents.windowMs, 56)
  bytes.writeDoubleLE(contents.timeoutMs, 64)
  bytes.writeDoubleLE(contents.unknownUntil, 72)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, headerBytes - 4)), headerBytes - 4)
  for (let index = 0; index < count; index++) {
    encodeCell(cellAt(bytes, index)!, index, contents.cells[index])
  }
  return bytes
}

/** Fills a cell. Its index is part of the check value, so that one in another's place is noticed. */
export function encodeCell(into: Buffer, index: number, { state, at }: Cell = empty): void {
  into.writeUInt8(states.indexOf(state), 0)
  into.writeDoubleLE(at, 8)
  into.writeUInt32LE(crc32(into.subarray(0, cellBytes - 4), index), cellBytes - 4)
}

/** @throws {UnusableJournalError} */
export function decodeJournal(bytes: Buffer): Contents {
  const count = checkHeader(bytes)
  return {
    bootId: bytes.toString('latin1', 16, 16 + bootIdBytes).replace(/\0+$/, ''),
    windowMs: bytes.readDoubleLE(56),
    timeoutMs: bytes.readDoubleLE(64),
    unknownUntil: bytes.readDoubleLE(72),
    cells: Array.from({ length: count }, (_, index) => decodeCell(bytes, index))
  }
}

/** How many cells follow. */
function checkHeader(bytes: Buffer): number {
  if (bytes.length === 0) throw new UnusableJournalError('empty')
  if (bytes.toString('latin1', 0, magic.length) !== magic)
    throw new UnusableJournalError('foreign or corrupt')
  // First, because the header of another version may be of another length.
  const isOther = bytes.length >= 12 && bytes.readUInt32LE(8) !== version
  if (isOther) throw new UnusableJournalError('of another version')
  if (bytes.length < headerBytes) throw new UnusableJournalError('corrupt: it is cut short')
  if (bytes.readUInt32LE(headerBytes - 4) !== crc32(bytes.subarray(0, headerBytes - 4))) {
    throw new UnusableJournalError('corrupt: its header does not add up')
  }
  const count = bytes.readUInt32LE(12)
  if (bytes.length !== cellOffset(count))
    throw new UnusableJournalError('corrupt: its length is wrong')
  return count
}

function decodeCell(bytes: Buffer, index: number): Cell {
  const cell = cellAt(bytes, index)!
  const state = states[cell.readUInt8(0)]
  const at = cell.readDoubleLE(8)
  const valid = cell.readUInt32LE(cellBytes - 4) === crc32(cell.subarray(0, cellBytes - 4), index)
  if (!valid || !state || !Number.isFinite(at)) {
    throw new UnusableJournalError(`corrupt: slot ${index} does not add up`)
  }
  return { state, at }
}
