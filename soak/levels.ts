/**
 * Memory and open files of a process over its life, and whether they stay level. The system's figures
 * go up and down with the load, so what is judged is the lowest of each while, after the warm-up, and
 * the median of the slopes between any two of these (Theil and Sen), which a few odd ones do not
 * move; of open files, which are few and whole, the lower quartile, which chance does not reach. A
 * life that is too short to show a slope has none.
 */

import { readdirSync, readFileSync } from 'node:fs'

export interface Sample {
  readonly at: number
  readonly rssMb: number
  readonly files: number
}

/** What V8 tells of the same, for whoever wonders what grew. */
interface Heap {
  readonly at: number
  readonly usedMb: number
  /** What V8 holds of the system for it. */
  readonly totalMb: number
  /** Bytes outside of V8's heap that its objects hold. */
  readonly externalMb: number
}

export interface Life {
  readonly samples: Sample[]
  readonly heaps: Heap[]
}

export interface Levels {
  readonly rssMb: number
  /** The lowest of each quarter of a minute, in the order of time. */
  readonly lowestRssMb: readonly number[]
  readonly lowestHeapMb: readonly number[]
  readonly lowestHeapTotalMb: readonly number[]
  readonly lowestExternalMb: readonly number[]
  readonly files: number
  /** Undefined if the life is too short. */
  readonly rssMbPerMinute: number | undefined
  readonly filesPerMinute: number | undefined
}

interface Yardstick {
  readonly warmUpMs: number
  /** Of each while of this length the lowest counts. */
  readonly whileMs: number
  readonly leastWhiles: number
  /** The part of the slopes that may be lower than the one that is told. */
  readonly quantile: number
}

const tellingMs = 15_000

const yardsticks: Readonly<Record<'memory' | 'files', Yardstick>> = {
  // Until the cache is full and V8 has settled for a size; measured, not promised.
  memory: { warmUpMs: 300_000, whileMs: tellingMs, leastWhiles: 10, quantile: 0.5 },
  // Connections come in crowds, and are kept for 72 s.
  files: { warmUpMs: 60_000, whileMs: 60_000, leastWhiles: 5, quantile: 0.25 }
}

const promisedMbPerMinute = 1
const promisedFilesPerMinute = 1

/** Undefined if the process is gone or the system has no /proc. */
export function sampleOf(pid: number, at: number): Sample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const rssMb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
    return { at, rssMb, files: readdirSync(`/proc/${pid}/fd`).length }
  } catch {
    return undefined
  }
}

export function levelsOf({ heaps, samples }: Life): Levels {
  const last = samples.at(-1)
  return {
    rssMb: last?.rssMb ?? 0,
    files: last?.files ?? 0,
    lowestRssMb: told(samples, sample => sample.rssMb),
    lowestHeapMb: told(heaps, heap => heap.usedMb),
    lowestHeapTotalMb: told(heaps, heap => heap.totalMb),
    lowestExternalMb: told(heaps, heap => heap.externalMb),
    rssMbPerMinute: slope(samples, yardsticks.memory, sample => sample.rssMb),
    filesPerMinute: slope(samples, yardsticks.files, sample => sample.files)
  }
}

function told<Point extends { readonly at: number }>(
  points: readonly Point[],
  of: (point: Point) => number
): number[] {
  const lowest = lowestOf(points, { warmUpMs: 0, whileMs: tellingMs }, of)
  return lowest.map(([, value]) => Math.round(10 * value) / 10)
}

/** What does not stay level. */
export function unevenness({ filesPerMinute = 0, rssMbPerMinute = 0 }: Levels): string[] {
  return [
    rssMbPerMinute >= promisedMbPerMinute && `memory grows by ${rssMbPerMinute.toFixed(2)} MB/min`,
    filesPerMinute >= promisedFilesPerMinute &&
      `open files grow by ${filesPerMinute.toFixed(2)} a minute`
  ].filter(line => line !== false)
}

function slope(
  samples: readonly Sample[],
  yardstick: Yardstick,
  of: (sample: Sample) => number
): number | undefined {
  const points = lowestOf(samples, yardstick, of)
  if (points.length < yardstick.leastWhiles) return undefined
  const perMinute = 60_000 / yardstick.whileMs
  const slopes = points.flatMap(([x, y], index) =>
    points.slice(index + 1).map(([x2, y2]) => ((y2 - y) / (x2 - x)) * perMinute)
  )
  return quantileOf(slopes, yardstick.quantile)
}

function lowestOf<Point extends { readonly at: number }>(
  points: readonly Point[],
  { warmUpMs, whileMs }: Pick<Yardstick, 'warmUpMs' | 'whileMs'>,
  of: (point: Point) => number
): [index: number, value: number][] {
  const bornAt = points[0]?.at ?? 0
  const lowest = new Map<number, number>()
  for (const point of points) {
    const age = point.at - bornAt - warmUpMs
    if (age < 0) continue
    const index = Math.floor(age / whileMs)
    lowest.set(index, Math.min(lowest.get(index) ?? Number.POSITIVE_INFINITY, of(point)))
  }
  return [...lowest]
}

function quantileOf(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * part)] ?? 0
}
