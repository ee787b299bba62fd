/**
 * What a cache promises to its readers, the same whether pages lie in its own memory alone or in
 * the store that replicas share. There each reader comes to a replica whose memory is empty, so
 * that all it knows is what lay in the store.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { everything } from '../../src/cache/invalidations.ts'
import { refreshEveryMs } from '../../src/cache/reuse.ts'
import { ServiceError } from '../../src/errors.ts'
import { absentPage, type Page } from '../../src/page.ts'
import type { Call, Conditions, Found } from '../../src/ports.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import {
  type CachesOptions,
  type OneCache,
  type OpenCache,
  ownMemory,
  sharedStore,
  virtualServers
} from '../support/page-caches.ts'
import { callTo, chatTexts, pageOf } from '../support/pages.ts'
import { holds } from '../support/property.ts'
import { needsRedis } from '../support/redis.ts'

needsRedis(t)
t.setTimeout(120_000)

const freshMs = 30_000
const staleIfErrorMs = 60_000

/** What a message to the store and back may take, and what is said to others. */
const soonMs = 20

type Answering = (call: Call) => Page | Promise<Page>

class House {
  readonly clock: FakeClock
  /** What was asked of the upstream. */
  readonly calls: string[] = []
  answering: Answering = () => pageOf(chatTexts(3), 3)
  readonly #open: OpenCache

  constructor(place: Place, options: Partial<CachesOptions> = {}) {
    this.clock = place.clock
    this.#open = place.opening({
      lifetimes: { freshMs, staleWhileRevalidateMs: 0, staleIfErrorMs },
      send: async call => {
        this.calls.push(call.target)
        return { page: await this.answering(call), timing: { queueMs: 0, upstreamMs: 0 } }
      },
      ...options
    })
  }

  open(): Promise<OneCache> {
    return this.#open()
  }

  /** A reader that nobody has seen before. */
  async ask(target: string, conditions: Conditions = {}): Promise<Found> {
    const one = await this.open()
    const found = await this.settled(one.cache.fetch(callTo(target), needOf({ conditions })))
    one.close()
    return found
  }

  /** Lets a little time pass, in which whatever needs nothing else is done. */
  async settled<Value>(work: Promise<Value>): Promise<Value> {
    work.catch(() => {})
    await this.clock.advance(soonMs)
    return work
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    const one = await this.open()
    one.invalidate(tags)
    await this.clock.advance(soonMs)
    one.close()
  }

  /** How many calls it costs. */
  async callsOf(act: () => Promise<unknown>): Promise<number> {
    const before = this.calls.length
    await act()
    return this.calls.length - before
  }
}

interface Place {
  readonly clock: FakeClock
  readonly opening: (options: CachesOptions) => OpenCache
}

const broken = () => new ServiceError('upstream_error', 'broken', { contact: 'answered' })

const noise = (bytes: number) =>
  pageOf([`{"id":1,"noise":"${randomBytes(bytes).toString('base64')}"}`], 1)

const places: Readonly<Record<string, (t: Test) => Promise<Place>>> = {
  'own memory': async () => {
    const clock = new FakeClock()
    return { clock, opening: options => ownMemory(clock, options) }
  },
  'shared store': async t => {
    const clock = new FakeClock()
    const open = await virtualServers(t, clock)
    const server = open()
    return { clock, opening: options => sharedStore(server, options) }
  }
}

