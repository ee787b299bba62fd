/**
 * The export suite: 100,000 chats through the real service, as fast as it goes and to a reader that
 * takes 100 kB a second. Is everything there, and does the service's memory stay where it was?
 */

import type { Suite } from '../suite.ts'
import { type Cell, formatTable } from '../table.ts'
import { readExport } from './reader.ts'
import { openSite, type Site } from './site.ts'

const chats = 100_000
const slowBytesPerSecond = 100_000
const slowSecondsPerWindow = 12
const warmUpSeconds = 10

/** Of resident memory, around its middle. */
const mostSwingMb = 20

interface Fast {
  readonly format: string
  readonly seconds: number
  readonly chatsPerSecond: number
  readonly megabytes: number
  readonly complete: boolean
}

interface Slow {
  readonly seconds: number
  readonly bytesPerSecond: number
  readonly leastMb: number
  readonly mostMb: number
  /** One a second, the warm-up left out. */
  readonly samplesMb: readonly number[]
}

export const exporting: Suite = async ({ windows }) => {
  const site = await openSite(chats)
  try {
    const slow = await measureSlow(site, windows * slowSecondsPerWindow)
    const fast: Fast[] = []
    for (const format of ['ndjson', 'json', 'csv']) fast.push(await measureFast(site, format))
    return {
      table: `${tableOf(fast)}\n\n${wordsFor(slow)}`,
      results: { conditions: { chats, slowBytesPerSecond, windows }, fast, slow },
      broken: brokenBy(fast, slow)
    }
  } finally {
    await site.close()
  }
}

async function measureFast(site: Site, format: string): Promise<Fast> {
  progress(`${chats} chats as ${format} …`)
  const { bytes, complete, seconds } = await readExport(site, { format })
  return {
    ...{ format, complete },
    seconds: round(seconds),
    chatsPerSecond: Math.round(chats / seconds),
    megabytes: round(bytes / 1e6)
  }
}

async function measureSlow(site: Site, seconds: number): Promise<Slow> {
  progress(`a reader of ${slowBytesPerSecond / 1000} kB/s, for ${seconds} s …`)
  const samples: number[] = []
  let second = 0
  const reading = await readExport(site, {
    format: 'ndjson',
    bytesPerSecond: slowBytesPerSecond,
    eachSecond: async () => {
      second++
      if (second > warmUpSeconds) samples.push(await site.residentMb())
      return second < seconds
    }
  })
  return {
    seconds: round(reading.seconds),
    bytesPerSecond: Math.round(reading.bytes / reading.seconds),
    leastMb: round(Math.min(...samples)),
    mostMb: round(Math.max(...samples)),
    samplesMb: samples.map(round)
  }
}

function tableOf(results: readonly Fast[]): string {
  const head = [`${chats} chats`, 'seconds', 'chats/s', 'MB', 'complete']
  const rows = results.map(({ format, seconds, chatsPerSecond, megabytes, complete }): Cell[] => [
    ...[format, seconds, chatsPerSecond, megabytes],
    String(complete)
  ])
  return formatTable(head, rows)
}

function wordsFor({ seconds, bytesPerSecond, leastMb, mostMb }: Slow): string {
  const pace = `${(bytesPerSecond / 1000).toFixed(0)} kB/s for ${seconds} s`
  return `Reader of ${pace}: the service's resident memory stayed from ${leastMb} to ${mostMb} MB.`
}

function brokenBy(fast: readonly Fast[], { leastMb, mostMb }: Slow): string[] {
  const swing = (mostMb - leastMb) / 2
  return [
    ...fast.filter(({ complete }) => !complete).map(({ format }) => `${format} is not complete`),
    ...(swing > mostSwingMb ? [`memory swings by ±${round(swing)} MB with a slow reader`] : [])
  ]
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function progress(line: string): void {
  process.stderr.write(`export: ${line}\n`)
}
