/**
 * What can happen to the upstream and to the store, on the wire and behind it, and what callers may
 * be told because of it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../simulator/random.ts'
import type { Effect } from './chronicle.ts'
import { limit, upstreamTimeoutMs, windowMs } from './conditions.ts'
import type { Trouble } from './troubles.ts'
import { type FaultName, faults, type Order } from './upstream-words.ts'

/** Somebody else was found to use the key: the working limit recovers over two windows. */
const suspicionMs = 2 * windowMs

/** Who shares the budget waits for whatever others may have been granted to leave the window. */
export const doubtMs = windowMs + upstreamTimeoutMs + 2000

/** Calls are lost or refused: what remains is scarce. */
export const scarce: readonly Effect[] = ['budget_exhausted']
export const slow: readonly Effect[] = ['upstream_timeout', ...scarce]
const broken: readonly Effect[] = ['upstream_unreachable', 'upstream_invalid_response', ...scarce]

const effectsOf: Readonly<Record<FaultName, readonly Effect[]>> = {
  'too many': ['upstream_rate_limited', ...scarce],
  'too many, no word when': ['upstream_rate_limited', ...scarce],
  failing: ['upstream_error', ...scarce],
  'no JSON': broken,
  html: ['upstream_error', ...broken],
  'cut short': broken,
  'reset midway': broken,
  'stalled midway': [...slow, ...broken]
}

export const upstreamTroubles: readonly Trouble[] = [
  ...(Object.keys(faults) as FaultName[]).map(fault =>
    upstreamTrouble(fault, effectsOf[fault], () => ({ kind: 'fault', fault }))
  ),
  upstreamTrouble('slow', [...slow, ...broken], random => ({
    kind: 'delay',
    ms: 100 + random.below(1200)
  })),
  upstreamTrouble('connections reset', broken, () => ({ kind: 'cut' })),
  // What was swallowed is gone, so that at the end connections are reset.
  upstreamTrouble('hears nothing', [...slow, ...broken], () => ({
    kind: 'swallow',
    direction: 'up'
  })),
  upstreamTrouble('is not heard', [...slow, ...broken], () => ({
    kind: 'swallow',
    direction: 'down'
  })),
  {
    name: 'somebody else uses the key',
    lane: 'upstream',
    effects: ['upstream_rate_limited', ...scarce],
    lastsMs: suspicionMs,
    async befall({ lastingMs, random, site }) {
      const calls = Math.round(limit * (0.3 + 0.5 * random.next()))
      site.upstream.order({ kind: 'steal', calls, lastingMs })
      await sleep(lastingMs)
    }
  }
]

function upstreamTrouble(
  what: string,
  effects: readonly Effect[],
  orderOf: (random: Random) => Order
): Trouble {
  return {
    name: `upstream: ${what}`,
    lane: 'upstream',
    effects,
    lastsMs: effects.includes('upstream_rate_limited') ? suspicionMs : 0,
    async befall({ lastingMs, random, site }) {
      site.upstream.order(orderOf(random))
      await sleep(lastingMs)
      site.upstream.order({ kind: 'heal' })
    }
  }
}

export const storeTroubles: readonly Trouble[] = [
  wireTrouble('slow', random => ({ kind: 'delay store', ms: 20 + random.below(300) })),
  wireTrouble('connections reset', () => ({ kind: 'cut store' })),
  wireTrouble('silent for one', (random, replicas) => ({
    kind: 'swallow store',
    line: random.below(replicas),
    directions: random.pick([['up'], ['down'], ['up', 'down']] as const)
  })),
  storeTrouble('stands still', async ({ lastingMs, site }) => {
    site.store!.pause()
    await sleep(lastingMs)
    site.store!.resume()
  }),
  storeTrouble('emptied', async ({ lastingMs, site }) => {
    await site.store!.ask('FLUSHALL')
    await sleep(lastingMs)
  }),
  storeTrouble('killed, comes back empty', async ({ lastingMs, site }) => {
    await site.store!.kill()
    await sleep(lastingMs)
    await site.store!.start()
  })
]

function storeTrouble(what: string, befall: Trouble['befall']): Trouble {
  return { name: `store: ${what}`, lane: 'store', effects: scarce, lastsMs: doubtMs, befall }
}

function wireTrouble(what: string, orderOf: (random: Random, replicas: number) => Order): Trouble {
  return storeTrouble(what, async ({ lastingMs, random, site }) => {
    site.upstream.order(orderOf(random, site.instances.length))
    await sleep(lastingMs)
    site.upstream.order({ kind: 'heal store' })
  })
}
