/**
 * Several replicas of the service in one process, each with connections of its own to one store,
 * in front of one simulator.
 */

import type { Test } from 'tap'
import { type Settings, type Simulator, startSimulator } from '../../simulator/upstream.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { parseStoreUrl } from '../../src/config-store.ts'
import { readTimeoutMs, type SharedStore, storeTimeoutMs } from '../../src/shared-store.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { RedisStore } from '../../src/store/redis-store.ts'
import { emptyFolder } from './children.ts'
import { type RedisServer, untilTrue } from './redis.ts'
import { apiKey, type Stack, startStack } from './stack.ts'
import { read } from './store-commands.ts'

export interface Replica extends Stack {
  readonly store: RedisStore
  /** The names of the scripts that it gave the store to run. */
  readonly asked: readonly string[]
}

export interface ReplicasOptions {
  /** Where each of them finds the store. */
  readonly urls: readonly string[]
  readonly env?: Record<string, string>
  readonly upstream?: Partial<Settings>
  /** How far the clock of each replica's machine is off. */
  readonly skewsMs?: readonly number[]
  /**
   * How many times longer they wait for the store than they would: the machine may be busy, and
   * who is not testing that does not want to see it.
   */
  readonly patience?: number
  /** Stands between each replica and its store. */
  readonly seenThrough?: (store: SharedStore) => SharedStore
}

export interface Replicas {
  readonly simulator: Simulator
  readonly replicas: readonly [Replica, Replica, ...Replica[]]
}

export async function startReplicas(t: Test, options: ReplicasOptions): Promise<Replicas> {
  const settings = { chats: 435, apiKey, latencyMs: 0, ...options.upstream }
  const simulator = await startSimulator(settings)
  const replicas = await Promise.all(
    options.urls.map((url, index) => {
      const clock = skewed(options.skewsMs?.[index] ?? 0)
      const { patience = 20, seenThrough = store => store } = options
      return startReplica(t, url, {
        simulator,
        clock,
        env: options.env ?? {},
        patience,
        seenThrough
      })
    })
  )
  t.teardown(() => simulator.close())
  return { simulator, replicas: replicas as unknown as Replicas['replicas'] }
}

interface Place {
  readonly simulator: Simulator
  readonly clock: Clock
  readonly env: Record<string, string>
  readonly patience: number
  readonly seenThrough: (store: SharedStore) => SharedStore
}

async function startReplica(t: Test, url: string, place: Place): Promise<Replica> {
  const log = { warn: () => {}, info: () => {} }
  const baseUrl = new URL(place.simulator.baseUrl)
  const address = parseStoreUrl(url).value!
  const clock = patient(place.patience)
  const store = await openStore({ address, apiKey, baseUrl, clock, log })
  if (typeof store === 'string') throw new Error(store)
  const asked: string[] = []
  // Where the budget has to be waited for, a short while will do: it is the others' concern.
  const budget = { UPSTREAM_WINDOW_SECONDS: '0.5', QUEUE_MAX_WAIT_SECONDS: '60' }
  const env = { STATE_DIR: await emptyFolder(t), ...budget, ...place.env }
  const stack = await startStack(t, {
    ...place,
    env,
    store: place.seenThrough(noting(store, asked))
  })
  t.teardown(() => store.close())
  // Neither away nor slow.
  await untilTrue(() =>
    read(store, `${store.namespace}probe`).then(
      () => true,
      () => false
    )
  )
  return { ...stack, store, asked }
}

/** The first ten chats of a page. */
export function page(number: number): string {
  return `/chats?sort=chats.createdAt&order=asc&limit=10&offset=${100 * number}`
}

/** A request, as far as tests of sharing look at it. */
export async function ask({ get }: Replica, target: string, init: RequestInit = {}) {
  const answer = await get(target, init)
  return {
    status: answer.status,
    body: await answer.text(),
    cache: answer.headers.get('cache-status') ?? '',
    ageSeconds: Number(answer.headers.get('age'))
  }
}

/** Makes all that is stored stale, as an operator does. */
export async function wipe({ service }: Replica): Promise<void> {
  const headers = { host: '127.0.0.1' }
  const answer = await service.admin.inject({ method: 'DELETE', url: '/cache', headers })
  if (answer.statusCode >= 300) throw new Error(answer.body)
}

/** The store's keys of pages. */
export async function pageKeys(server: RedisServer): Promise<string[]> {
  return (await server.ask('KEYS', '*cache:page:*')) as string[]
}

/** The same store, of which somebody keeps a list of what it was asked. */
function noting(store: SharedStore, asked: string[]): SharedStore {
  const run: SharedStore['run'] = (script, call) => {
    asked.push(script.name)
    return store.run(script, call)
  }
  return Object.assign(through(store), { run })
}

/** The same store, from which no message comes. */
export function deaf(store: SharedStore): SharedStore {
  return Object.assign(through(store), { subscribe: () => {} })
}

function through(store: SharedStore): SharedStore {
  return {
    namespace: store.namespace,
    get isUp() {
      return store.isUp
    },
    run: (script, call) => store.run(script, call),
    delete: key => store.delete(key),
    subscribe: (channel, listener) => store.subscribe(channel, listener),
    watch: listener => store.watch(listener)
  }
}

function patient(times: number): Clock {
  const longer = (ms: number) => (ms === readTimeoutMs || ms === storeTimeoutMs ? times * ms : ms)
  return { ...systemClock, after: (delayMs, run) => systemClock.after(longer(delayMs), run) }
}

/** Another machine's clocks, monotonic and wall. */
function skewed(byMs: number): Clock {
  return {
    now: () => systemClock.now() + byMs,
    wall: () => systemClock.wall() + byMs,
    after: systemClock.after
  }
}
