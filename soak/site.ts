/**
 * What a soak runs in front of callers: an upstream, and either one instance alone or three replicas,
 * each with its own line to one real store. The first instance has a wall clock that can be set.
 */

import { join } from 'node:path'
import { makeFolder } from '../bench/processes.ts'
import { freePorts } from '../simulator/free-ports.ts'
import { RedisServer } from '../test/support/redis.ts'
import { libfaketime, WallClock } from '../test/support/wall-clock.ts'
import { environment } from './conditions.ts'
import { Instance } from './instance.ts'
import { StoreProbe } from './store-probe.ts'
import { type Pulse, Upstream } from './upstream.ts'

export type SiteName = 'alone' | 'replicas'

const instanceNames: Readonly<Record<SiteName, readonly string[]>> = {
  alone: ['one'],
  replicas: ['first', 'second', 'third']
}

export interface Site {
  readonly name: SiteName
  readonly upstream: Upstream
  readonly instances: readonly Instance[]
  /** What replicas share. */
  readonly store: RedisServer | undefined
  readonly storeProbe: StoreProbe | undefined
  /** Of the first instance; undefined where there is no libfaketime. */
  readonly clock: WallClock | undefined
  end(): Promise<void>
}

export async function openSite(
  name: SiteName,
  seed: number,
  onPulse: (pulse: Pulse) => void
): Promise<Site> {
  const names = instanceNames[name]
  const store = name === 'replicas' ? await openStore() : undefined
  const upstream = await Upstream.start({
    ...{ seed, onPulse },
    store: store && { port: store.port, lines: names.length }
  })
  const ports = await freePorts('127.0.0.1', Array(2 * names.length).fill(0))
  const folders = names.map(() => makeFolder())
  const library = libfaketime()
  const clock = library ? new WallClock(library, join(folders[0]!, 'clock')) : undefined
  const instances = names.map((instance, index) => {
    const storeUrl = upstream.storeUrls[index]
    return new Instance({
      name: instance,
      port: ports[2 * index]!,
      adminPort: ports[2 * index + 1]!,
      folder: folders[index]!,
      environment: {
        ...environment,
        HELPCRUNCH_BASE_URL: upstream.baseUrl,
        ...(storeUrl !== undefined && { REDIS_URL: storeUrl }),
        // A jump is seen within that many seconds; asking each time would cost a file read.
        ...(index === 0 && clock && { ...clock.environment, FAKETIME_CACHE_DURATION: '1' })
      }
    })
  })
  await Promise.all(instances.map(instance => instance.start()))
  const storeProbe = store && new StoreProbe(store.url)
  const end = async () => {
    storeProbe?.end()
    await Promise.all(instances.map(instance => instance.end()))
    await upstream.end()
    await store?.end()
  }
  return { name, upstream, instances, store, storeProbe, clock, end }
}

async function openStore(): Promise<RedisServer> {
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const store = new RedisServer(port, {})
  await store.start()
  return store
}
