/**
 * Standard output as the log's destination. Nobody waits for whoever reads it: lines are handed
 * over some milliseconds later, many at once; a reader that does not keep up, has gone away or has no
 * space left costs lines, which are counted, and never the event loop, memory or the process.
 */

import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { Clock } from '../clock.ts'

/** Takes bytes, and tells when it has taken them or why it has not; until then they stay. */
export interface Output {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): unknown
}

const stdout = 1

/** Pipes, which may be full, are Node's to wait for; a file takes what it is given, or fails. */
export function standardOutput(): Output {
  const kind = fstatSync(stdout)
  if (isatty(stdout) || kind.isFIFO() || kind.isSocket()) {
    // A closed pipe is reported to the write as well; unheard, it would be fatal.
    process.stdout.on('error', () => {})
    return process.stdout
  }
  return { write: writeFile }
}

/** Unlike process.stdout, this recovers when a full disk has space again. */
function writeFile(bytes: Uint8Array, done: (error?: Error) => void): void {
  try {
    writeSync(stdout, bytes)
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

export interface LogOutputOptions {
  readonly output: Output
  readonly clock: Clock
  /** Lines that wait for the reader, in bytes; more are dropped. */
  readonly mostWaiting?: number
  /** Told how many were, when some are taken again. */
  readonly onDropped: (count: number) => void
}

const defaultMostWaiting = 4 * 1024 * 1024
const batchMs = 10

export class LogOutput {
  readonly #options: Required<LogOutputOptions>
  #waiting = new Batch()
  /** Of what is being written, or was last. */
  #other = new Batch()
  #isScheduled = false
  #isWriting = false
  #dropped = 0
  #idle: (() => void)[] = []

  constructor(options: LogOutputOptions) {
    this.#options = { mostWaiting: defaultMostWaiting, ...options }
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > this.#options.mostWaiting) {
      this.#dropped++
      return
    }
    this.#waiting.add(line)
    this.#schedule()
  }

  /** Hands over what waits, unless the reader is behind; what a pipe has room for is then in it. */
  flush(): void {
    if (this.#isWriting || this.#waiting.lines === 0) return
    const batch = this.#waiting
    this.#waiting = this.#other
    this.#other = batch
    this.#isWriting = true
    this.#options.output.write(batch.bytes, error => this.#written(error))
  }

  /** Resolves once everything was taken, or when the time is over. */
  async flushed(withinMs: number): Promise<void> {
    this.flush()
    if (!this.#isWriting) return
    await new Promise<void>(resolve => {
      const timer = this.#options.clock.after(withinMs, resolve)
      this.#idle.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWriting) return
    this.#isScheduled = true
    this.#options.clock.after(batchMs, () => {
      this.#isScheduled = false
      this.flush()
    })
  }

  #written(error: Error | null | undefined): void {
    this.#isWriting = false
    const { lines } = this.#other
    this.#other.clear()
    if (error) this.#dropped += lines
    else if (this.#dropped > 0) this.#reportDropped()
    this.flush()
    if (this.#isWriting) return
    for (const tell of this.#idle) tell()
    this.#idle = []
  }

  #reportDropped(): void {
    const dropped = this.#dropped
    this.#dropped = 0
    this.#options.onDropped(dropped)
  }
}

/** More memory than this a batch does not keep. */
const mostKeptBytes = 256 * 1024
const longestUtf8 = 3

/**
 * Lines as the bytes that they go out as, one behind the other. A line is made of a dozen pieces:
 * put together only when it is written, thousands of lines later, they would come from memory that
 * the processor's caches have long lost, and outlive V8's young generation until then.
 */
class Batch {
  lines = 0
  length = 0
  #room = Buffer.allocUnsafeSlow(0)

  add(line: string): void {
    const most = this.length + longestUtf8 * line.length
    if (most > this.#room.length) this.#grow(most)
    this.length += this.#room.write(line, this.length)
    this.lines++
  }

  get bytes(): Uint8Array {
    return this.#room.subarray(0, this.length)
  }

  clear(): void {
    if (this.#room.length > mostKeptBytes) this.#room = Buffer.allocUnsafeSlow(0)
    this.lines = 0
    this.length = 0
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * bytes)
    larger.set(this.bytes)
    this.#room = larger
  }
}