for (const [name, placeFor] of Object.entries(places)) {
  const houseFor = async (t: Test, options?: Partial<CachesOptions>) =>
    new House(await placeFor(t), options)

  t.test(`${name}: what was fetched is there for all, whole, and no younger`, async t => {
    const house = await houseFor(t)
    const askedAt = house.clock.now()
    const fetched = await house.ask('/chats')
    await house.clock.advance(10_000)
    const calls = await house.callsOf(async () => {
      const { status, stored } = await house.ask('/chats')
      t.match(status, { kind: 'hit' })
      t.same({ ...stored.value }, { ...fetched.stored.value })
      for (const instant of ['requestedAt', 'storedAt', 'freshUntil', 'errorUntil'] as const) {
        const earlierMs = fetched.stored[instant] - stored[instant]
        t.ok(earlierMs >= 0 && earlierMs < soonMs, `${instant}: ${earlierMs} ms`)
      }
    })
    t.equal(calls, 0)
    t.ok(fetched.stored.storedAt >= askedAt)
  })

  t.test(`${name}: a page is fresh as long as it says, and no longer`, async t => {
    const house = await houseFor(t)
    const { freshUntil } = (await house.ask('/chats')).stored
    await house.clock.advance(freshUntil - house.clock.now() - 3 * soonMs)
    t.equal(await house.callsOf(() => house.ask('/chats')), 0)
    await house.clock.advance(freshUntil - house.clock.now())
    t.equal(await house.callsOf(() => house.ask('/chats')), 1)
  })

  t.test(`${name}: keys are told apart, whatever they look like`, async t => {
    const house = await houseFor(t)
    const keys = ['/chats', '/chats?', '/CHATS', '__proto__', 'é', 'e\u0301', 'x'.repeat(5000), '']
    house.answering = ({ target }) => pageOf([`{"id":${keys.indexOf(target) + 1}}`], 1)
    for (const key of keys) await house.ask(key)
    const calls = await house.callsOf(async () => {
      for (const [index, key] of keys.entries()) {
        t.same((await house.ask(key)).stored.value.ids, [String(index + 1)])
      }
    })
    t.equal(calls, 0)
  })

  t.test(`${name}: that there is no such chat is known, for a moment`, async t => {
    const house = await houseFor(t)
    house.answering = () => absentPage
    await house.ask('/chats/7')
    const calls = await house.callsOf(async () => {
      t.ok((await house.ask('/chats/7')).stored.value.isAbsent)
    })
    t.equal(calls, 0)
    await house.clock.advance(5000)
    t.equal(await house.callsOf(() => house.ask('/chats/7')), 1)
  })

  t.test(`${name}: a newer page takes the place of the older one`, async t => {
    const house = await houseFor(t)
    await house.ask('/chats')
    await house.clock.advance(6000)
    house.answering = () => pageOf(chatTexts(5), 5)
    await house.ask('/chats', { noCache: true })
    t.equal((await house.ask('/chats')).stored.value.count, 5)
    t.equal(house.calls.length, 2)
  })

  t.test(`${name}: what is invalidated is stale at once, and nothing else is`, async t => {
    const house = await houseFor(t)
    await house.ask('/chats/1')
    await house.ask('/chats/2')
    await house.invalidate(['/chats/1'])
    t.equal(await house.callsOf(() => house.ask('/chats/1')), 1)
    t.equal(await house.callsOf(() => house.ask('/chats/2')), 0)
    await house.clock.advance(refreshEveryMs)
    await house.invalidate([everything])
    t.equal(await house.callsOf(() => house.ask('/chats/1')), 1)
    t.equal(await house.callsOf(() => house.ask('/chats/2')), 1)
  })

  t.test(`${name}: what was found is as if fetched when it was, not when it was found`, async t => {
    const house = await houseFor(t)
    const [one, other] = [await house.open(), await house.open()]
    const callsFrom = ({ cache }: OneCache) =>
      house.callsOf(() => house.settled(cache.fetch(callTo('/chats'), needOf())))
    t.same([await callsFrom(one), await callsFrom(other)], [1, 0])
    await house.clock.advance(freshMs)
    t.equal(await callsFrom(one), 1)
    await house.clock.advance(refreshEveryMs)
    t.equal(await callsFrom(other), 0)
    await house.invalidate(['/chats'])
    t.equal(await callsFrom(other), 1, 'that is not too soon')
    t.equal(await callsFrom(one), 0)
    await house.invalidate(['/chats'])
    t.equal(await callsFrom(one), 0, 'this is, for who found it as well')
    for (const each of [one, other]) each.close()
  })

  t.test(`${name}: what is invalidated during its call is stale when it arrives`, async t => {
    const house = await houseFor(t)
    const { promise, resolve } = Promise.withResolvers<Page>()
    house.answering = () => promise
    const { cache } = await house.open()
    const flight = house.settled(cache.fetch(callTo('/chats'), needOf()))
    await house.clock.advance(500)
    await house.invalidate(['/chats'])
    resolve(pageOf(chatTexts(1), 1))
    await house.settled(flight)
    house.answering = () => pageOf(chatTexts(2), 2)
    t.equal((await house.ask('/chats')).stored.value.count, 2)
  })

  t.test(`${name}: a call that fails leaves what is there, which may be served`, async t => {
    const house = await houseFor(t)
    await house.ask('/chats')
    house.answering = () => Promise.reject(broken())
    await house.clock.advance(freshMs)
    const { status, stored } = await house.ask('/chats')
    t.match(status, { kind: 'hit', detail: 'upstream_error' })
    t.equal(stored.value.count, 3)
    await house.clock.advance(staleIfErrorMs)
    await t.rejects(house.ask('/chats'), { code: 'upstream_error' }, 'older than any window')
  })

  t.test(`${name}: a call that fails leaves nothing where nothing was`, async t => {
    const house = await houseFor(t)
    house.answering = () => Promise.reject(broken())
    await t.rejects(house.ask('/chats'), { code: 'upstream_error' })
    house.answering = () => pageOf(chatTexts(1), 1)
    t.equal((await house.ask('/chats')).stored.value.count, 1)
  })

  t.test(`${name}: there is room for so many bytes, and the oldest goes first`, async t => {
    const house = await houseFor(t, { maxBytes: 500_000 })
    house.answering = () => noise(20_000)
    const keys = Array.from({ length: 60 }, (_, index) => `/chats/${index}`)
    for (const key of keys) await house.ask(key)
    t.equal(await house.callsOf(() => house.ask(keys.at(-1)!)), 0)
    t.equal(await house.callsOf(() => house.ask(keys.at(-10)!)), 0)
    t.equal(await house.callsOf(() => house.ask(keys[0]!)), 1)
  })

  t.test(`${name}: a page without room is given out, and is not there`, async t => {
    const house = await houseFor(t, { maxBytes: 500_000 })
    await house.ask('/chats/1')
    house.answering = () => noise(600_000)
    t.equal((await house.ask('/chats/2')).stored.value.count, 1)
    t.equal(await house.callsOf(() => house.ask('/chats/2')), 1)
  })

  t.test(`${name}: whatever comes in whatever order, a page costs a call when it must`, async t => {
    const place = await placeFor(t)
    await holds(t, faithful(place), { numRuns: name === 'own memory' ? 100 : 50 })
  })
}

