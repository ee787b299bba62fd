/**
 * Calls that nobody asked for yet: what each mechanism does with the budget that idles, and that
 * none of them does anything when it is off or when the budget does not idle.
 */

import t from 'tap'
import { Cache } from '../../src/cache/cache.ts'
import type { Foresight } from '../../src/cache/foresight.ts'
import { formatCacheStatus } from '../../src/cache-status.ts'
import type { Page } from '../../src/page.ts'
import type { Need, Send, Stored } from '../../src/ports.ts'
import { noForesight } from '../support/budget.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { callTo, chatTexts, pageOf, roomyShelf } from '../support/pages.ts'

const call = callTo('/chats?offset=0&limit=100')
/** Another page, which never changes. */
const quiet = callTo('/chats?offset=900&limit=100')
const lifetimes = { freshMs: 30_000, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 600_000 }

/** A cache in front of an upstream whose page changes with every call, or never. */
function house(foresight: Partial<Foresight>, changes = true) {
  const clock = new FakeClock()
  const calls: Need['priority'][] = []
  const budget = { idle: true, pressure: 0 }
  const send: Send = async ({ target }, need) => {
    if (target !== quiet.target) calls.push(need.priority)
    const page: Page = pageOf(chatTexts(changes && target !== quiet.target ? calls.length : 1), 1)
    return { page, timing: { queueMs: 0, upstreamMs: 0 } }
  }
  const cache = new Cache({
    ...{ clock, lifetimes, send, random: () => 0, tagsOf: () => ['tag'] },
    store: roomyShelf<Stored<Page>>(),
    idle: { hasSlot: () => budget.idle, pressure: () => budget.pressure },
    foresight: { ...noForesight, ...foresight }
  })
  /** What the cache says of a reader at this age of the page, and the calls made by then. */
  const readAt = async (ageMs: number) => {
    await clock.advance(1_000_000 + ageMs - clock.now())
    const { status } = await cache.fetch(call, needOf())
    await settled()
    return { status: formatCacheStatus(status).split('; ')[1], calls: calls.join(' ') }
  }
  return { cache, calls, budget, readAt, clock }
}

t.test('a page in use is refreshed just before it expires, behind a fresh answer', async t => {
  const { readAt } = house({ refreshAhead: true })
  await readAt(0)
  t.same(await readAt(26_000), { status: 'hit', calls: 'interactive' })
  t.same(await readAt(27_001), { status: 'hit', calls: 'interactive refresh' })
  t.same(await readAt(40_000), { status: 'hit', calls: 'interactive refresh' })
})

t.test('not if the budget does not idle, nor if it is off', async t => {
  for (const [ahead, idle] of [
    [true, false],
    [false, true]
  ] as const) {
    const { readAt, budget } = house({ refreshAhead: ahead })
    budget.idle = idle
    await readAt(0)
    t.same(await readAt(29_999), { status: 'hit', calls: 'interactive' })
    t.match(await readAt(30_000), { calls: 'interactive refresh' })
  }
})

t.test('a page that changes more than others is refreshed sooner, from idle budget', async t => {
  for (const idle of [true, false]) {
    const { cache, readAt, budget, clock } = house({ adaptive: true })
    await cache.fetch(quiet, needOf())
    await readAt(0)
    await clock.advance(30_000)
    await cache.fetch(quiet, needOf())
    await readAt(30_000)
    budget.idle = idle
    const known = 'interactive refresh'
    // A lifetime by the root of a half: twice the news that both pages have on the whole.
    t.same(await readAt(51_200), { status: 'hit', calls: known })
    t.same(await readAt(51_300), { status: 'hit', calls: idle ? `${known} refresh` : known })
  }
})

t.test(
  'a page is refreshed while it is fresh only for many readers, or at low pressure',
  async t => {
    for (const [readers, pressure, refreshed] of [
      [10, 0.5, false],
      [70, 0.5, true],
      [10, 0.1, true]
    ] as const) {
      const { readAt, budget } = house({ refreshAhead: true })
      budget.pressure = pressure
      await readAt(0)
      for (let reader = 0; reader < readers; reader++) await readAt(20_000)
      const { calls } = await readAt(28_000)
      t.equal(calls, refreshed ? 'interactive refresh' : 'interactive', `${readers}, ${pressure}`)
    }
  }
)

t.test('a page that does not change is refreshed later, and not called fresh', async t => {
  const { readAt, cache } = house({ adaptive: true }, false)
  await readAt(0)
  await readAt(30_000)
  t.match(await readAt(83_999), { calls: 'interactive refresh' })
  const { status } = await cache.fetch(call, needOf())
  t.equal(formatCacheStatus(status), 'helpcrunch-proxy; hit; ttl=-24')
  t.match(await readAt(84_000), { calls: 'interactive refresh refresh' })
})

t.test('without it every page is refreshed as soon as it is stale', async t => {
  const { readAt } = house({}, false)
  await readAt(0)
  await readAt(30_000)
  t.match(await readAt(60_000), { calls: 'interactive refresh refresh' })
})

t.test('a page that came back the same keeps its bytes and its version', async t => {
  const { cache, readAt } = house({}, false)
  await readAt(0)
  const before = cache.find(call, needOf())!.stored
  await readAt(31_000)
  const after = cache.find(call, needOf())!.stored
  t.equal(after.value, before.value)
  t.equal(after.version, before.version)
  t.ok(after.storedAt > before.storedAt)
})

t.test('what is read ahead is in the lowest class, once, and only if it is not there', async t => {
  const { cache, calls, clock } = house({ readAhead: true })
  cache.readAhead(call, 'blue')
  cache.readAhead(call, 'blue')
  await settled()
  t.same(calls, ['bulk'])
  await clock.advance(89_000)
  cache.readAhead(call, 'blue')
  await settled()
  t.same(calls, ['bulk'])
  await clock.advance(2000)
  cache.readAhead(call, 'blue')
  await settled()
  t.same(calls, ['bulk', 'bulk'])
})

t.test('nothing is read ahead from a budget that does not idle, nor if it is off', async t => {
  const busy = house({ readAhead: true })
  busy.budget.idle = false
  busy.cache.readAhead(call, 'blue')
  const off = house({})
  off.cache.readAhead(call, 'blue')
  await settled()
  t.same([busy.calls, off.calls], [[], []])
})

t.test(
  'under pressure a page that is made stale again and again is fetched more rarely',
  async t => {
    for (const [pressure, everyMs] of [
      [0, 2000],
      [0.5, 4000],
      [0.9, 20_000],
      [1, 30_000]
    ] as const) {
      const { readAt, cache, budget, calls } = house({})
      budget.pressure = pressure
      await readAt(0)
      for (let ageMs = 0; ageMs < everyMs * 5; ageMs += 500) {
        cache.invalidate(['tag'])
        await readAt(ageMs)
      }
      // The first of them, and one at the start of each interval.
      t.equal(calls.length, 6, `pressure ${pressure}`)
    }
  }
)
