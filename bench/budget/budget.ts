/**
 * The budget suite: does the service, in real time and over real sockets, never exceed the limit
 * and still use nearly all of it, also when it is killed every few seconds? The same question is
 * put to what one would take from npm instead. One run after another; each has the machine alone.
 */

import type { Suite, SuiteOptions } from '../suite.ts'
import { formatTable } from '../table.ts'
import { concurrency, jitterMs, killEveryMs, latencyMs, limit, windowMs } from './conditions.ts'
import { type Run, run } from './run.ts'
import { peers, type Subject, service } from './subjects.ts'

interface Result {
  readonly subject: string
  readonly undisturbed: Run
  readonly killed: Run
}

const leastPercent = 97

/** Later than chance would have it. */
const busyFromMs = 20

export const budget: Suite = async options => {
  const results: Result[] = []
  for (const subject of [service, ...peers]) results.push(await judge(subject, options))
  const conditions = { limit, windowMs, latencyMs, jitterMs, concurrency, killEveryMs, ...options }
  return {
    table: `${tableOf(results, options)}\n\n${explanation}`,
    results: { conditions, subjects: results },
    broken: brokenBy(results[0]!)
  }
}

async function judge(subject: Subject, { windows }: SuiteOptions): Promise<Result> {
  progress(`${subject.name} …`)
  const undisturbed = await run(subject, { windows, killed: false })
  progress(`${subject.name}, killed every ${killEveryMs / 1000} s …`)
  const killed = await run(subject, { windows, killed: true })
  return { subject: subject.name, undisturbed, killed }
}

function tableOf(results: readonly Result[], { windows }: SuiteOptions): string {
  const head = [
    `limit ${limit}, window ${windowMs / 1000} s`,
    'largest in any window',
    `calls in ${(windows * windowMs) / 1000} s`,
    '% of theoretical',
    'sustained %',
    'after kill -9: largest',
    'calls'
  ]
  const rows = results.map(({ subject, undisturbed, killed }) => [
    subject,
    undisturbed.largestWindow,
    undisturbed.calls,
    undisturbed.percentOfTheoretical.toFixed(1),
    undisturbed.sustainedPercent.toFixed(1),
    killed.largestWindow,
    killed.calls
  ])
  return formatTable(head, rows)
}

const explanation = [
  'Theoretical: limit × time / (window + mean latency as the upstream saw it). More is possible only',
  'where a slot is counted from the start of a call, not from its answer, or where the measured time',
  'begins and ends with a burst; "sustained" leaves such edges out: the time from each call of the',
  'first turn of the whole allowance to its counterpart in the last.'
].join('\n')

function brokenBy({ undisturbed, killed }: Result): string[] {
  const percent = Math.min(undisturbed.percentOfTheoretical, undisturbed.sustainedPercent)
  const tooMany = (run: Run) => `${run.largestWindow} calls in one window; the limit is ${limit}`
  const tooFew = `${percent.toFixed(1)} % of the theoretical, not ${leastPercent} %`
  return [
    undisturbed.largestWindow > limit && tooMany(undisturbed),
    killed.largestWindow > limit && `with kill -9, ${tooMany(killed)}`,
    percent < leastPercent && tooFew + excuse(undisturbed)
  ].filter(line => line !== false)
}

/** The upstream waits as long as it was told to; whatever comes on top, the machine was short of. */
function excuse({ meanLatencyMs }: Run): string {
  const lateMs = Math.round(meanLatencyMs - latencyMs - jitterMs / 2)
  if (lateMs < busyFromMs) return ''
  return `; but the machine was busy: the upstream itself was ${lateMs} ms late on average`
}

function progress(line: string): void {
  process.stderr.write(`budget: ${line}\n`)
}