const targets = ['/chats/1', '/chats/2', '/chats/3'] as const
const readers = 3

type Step =
  | { readonly do: 'ask'; readonly target: string; readonly reader: number }
  | { readonly do: 'change'; readonly target: string }
  | { readonly do: 'invalidate'; readonly tag: string; readonly reader: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'restart'; readonly reader: number }

const target = fc.constantFrom(...targets)
const reader = fc.nat(readers - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('ask'), target, reader }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('change'), target }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('invalidate'),
      tag: fc.constantFrom(...targets, everything),
      reader
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.nat(6000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart'), reader }) }
) as fc.Arbitrary<Step>

const modelFreshMs = 5000

/** What a model of the caches knows of a page. */
interface Known {
  readonly revision: number
  readonly fetchedAt: number
  readonly freshUntil: number
}

const unknown: Known = { revision: 0, fetchedAt: -Infinity, freshUntil: -Infinity }

/**
 * Beside the caches a model of them: what the upstream has, what was fetched of it and until when
 * that is fresh. Either will do where an instant is too close to be told from the next, and where a
 * page that was fetched just now is stale already.
 */
function faithful(place: Place) {
  let run = 0
  return fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async steps => {
    const mark = `?run=${run++}`
    const has = new Map<string, number>()
    const known = new Map<string, Known>()
    const house = new House(place, {
      lifetimes: { freshMs: modelFreshMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
    })
    const { clock } = house
    const revisionOf = (target: string) => has.get(target) ?? 1
    house.answering = call => {
      const revision = revisionOf(call.target.replace(mark, ''))
      return pageOf([`{"id":${revision}}`], 1)
    }
    const caches = await Promise.all(Array.from({ length: readers }, () => house.open()))
    const act: { readonly [Do in Step['do']]: (step: Step & { do: Do }) => Promise<void> } = {
      ask: async ({ reader, target }) => {
        const [askedAt, before] = [clock.now(), house.calls.length]
        const asked = caches[reader]!.cache.fetch(callTo(target + mark), needOf())
        const { stored } = await house.settled(asked)
        const calls = house.calls.length - before
        const { fetchedAt, freshUntil, revision } = known.get(target) ?? unknown
        const isTooSoon = askedAt < fetchedAt + refreshEveryMs
        if (askedAt >= freshUntil && !isTooSoon) assert.equal(calls, 1, `${target} is stale`)
        if (askedAt < freshUntil - soonMs) assert.equal(calls, 0, `${target} is fresh`)
        const expected = calls === 1 ? revisionOf(target) : revision
        assert.deepEqual(stored.value.ids, [String(expected)])
        if (calls === 0) return
        const { freshUntil: until } = stored
        known.set(target, { revision: expected, fetchedAt: askedAt, freshUntil: until })
      },
      change: async ({ target }) => void has.set(target, revisionOf(target) + 1),
      invalidate: async ({ reader, tag }) => {
        caches[reader]!.invalidate([tag === everything ? tag : tag + mark])
        for (const target of tag === everything ? targets : [tag]) {
          const page = known.get(target)
          if (page) known.set(target, { ...page, freshUntil: -Infinity })
        }
        await clock.advance(soonMs)
      },
      wait: ({ ms }) => clock.advance(ms),
      restart: async ({ reader }) => {
        caches[reader]!.close()
        caches[reader] = await house.open()
      }
    }
    for (const step of steps) await act[step.do](step as never)
    for (const one of caches) one.close()
  })
}
