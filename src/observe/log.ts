/**
 * The log: one JSON line per event, times in UTC. No line holds a secret, by construction: every
 * line passes the redactor on its way out, whoever wrote it and whatever into it. Outside text
 * arrives here cut and is escaped by JSON.
 */

import { type DestinationStream, type Logger, pino, stdTimeFunctions, symbols } from 'pino'
import { systemClock, toIsoDate } from '../clock.ts'
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

/** Lines whose members are JSON already: as pino would write them, for less. */
export interface PreparedLines {
  readonly areWanted: boolean
  /** @param members of JSON without secrets, and with no line break in them */
  write(members: string): void
}

const info = 30

/** Of as few pieces as can be: each is joined, and copied when the line is written. */
export function preparedLines(logger: Logger, message: string): PreparedLines {
  const { [symbols.chindingsSym]: bindings, [symbols.streamSym]: stream } = logger as unknown as {
    [symbols.chindingsSym]: string
    [symbols.streamSym]: DestinationStream
  }
  const begin = beginning(`{"level":${info},"time":"`)
  const bound = `Z"${bindings},`
  const end = `,"msg":"${message}"}\n`
  return {
    get areWanted() {
      return logger.levelVal <= info
    },
    write: members => {
      stream.write(`${begin()}${bound}${members}${end}`)
    }
  }
}

/** What comes first and the time in UTC, of which all but the fraction is written once a second. */
function beginning(first: string): () => string {
  let second = Number.NaN
  let start = ''
  return () => {
    const ms = systemClock.wall()
    const fraction = ms % 1000
    if (ms - fraction !== second) {
      second = ms - fraction
      start = first + toIsoDate(ms).slice(0, -4)
    }
    return `${start}${fraction < 100 ? String(fraction).padStart(3, '0') : fraction}`
  }
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
