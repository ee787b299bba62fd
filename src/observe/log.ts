/**
 * The log: one JSON line per event on standard output, times in UTC. Secrets are redacted by
 * construction: nothing that holds one (headers, URLs with their query, configuration) is ever
 * handed to the logger. Outside text arrives here cut and is escaped by JSON.
 */

import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'

export type { Logger }

export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = { level, base: { pid: process.pid }, timestamp: stdTimeFunctions.isoTime }
  return destination ? pino(options, destination) : pino(options)
}
