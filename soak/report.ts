/** The figures of a soak as tables for people, and its verdict in one line. */

import { formatTable } from '../bench/table.ts'
import { limit } from './conditions.ts'
import type { Result } from './set-up.ts'

export function report(results: readonly Result[]): string {
  return results.map(reportOne).join('\n\n')
}

function reportOne(result: Result): string {
  const { calls, exports, largestWindow, longestMs, longestNetMs, machine, name, seconds } = result
  const requests = Object.entries(result.answers).filter(([what]) => !what.startsWith('of these'))
  const rows: [string, string | number][] = [
    ['lasted, s', seconds.toFixed(0)],
    ['requests', requests.reduce((sum, [, count]) => sum + count, 0)],
    ['made while no refusal would have been excused', result.inCalm],
    ['calls that arrived', calls],
    [`most in any window, of ${limit}`, largestWindow],
    ['longest request, s', (longestMs / 1000).toFixed(1)],
    ['without what troubles and the machine took', (longestNetMs / 1000).toFixed(1)],
    ['exports complete', exports.complete],
    ['exports broken off, refused', `${exports.brokenOff}, ${exports.refused}`],
    ['longest stall of this machine, ms', machine.longestStallMs],
    ['time somebody waited for a processor, %', machine.processorWantedPercent.toFixed()]
  ]
  return [
    formatTable([name, ''], rows),
    formatTable(['answered', 'times'], Object.entries(result.answers).sort(byCount)),
    formatTable(['refused or failed, explained by', 'times'], reasonRows(result)),
    formatTable(['trouble', 'times'], Object.entries(result.troubles)),
    formatTable(levelHead, levelRows(result))
  ].join('\n\n')
}

function byCount([, one]: [string, number], [, other]: [string, number]): number {
  return other - one
}

function reasonRows({ reasons }: Result): [string, number][] {
  return Object.entries(reasons).flatMap(([effect, counts]) =>
    Object.entries(counts)
      .sort(byCount)
      .map(([reason, count]): [string, number] => [`${effect}: ${reason}`, count])
  )
}

const levelHead = [
  'instance, its last life',
  'RSS, MB',
  'MB/min',
  'files',
  'files/min',
  'drained in, s'
]

function levelRows({ endings, levels }: Result): (string | number)[][] {
  const slope = (value: number | undefined) => value?.toFixed(2) ?? 'too short'
  return Object.entries(levels).map(([name, { files, filesPerMinute, rssMb, rssMbPerMinute }]) => [
    ...[name, rssMb.toFixed(0), slope(rssMbPerMinute), files, slope(filesPerMinute)],
    ((endings[name]?.ms ?? 0) / 1000).toFixed(1)
  ])
}
