/**
 * The cache suite: how many calls do the same callers cost, who waits, and how old in truth is what
 * they see, through our cache and through models of what is in use elsewhere? Minutes of virtual
 * time, so the numbers do not depend on the machine: the same seed gives the same table.
 */

import type { Suite } from '../suite.ts'
import {
  ablations,
  compared,
  rates,
  service,
  targetRates,
  webhookRates,
  withWebhooks
} from './candidates.ts'
import { type Figures, replay } from './replay.ts'
import { brokenBy, comparison, spending } from './report.ts'
import type { Candidate } from './subject.ts'

/** Virtual windows are cheap, and the more of them the less is chance. */
const minutesPerWindow = 4

export const cache: Suite = async ({ seed, windows }) => {
  const minutes = windows * minutesPerWindow
  const runAll = async (candidates: readonly Candidate[], atRates: readonly number[]) => {
    const all: Figures[] = []
    for (const candidate of candidates) {
      progress(`${candidate.name.trim()} …`)
      for (const requestsPerSecond of atRates) {
        all.push(await replay(candidate, { seed, requestsPerSecond, minutes }))
      }
    }
    return all
  }
  const main = await runAll(compared, rates)
  const others = [
    ...(await runAll(ablations, targetRates)),
    ...(await runAll([withWebhooks], webhookRates))
  ]
  const own = main.filter(one => one.candidate === service.name)
  const ofTargets = own.filter(one => targetRates.some(rate => rate === one.requestsPerSecond))
  const tables = [comparison(main), comparison([...ofTargets, ...others])]
  return {
    table: [...tables, spending([...own, ...others]), explanationOf(seed, minutes)].join('\n\n'),
    results: { seed, minutes, figures: [...main, ...others] },
    broken: brokenBy([...main, ...others])
  }
}

function explanationOf(seed: number, minutes: number): string {
  return [
    `Seed ${seed}; ${minutes} virtual minutes each, after 2 of warm-up. The models' calls go out without a`,
    'limit; ours keep it. "At once": in the instant of asking. Stale: for how long, on average over all',
    'chats shown in all answers, the text of the chat (or what stands at its place of the list) had been',
    'another upstream when it was shown.'
  ].join('\n')
}

function progress(line: string): void {
  process.stderr.write(`cache: ${line}\n`)
}
