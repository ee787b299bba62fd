/**
 * The end of a set-up: SIGTERM to all instances while they are asked, which has to be orderly, and
 * then a look at everything that they have written.
 */

import { systemClock } from '../src/clock.ts'
import { shutdownGraceMs } from './conditions.ts'
import type { Ending } from './instance.ts'
import { leaksBelow } from './leaks.ts'
import type { Site } from './site.ts'
import type { WatchOptions } from './watch.ts'

/** By instance. */
export type Endings = Readonly<Record<string, Ending>>

const marginMs = 1500

/** Whoever finds nobody is excused from then on; whoever had begun to be answered is not. */
export async function drain(options: WatchOptions): Promise<Endings> {
  const { chronicle, onBroken, pressure, site, tell } = options
  const from = systemClock.now()
  tell('SIGTERM')
  chronicle.begin({
    ...{ name: 'the end', detail: 'the end', from, instance: undefined },
    effects: ['shutting_down', 'no answer']
  })
  const endings: Record<string, Ending> = {}
  await Promise.all(
    site.instances.map(async instance => {
      endings[instance.name] = await instance.drain()
    })
  )
  const lostMs = pressure.lostMs(from, systemClock.now())
  for (const [name, { code, ms }] of Object.entries(endings)) {
    if (code !== 0) onBroken(`${name} drained with exit code ${code}`)
    if (ms > shutdownGraceMs + marginMs + lostMs) onBroken(`${name} drained in ${ms.toFixed()} ms`)
  }
  return endings
}

export function leaksOf({ instances }: Site): string[] {
  return instances.flatMap(({ folder, name }) =>
    leaksBelow(folder).map(leak => `${name} wrote a secret or a chat: ${leak}`)
  )
}
