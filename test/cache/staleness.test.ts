/**
 * What happens to a page as it ages, as data: at each age and for each fate of the upstream, what
 * the caller gets and how many calls it cost. RFC 9111 section 4.2, RFC 5861 sections 3 and 4.
 */

import t from 'tap'
import { Cache } from '../../src/cache/cache.ts'
import type { Lifetimes } from '../../src/cache/freshness.ts'
import { formatCacheStatus } from '../../src/cache-status.ts'
import { type ErrorCode, ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Conditions, Send, Stored } from '../../src/ports.ts'
import { noForesight } from '../support/budget.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { callTo, chatTexts, pageOf, roomyShelf } from '../support/pages.ts'

const call = callTo('/chats?offset=0&limit=100')
const lifetimes = { freshMs: 30_000, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 600_000 }
const timing = { queueMs: 0, upstreamMs: 0 }
const old = pageOf(chatTexts(1), 1)
const young = pageOf(chatTexts(2), 2)

interface House {
  readonly clock: FakeClock
  readonly calls: { priority: string; hasFallback: boolean | undefined }[]
  readonly fate: { answer: Page | ServiceError; idle: boolean }
  readonly cache: Cache
  ask(conditions?: Conditions): Promise<{ total: number; status: string }>
}

/** A cache that holds `old`, stored now, before an upstream that will answer `young`. */
async function house(given: Partial<Lifetimes> = {}): Promise<House> {
  const clock = new FakeClock()
  const calls: House['calls'] = []
  const fate: House['fate'] = { answer: old, idle: false }
  const send: Send = async (_, need) => {
    calls.push({ priority: need.priority, hasFallback: need.hasFallback })
    if (fate.answer instanceof ServiceError) throw fate.answer
    return { page: fate.answer, timing }
  }
  const cache = new Cache({
    ...{ clock, lifetimes: { ...lifetimes, ...given }, send, store: roomyShelf<Stored<Page>>() },
    ...{
      random: () => 0,
      idle: { hasSlot: () => fate.idle, pressure: () => 0 },
      foresight: noForesight,
      tagsOf: () => ['tag']
    }
  })
  const ask = async (conditions?: Conditions) => {
    const { stored, status } = await cache.fetch(call, needOf(conditions ? { conditions } : {}))
    return {
      total: stored.value.total,
      status: formatCacheStatus(status).replace('helpcrunch-proxy; ', '')
    }
  }
  await ask()
  calls.length = 0
  fate.answer = young
  return { cache, clock, calls, fate, ask }
}

const trouble = (code: ErrorCode) => new ServiceError(code, 'for the test')

type Row = [
  age: number,
  answer: Page | ErrorCode,
  total: number | ErrorCode,
  status: string,
  calls: number
]

const rows: Record<string, Row> = {
  'a fresh page is a hit': [29_999, young, 1, 'hit; ttl=0', 0],
  'a stale page is served and refreshed behind': [30_001, young, 1, 'hit; ttl=-1', 1],
  'a failing refresh hurts nobody': [80_000, 'upstream_error', 1, 'hit; ttl=-50', 1],
  'after its revalidation window a reader waits for a newer page': [
    90_001,
    young,
    2,
    'fwd=stale; fwd-status=200; stored',
    1
  ],
  'a failure is answered with the old page': [
    90_001,
    'upstream_error',
    1,
    'hit; ttl=-61; detail=upstream_error',
    1
  ],
  'so is a time-out': [90_001, 'upstream_timeout', 1, 'hit; ttl=-61; detail=upstream_timeout', 1],
  'so is a refused key': [
    90_001,
    'upstream_unauthorized',
    1,
    'hit; ttl=-61; detail=upstream_unauthorized',
    1
  ],
  'so is a 429': [
    90_001,
    'upstream_rate_limited',
    1,
    'hit; ttl=-61; detail=upstream_rate_limited',
    1
  ],
  'so is a spent budget': [
    629_999,
    'budget_exhausted',
    1,
    'hit; ttl=-600; detail=budget_exhausted',
    1
  ],
  'a rejection is an answer, not a failure': [
    90_001,
    'upstream_rejected',
    'upstream_rejected',
    '',
    1
  ],
  'an expired page is never served': [630_001, 'upstream_error', 'upstream_error', '', 1],
  'an expired page is fetched again': [630_001, young, 2, 'fwd=stale; fwd-status=200; stored', 1]
}

for (const [name, [age, answer, total, status, calls]] of Object.entries(rows)) {
  t.test(name, async t => {
    const { ask, calls: made, clock, fate } = await house()
    fate.answer = typeof answer === 'string' ? trouble(answer) : answer
    await clock.advance(age)
    if (typeof total === 'string') await t.rejects(ask(), { code: total })
    else t.strictSame(await ask(), { total, status })
    await settled()
    t.equal(made.length, calls)
  })
}

t.test(
  'the refresh behind an answer is of the refresh class, and the next reader gets its page',
  async t => {
    const { ask, calls, clock } = await house()
    await clock.advance(31_000)
    await ask()
    await settled()
    t.strictSame(calls, [{ priority: 'refresh', hasFallback: true }])
    t.strictSame(await ask(), { total: 2, status: 'hit; ttl=30' })
  }
)

t.test('a refresh that fails is not tried again at once', async t => {
  const { ask, calls, clock, fate } = await house()
  fate.answer = trouble('upstream_error')
  await clock.advance(31_000)
  for (let reader = 0; reader < 50; reader++) await ask()
  await settled()
  t.equal(calls.length, 1)
  await clock.advance(2000)
  await ask()
  await settled()
  t.equal(calls.length, 2)
})

