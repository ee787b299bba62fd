/**
 * What can become of replicas and their store, one after the other: each trouble begins, lasts and
 * is mended. How long until the full rate is back is counted from the mending.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../simulator/random.ts'
import { windowMs } from '../budget/conditions.ts'
import type { Fleet } from './fleet.ts'

export interface Trouble {
  readonly name: string
  /** Begins it, waits for as long as it lasts, mends it. */
  befall(fleet: Fleet, random: Random): Promise<void>
}

/** Each kind of loss lasts long enough for replicas to begin spending their shares. */
const lossMs = 20_000
const killingMs = 10 * windowMs
const pauseMs = 10_000

export const troubles: readonly Trouble[] = [
  {
    name: 'replicas killed (-9) and started again',
    async befall({ replicas }, random) {
      const until = performance.now() + killingMs
      while (performance.now() < until) {
        await random.pick(replicas).restart()
        await sleep(1000 + random.below(5000))
      }
    }
  },
  {
    name: 'store killed and started again, empty',
    async befall({ store }) {
      await store.kill()
      await sleep(lossMs)
      await store.start()
    }
  },
  {
    name: 'store stands still for 10 s (SIGSTOP)',
    async befall({ store }) {
      store.pause()
      await sleep(pauseMs)
      store.resume()
    }
  },
  {
    name: 'a replica stands still for 10 s (SIGSTOP)',
    async befall({ replicas }) {
      replicas[0]!.signal('SIGSTOP')
      await sleep(pauseMs)
      replicas[0]!.signal('SIGCONT')
    }
  },
  {
    name: 'FLUSHALL',
    async befall({ store }) {
      await store.ask('FLUSHALL')
    }
  },
  {
    name: 'SCRIPT FLUSH',
    async befall({ store }) {
      await store.ask('SCRIPT', 'FLUSH')
    }
  },
  {
    name: 'CLIENT PAUSE 5 s',
    async befall({ store }) {
      await store.ask('CLIENT', 'PAUSE', '5000')
      await sleep(5000)
    }
  },
  {
    name: 'failover to a copy that missed the last second',
    async befall({ replicas, spare, store }) {
      await spare.ask('REPLICAOF', 'NO', 'ONE')
      await sleep(1000)
      await store.kill()
      for (const { line } of replicas) line.turnTo(spare.port)
    }
  },
  {
    name: 'out of memory',
    async befall({ store }) {
      await store.ask('CONFIG', 'SET', 'maxmemory', '1')
      await sleep(lossMs)
      await store.ask('CONFIG', 'SET', 'maxmemory', '0')
    }
  },
  {
    name: 'wrong password',
    async befall({ store }) {
      await store.setPassword('another-password')
      await sleep(lossMs)
      await store.setPassword('')
    }
  },
  {
    name: 'one replica cut off',
    async befall({ replicas }) {
      const { line } = replicas[0]!
      line.cut()
      await sleep(lossMs)
      line.heal()
    }
  },
  {
    name: 'one replica asks and hears nothing',
    async befall({ replicas }) {
      const { line } = replicas[0]!
      line.swallow('down')
      await sleep(lossMs)
      line.heal()
    }
  }
]
