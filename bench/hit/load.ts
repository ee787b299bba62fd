/** One case as a load: wrk asks as fast as it is answered, over a fixed number of connections. */

import { fileURLToPath } from 'node:url'
import { outputOf } from '../processes.ts'
import { connections } from './conditions.ts'
import { pinned } from './pinned.ts'

export interface Load {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Whole ones: wrk knows no others. */
  readonly seconds: number
  readonly core: number
}

/** Latencies in microseconds. */
export interface Answers {
  readonly requests: number
  readonly micros: number
  /** Not answered, or with an error. */
  readonly failed: number
  readonly p50: number
  readonly p99: number
}

const script = fileURLToPath(new URL('./wrk.lua', import.meta.url))

/** @throws {Error} if wrk cannot be run */
export async function load({ core, headers, seconds, url }: Load): Promise<Answers> {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const many = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`]
  const wrk = ['wrk', ...many, '--timeout', '10s', '-s', script, ...fields, url]
  const output = await outputOf(pinned(core, wrk))
  return JSON.parse(output.trim().split('\n').at(-1)!)
}