t.test('a page that lives for less than that is fetched again each time it has lived', async t => {
  const { ask, cache, calls, clock, fate } = await house({
    ...{ freshMs: 100, staleWhileRevalidateMs: 0 }
  })
  for (let life = 1; life <= 5; life++) {
    await clock.advance(100)
    t.match(await ask(), { status: /^fwd=stale/ })
    t.match(await ask(), { status: /^hit; ttl=0/ })
    t.equal(calls.length, life)
  }
  await clock.advance(50)
  cache.invalidate(['tag'])
  await clock.advance(1)
  t.match(await ask(), { status: /^hit; ttl=-/ }, 'unlike one that was made stale before')
  fate.answer = trouble('upstream_error')
  await clock.advance(50)
  for (let reader = 0; reader < 5; reader++) await ask()
  t.equal(calls.length, 6, 'and a try that fails is not made again at once')
})

t.test('nobody gets old chats while the budget idles', async t => {
  const { ask, clock, fate } = await house()
  fate.idle = true
  await clock.advance(59_000)
  t.match(await ask(), { total: 1, status: /^hit; ttl=-/ })
  await settled()
  const other = await house()
  other.fate.idle = true
  await other.clock.advance(61_000)
  t.match(await other.ask(), { total: 2, status: /^fwd=stale/ })
})

/** RFC 9111 section 5.2.1, a directive a row: age, conditions, what comes, how many calls. */
const wishes: Record<string, [age: number, wish: Conditions, status: RegExp, calls: number]> = {
  'no-cache asks the upstream (5.2.1.4)': [6000, { noCache: true }, /^fwd=request/, 1],
  'max-age takes a page that is young enough (5.2.1.1)': [
    9000,
    { maxAgeMs: 10_000 },
    /^hit; ttl=21$/,
    0
  ],
  'and no older one': [11_000, { maxAgeMs: 10_000 }, /^fwd=request/, 1],
  'min-fresh takes a page that stays fresh (5.2.1.3)': [9000, { minFreshMs: 20_000 }, /^hit/, 0],
  'and no other': [11_000, { minFreshMs: 20_000 }, /^fwd=request/, 1],
  'max-stale takes a page that is not too stale, without a refresh (5.2.1.2)': [
    100_000,
    { maxStaleMs: 90_000 },
    /^hit; ttl=-70$/,
    1
  ],
  'and no staler one': [100_000, { maxStaleMs: 60_000 }, /^fwd=stale/, 1],
  'only-if-cached takes what is there (5.2.1.7)': [
    100_000,
    { onlyIfCached: true },
    /^hit; ttl=-70$/,
    0
  ]
}

for (const [name, [age, wish, status, calls]] of Object.entries(wishes)) {
  t.test(name, async t => {
    const { ask, calls: made, clock } = await house()
    await clock.advance(age)
    t.match((await ask(wish)).status, status)
    await settled()
    t.equal(made.length, calls)
  })
}

t.test('only-if-cached is 504 where nothing is stored, and costs no call', async t => {
  const { ask, calls, clock } = await house()
  await clock.advance(630_001)
  await t.rejects(ask({ onlyIfCached: true }), { code: 'not_cached' })
  t.equal(calls.length, 0)
})

t.test('a request forces at most one call per page in five seconds', async t => {
  const { ask, calls, clock } = await house()
  t.match(await ask({ noCache: true }), { total: 2, status: /^fwd=request/ })
  await clock.advance(4900)
  t.match(await ask({ noCache: true }), { total: 2, status: /^hit; ttl=25$/ })
  await clock.advance(200)
  t.match(await ask({ maxAgeMs: 0 }), { status: /^fwd=request/ })
  t.equal(calls.length, 2)
})

t.test('whoever comes while a call is under way waits for it, and not only the first', async t => {
  const { ask, calls, clock } = await house()
  await clock.advance(100_000)
  const answers = await Promise.all([ask(), ask(), ask({ maxAgeMs: 50 })])
  t.same(
    answers.map(({ total }) => total),
    [2, 2, 2]
  )
  t.equal(calls.length, 1)
})

t.test('after an invalidation the next reader waits as on a miss', async t => {
  const { ask, cache, calls } = await house()
  cache.invalidate(['other'])
  t.match(await ask(), { total: 1, status: 'hit; ttl=30' })
  cache.invalidate(['tag'])
  t.match(await ask(), { total: 2, status: /^fwd=stale/ })
  t.match(calls, [{ priority: 'interactive', hasFallback: true }])
})

t.test('and gets the old page only on error or without budget', async t => {
  const { ask, cache, fate } = await house()
  fate.answer = trouble('budget_exhausted')
  cache.invalidate(['tag'])
  t.match(await ask(), { total: 1, status: 'hit; ttl=0; detail=budget_exhausted' })
})

t.test('a page that is invalidated again and again is fetched once in two seconds', async t => {
  const { ask, cache, calls, clock } = await house()
  for (let event = 0; event < 1000; event++) {
    cache.invalidate(['tag'])
    await ask()
    await clock.advance(1)
  }
  t.equal(calls.length, 1)
  await clock.advance(1100)
  await ask()
  t.equal(calls.length, 2)
})

t.test('an invalidation during a flight wins over its answer', async t => {
  const { ask, cache, calls, clock, fate } = await house()
  await clock.advance(91_000)
  const flying = ask()
  cache.invalidate(['tag'])
  t.match(await flying, { total: 2 })
  await clock.advance(2000)
  fate.answer = old
  t.match(await ask(), { total: 1, status: /^fwd=stale/ })
  t.equal(calls.length, 2)
})
