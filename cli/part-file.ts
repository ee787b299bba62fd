/**
 * What there is of an export before it is complete: a file of whole lines, one chat each. It
 * outlives the process that writes it, and says where the next one has to go on.
 */

import { closeSync, createReadStream, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { numberText, parseExactly } from '../src/chats/export/exact-json.ts'
import { mostAfter } from '../src/chats/export/query.ts'
import { Lines } from './lines.ts'
import { ExportError } from './request.ts'

const lineEnd = Buffer.from('\n')

export class PartFile {
  readonly path: string
  readonly #file: number
  /** The last lines, oldest first. */
  readonly #last: Buffer[] = []
  #count = 0
  #isOpen = true

  private constructor(path: string, isFresh: boolean) {
    this.path = path
    this.#file = openSync(path, isFresh ? 'w+' : 'a+')
  }

  /** With what an earlier run left, unless it is to begin again. */
  static async open(path: string, isFresh: boolean): Promise<PartFile> {
    const part = new PartFile(path, isFresh)
    let length = 0
    for await (const lines of part.#readLines()) {
      for (const line of lines) length += line.length + 1
      part.#note(lines)
    }
    // A process that was killed may have left half a line.
    ftruncateSync(part.#file, length)
    return part
  }

  /** Chats in it. */
  get count(): number {
    return this.#count
  }

  /** The last chats' ids, as the service wants them. */
  lastIds(): string[] {
    const ids = this.#last.map(idOf).filter(id => /^\d+$/.test(id))
    if (ids.length > 0 || this.#count === 0) return ids
    throw new ExportError(`${this.path} holds something other than chats; --fresh begins again`)
  }

  /** Whole lines, each one chat. */
  append(lines: readonly Buffer[]): void {
    if (lines.length === 0) return
    const bytes = Buffer.concat(lines.flatMap(line => [line, lineEnd]))
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
    this.#note(lines)
  }

  /** The chats, some at a time. */
  chats(): AsyncIterable<Buffer[]> {
    fsyncSync(this.#file)
    return this.#readLines()
  }

  /** May be called again. */
  close(): void {
    if (this.#isOpen) closeSync(this.#file)
    this.#isOpen = false
  }

  async *#readLines(): AsyncGenerator<Buffer[]> {
    const lines = new Lines()
    for await (const piece of createReadStream(this.path)) yield lines.push(piece)
  }

  #note(lines: readonly Buffer[]): void {
    this.#count += lines.length
    // Copies: a line is a part of a much larger piece.
    this.#last.push(...lines.slice(-mostAfter).map(line => Buffer.from(line)))
    this.#last.splice(0, this.#last.length - mostAfter)
  }
}

/** With every digit; empty if there is none. */
function idOf(line: Buffer): string {
  try {
    const { id } = parseExactly(line.toString()) as { id?: unknown }
    return numberText(id) ?? String(id)
  } catch {
    return ''
  }
}
