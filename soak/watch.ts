/**
 * A look at every instance once a second: whether it is there, how large it is, what its own audit
 * says of the law, and whether it waited in vain for a store that nobody troubled and that answered
 * the soak itself in time.
 */

import { systemClock } from '../src/clock.ts'
import { storeTimeoutMs } from '../src/shared-store.ts'
import type { Chronicle } from './chronicle.ts'
import { limit } from './conditions.ts'
import type { Instance } from './instance.ts'
import { type Levels, levelsOf, unevenness } from './levels.ts'
import { doubtMs } from './outside-troubles.ts'
import type { Pressure } from './pressure.ts'
import type { Site } from './site.ts'
import type { StoreProbe } from './store-probe.ts'

/** What is watched, by what else it is judged, and who is told. */
export interface WatchOptions {
  readonly site: Site
  readonly chronicle: Chronicle
  readonly pressure: Pick<Pressure, 'longestStallMs' | 'lostMs'>
  readonly tell: (line: string) => void
  readonly onBroken: (what: string) => void
}

const everyMs = 1000
/** Looks; not a multiple of how many instances there are. */
const heapEvery = 5
/** How long a trouble that is over may still be felt, and how far back a look goes. */
const lookBackMs = 4000
/** Of the time, somebody waited for a processor. */
const busyPart = 0.5
/** Who waits in vain for so long at one moment may wait for as long as a replica does at another. */
const lateMs = storeTimeoutMs / 2

export class Watch {
  readonly #options: WatchOptions
  readonly #timer: NodeJS.Timeout
  #looks = 0

  constructor(options: WatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => options.site.instances.forEach(this.#look), everyMs)
  }

  /** The levels of the last life of each; says which of all lives were uneven. */
  stop(): Readonly<Record<string, Levels>> {
    clearInterval(this.#timer)
    const { onBroken, site } = this.#options
    const levels: Record<string, Levels> = {}
    for (const { lives, name } of site.instances) {
      levels[name] = levelsOf(lives.at(-1) ?? { samples: [], heaps: [] })
      for (const life of lives) {
        for (const line of unevenness(levelsOf(life))) onBroken(`${name}: ${line}`)
      }
    }
    return levels
  }

  readonly #look = (instance: Instance): void => {
    const { onBroken, site } = this.#options
    instance.sample()
    if (this.#looks++ % heapEvery === 0) void instance.sampleHeap()
    if (instance.hasEnded) onBroken(`${instance.name} ended by itself`)
    void instance.mostInAnyWindow().then((most = 0) => {
      if (most > limit) onBroken(`${instance.name} counts ${most} calls in a window itself`)
    })
    const { storeProbe } = site
    if (storeProbe && instance.lostStore()) this.#excuseLoss(instance, storeProbe)
  }

  #excuseLoss({ name }: Instance, storeProbe: StoreProbe): void {
    const { chronicle, onBroken, pressure, tell } = this.#options
    const now = systemClock.now()
    const span = { from: now - lookBackMs, to: now }
    if (
      chronicle.incidents.some(incident => wouldDelayStore(incident.name) && meets(incident, span))
    )
      return
    // Between a replica and the store there is a process of ours.
    const storeMs = Math.max(storeProbe.longestMs(span.from), pressure.longestStallMs(span.from))
    const isBusy = pressure.lostMs(span.from, now) >= busyPart * lookBackMs
    const answered = `answered the soak within ${storeMs.toFixed()} ms`
    if (!isBusy && storeMs < lateMs) {
      onBroken(`${name} lost a store that nobody troubled and that ${answered}`)
      return
    }
    const detail = `${name} lost the store: ${isBusy ? 'this machine was too busy' : `it ${answered}`}`
    tell(detail)
    const incident = { name: 'the store was late for everybody', detail, from: span.from }
    chronicle.begin({
      ...{ ...incident, instance: undefined, effects: ['budget_exhausted'], lastsMs: doubtMs }
    })(now)
  }
}

function wouldDelayStore(trouble: string): boolean {
  return trouble.startsWith('store:') || trouble === 'kill -9' || trouble === 'SIGSTOP'
}

interface Span {
  readonly from: number
  readonly to: number
}

function meets(one: Span, other: Span): boolean {
  return one.from <= other.to && one.to + lookBackMs >= other.from
}
