/**
 * The log: one JSON line per event, times in UTC. No line holds a secret, by construction: every
 * line passes the redactor on its way out, whoever wrote it and whatever into it. Outside text
 * arrives here cut and is escaped by JSON.
 */

import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import { systemClock } from '../clock.ts'
import { LogOutput, standardOutput } from './log-output.ts'
import { createRedactor } from './redact.ts'

export type { Logger }

export interface LogOptions {
  /** One of pino's. */
  readonly level: string
  /** What no line may hold. */
  readonly secrets: readonly string[]
  readonly destination: DestinationStream
}

export function createLogger({ level, secrets, destination }: LogOptions): Logger {
  const { clean } = createRedactor(secrets)
  const base = { pid: process.pid }
  const options = {
    level,
    base,
    timestamp: stdTimeFunctions.isoTime,
    hooks: { streamWrite: clean }
  }
  return pino(options, destination)
}

export interface Log {
  readonly logger: Logger
  /** Resolves once the reader has taken every line, or when the time is over. */
  flushed(withinMs: number): Promise<void>
}

/** The log on standard output, as the process has one. */
export function openLog({ level, secrets }: Pick<LogOptions, 'level' | 'secrets'>): Log {
  const destination = new LogOutput({
    output: standardOutput(),
    clock: systemClock,
    onDropped: count => logger.warn({ count }, 'lines were lost: nobody took them')
  })
  const logger = createLogger({ level, secrets, destination })
  process.on('exit', () => destination.flush())
  return { logger, flushed: withinMs => destination.flushed(withinMs) }
}
