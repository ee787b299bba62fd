/**
 * Standard output as the log's destination. Nobody waits for whoever reads it: lines are handed
 * over some milliseconds later, many at once; a reader that does not keep up, has gone away or has no
 * space left costs lines, which are counted, and never the event loop, memory or the process.
 */

import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { Clock } from '../clock.ts'

/** Takes a text, and tells when it has taken it or why it has not. */
export interface Output {
  write(text: string, done: (error?: Error | null) => void): unknown
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
function writeFile(text: string, done: (error?: Error) => void): void {
  try {
    writeSync(stdout, text)
  } catch (error) {
    done(error as Error)
    return
  }
  done()
}

export interface LogOutputOptions {
  readonly output: Output
  readonly clock: Clock
  /** Lines that wait for the reader, in characters; more are dropped. */
  readonly mostWaiting?: number
  /** Told how many were, when some are taken again. */
  readonly onDropped: (count: number) => void
}

const defaultMostWaiting = 4 * 1024 * 1024
const batchMs = 10

export class LogOutput {
  readonly #options: Required<LogOutputOptions>
  #lines: string[] = []
  #length = 0
  #isScheduled = false
  #isWriting = false
  #dropped = 0
  #idle: (() => void)[] = []

  constructor(options: LogOutputOptions) {
    this.#options = { mostWaiting: defaultMostWaiting, ...options }
  }

  write(line: string): void {
    if (this.#length + line.length > this.#options.mostWaiting) {
      this.#dropped++
      return
    }
    this.#lines.push(line)
    this.#length += line.length
    this.#schedule()
  }

  /** Hands over what waits, unless the reader is behind; what a pipe has room for is then in it. */
  flush(): void {
    if (this.#isWriting || this.#lines.length === 0) return
    const lines = this.#lines
    this.#lines = []
    this.#length = 0
    this.#isWriting = true
    this.#options.output.write(lines.join(''), error => this.#written(lines.length, error))
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

  #written(count: number, error: Error | null | undefined): void {
    this.#isWriting = false
    if (error) this.#dropped += count
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
