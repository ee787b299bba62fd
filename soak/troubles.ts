/**
 * What can happen to processes and through callers (`outside-troubles.ts` has the rest), and what callers may be told because of it. Each trouble begins, lasts for as
 * long as it is given, and is mended when its promise resolves.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../simulator/random.ts'
import type { Effect } from './chronicle.ts'
import { askGreedily, floodWithBadTokens, readSlowly } from './crowds.ts'
import type { Exchange } from './exchange.ts'
import type { Instance } from './instance.ts'
import { doubtMs, scarce, slow, storeTroubles, upstreamTroubles } from './outside-troubles.ts'
import type { Site } from './site.ts'

/** Troubles of different lanes happen at the same time. */
export type Lane = 'upstream' | 'store' | 'processes' | 'callers' | 'demand'

export interface Scene {
  readonly site: Site
  /** The instance that is meant, where it is one. */
  readonly instance: Instance
  readonly random: Random
  readonly lastingMs: number
  /** Requests that are made for it. */
  readonly onExchange: (exchange: Exchange) => void
  readonly onBroken: (what: string) => void
}

export interface Trouble {
  readonly name: string
  readonly lane: Lane
  readonly effects: readonly Effect[]
  /** Whether one instance is meant. */
  readonly isOfOne?: boolean
  /** Whether that instance loses its memory by it. */
  readonly isFatal?: boolean
  readonly suspends?: boolean
  /** How long calls stay scarce when it is over, beyond the window in which they may have been made. */
  readonly lastsMs?: number
  befall(scene: Scene): Promise<void>
}

const clockSteps = ['+1h', '-1h', '+10y', '-10s', '+10s']

const processTroubles: readonly Trouble[] = [
  {
    name: 'kill -9',
    lane: 'processes',
    effects: ['no answer', 'broken body', ...scarce],
    isOfOne: true,
    isFatal: true,
    lastsMs: doubtMs,
    async befall({ instance, lastingMs, random }) {
      await instance.kill()
      await sleep(random.below(lastingMs))
      await instance.start()
    }
  },
  {
    name: 'SIGSTOP',
    lane: 'processes',
    // Calls that were under way meanwhile, and what it had in hand.
    effects: [...slow, 'overloaded'],
    isOfOne: true,
    suspends: true,
    lastsMs: doubtMs,
    async befall({ instance, lastingMs }) {
      instance.suspend()
      await sleep(lastingMs)
      instance.resume()
    }
  },
  {
    name: 'wall clock jumps',
    lane: 'processes',
    effects: [],
    async befall({ lastingMs, random, site }) {
      site.clock?.set(random.pick(clockSteps))
      await sleep(lastingMs)
      site.clock?.set('+0')
    }
  }
]

const callerTroubles: readonly Trouble[] = [
  { name: 'flood of bad tokens', lane: 'callers', effects: [], befall: floodWithBadTokens },
  { name: 'slow readers', lane: 'callers', effects: [], befall: readSlowly }
]

/** Beside all others, so that the limit is what holds calls up whatever else happens. */
const demandTroubles: readonly Trouble[] = [
  { name: 'a greedy team', lane: 'demand', effects: scarce, befall: askGreedily }
]

export function troublesOf(site: Site): Readonly<Record<Lane, readonly Trouble[]>> {
  const isPossible = ({ name }: Trouble) => site.clock !== undefined || name !== 'wall clock jumps'
  return {
    upstream: upstreamTroubles,
    store: site.store ? storeTroubles : [],
    processes: processTroubles.filter(isPossible),
    callers: callerTroubles,
    demand: demandTroubles
  }
}
