// List answers from pages: whole, to the byte, and for no more calls than pages.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { CacheStatus } from '../../src/cache-status.ts'
import type { ListQuery } from '../../src/chats/query.ts'
import { pageSize } from '../../src/chats/windows.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Call, Conditions, Found, Need, PageSource } from '../../src/ports.ts'
import { chatsBehind, type Fetch } from '../support/chats.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { chatsOf, chatTexts, holdsChats, pageFor, storedAt } from '../support/pages.ts'
import { holds } from '../support/property.ts'

const freshMs = 30_000
const fetched: CacheStatus = {
  kind: 'forward',
  reason: 'uri-miss',
  status: 200,
  stored: true,
  collapsed: false
}

/** Chats in front of a list that `next` may change before each page is fetched. */
const chatsOn = (list: string[], next: (call: Call) => void = () => {}) => {
  const clock = new FakeClock()
  const calls: Call[] = []
  const fetch: Fetch = async call => {
    calls.push(call)
    next(call)
    clock.stall(1)
    return { stored: storedAt(clock.now(), pageFor(call, list), freshMs), status: fetched }
  }
  return { clock, calls, chats: chatsBehind(fetch, clock) }
}

const offsets = (calls: readonly Call[]) => calls.map(call => call.offset)

t.test('any window of any list is its slice, to the byte, for a call a page', async t => {
  const texts = chatTexts(700)
  const window = fc.record({ offset: fc.nat(800), limit: fc.integer({ min: 1, max: 1000 }) })
  const property = fc.asyncProperty(fc.nat(700), window, async (total, query) => {
    const list = texts.slice(0, total)
    const { chats, calls } = chatsOn(list)
    const answer = await chats.list(query, needOf())
    assert(holdsChats(answer.body, list.slice(query.offset, query.offset + query.limit)))
    assert.equal(answer.total, total)
    assert(calls.length <= Math.ceil(query.limit / pageSize) + 1)
    assert.equal(new Set(offsets(calls)).size, calls.length, 'no page is fetched twice')
  })
  await holds(t, property)
})

t.test('one page is asked for first, the others side by side', async t => {
  const list = chatTexts(435)
  const waiting: (() => void)[] = []
  const calls: Call[] = []
  const fetch: Fetch = call => {
    calls.push(call)
    const found: Found = { stored: storedAt(0, pageFor(call, list)), status: fetched }
    return new Promise(resolve => waiting.push(() => resolve(found)))
  }
  const answer = chatsBehind(fetch).list({ offset: 150, limit: 1000 }, needOf())
  t.same(offsets(calls), [100])
  waiting[0]?.()
  await settled()
  t.same(offsets(calls), [100, 200, 300, 400])
  for (const answerPage of waiting) answerPage()
  t.ok(holdsChats((await answer).body, list.slice(150)))
})

t.test('a list that grows between two pages is never answered short', async t => {
  const growth = fc.array(fc.nat(250), { minLength: 12, maxLength: 12 })
  const window = fc.record({ offset: fc.nat(400), limit: fc.integer({ min: 1, max: 500 }) })
  const property = fc.asyncProperty(fc.nat(400), window, growth, async (start, query, growth) => {
    const list = chatTexts(start)
    const steps = growth.values()
    const grow = () => list.push(...chatTexts(steps.next().value ?? 0, list.length + 1))
    const { chats, calls } = chatsOn(list, grow)
    const { body, total } = await chats.list(query, needOf())
    const wanted = list.slice(query.offset, Math.min(query.offset + query.limit, total))
    assert(holdsChats(body, wanted), `${chatsOf(body).length} of ${wanted.length}`)
    assert(calls.length <= Math.ceil(query.limit / pageSize) + 1)
  })
  await holds(t, property)
})

t.test('a list that shrinks between two pages is answered as far as it goes', async t => {
  const list = chatTexts(300)
  const { chats } = chatsOn(list, ({ offset }) => {
    if (offset > 0) list.length = 150
  })
  const { body, total } = await chats.list({ offset: 0, limit: 300 }, needOf())
  t.equal(total, 150)
  t.ok(holdsChats(body, list.slice(0, 150)))
})

t.test('beyond a total that is fresh, an answer is empty and costs no call', async t => {
  const { chats, calls, clock } = chatsOn(chatTexts(435))
  await chats.list({ offset: 400, limit: 10 }, needOf())
  const { body, total, status, ageMs } = await chats.list({ offset: 435, limit: 10 }, needOf())
  t.same([chatsOf(body), total, ageMs], [[], 435, 0])
  t.match(JSON.parse(body.toString()), { meta: { total: 435 } })
  t.same(status, { kind: 'hit', ttlMs: freshMs })
  t.equal(calls.length, 1)
  await chats.list({ offset: 434, limit: 10 }, needOf())
  t.equal(calls.length, 2, 'but the last chat is not beyond it')
  await clock.advance(freshMs)
  await chats.list({ offset: 9999, limit: 10 }, needOf())
  t.equal(calls.length, 3, 'and an old total is not trusted')
})

t.test('so it is for whoever says how old it may be, unless that one is too old', async t => {
  const { chats, calls, clock } = chatsOn(chatTexts(435))
  await chats.list({ offset: 400, limit: 10 }, needOf())
  await clock.advance(10_000)
  const costs = async (conditions: Conditions) => {
    const before = calls.length
    await chats.list({ offset: 500, limit: 10 }, needOf({ conditions }))
    return calls.length - before
  }
  t.equal(await costs({ onlyIfCached: true }), 0)
  t.equal(await costs({ maxAgeMs: 11_000 }), 0)
  t.equal(await costs({ maxStaleMs: Number.POSITIVE_INFINITY }), 0)
  t.equal(await costs({ minFreshMs: 19_000 }), 0)
  t.equal(await costs({ minFreshMs: 21_000 }), 1)
  await clock.advance(10_000)
  t.equal(await costs({ maxAgeMs: 9000 }), 1)
  t.equal(await costs({ noCache: true }), 1)
})

t.test('beyond a total that nobody knows, one call finds it out', async t => {
  const { chats, calls } = chatsOn(chatTexts(7))
  const { body, total } = await chats.list({ offset: 5000, limit: 1000 }, needOf())
  t.same(offsets(calls), [5000])
  t.same([chatsOf(body), total], [[], 7])
})

t.test('each list has an end of its own', async t => {
  const { chats, calls } = chatsOn(chatTexts(7))
  const beyond: ListQuery = { offset: 7, limit: 10 }
  await chats.list(beyond, needOf())
  await chats.list({ ...beyond, sort: 'chats.closedAt' }, needOf())
  await chats.list({ ...beyond, sort: 'chats.closedAt', order: 'asc' }, needOf())
  t.same(
    calls.map(call => call.target),
    [
      '/chats?offset=0&limit=100',
      '/chats?sort=chats.closedAt&offset=0&limit=100',
      '/chats?sort=chats.closedAt&order=asc&offset=0&limit=100'
    ]
  )
})

t.test('an older page does not bring back an older end', async t => {
  const clock = new FakeClock()
  const totals = [5, 9]
  const fetch: Fetch = async call => {
    const total = totals.shift()!
    // The second answer is the older one: it was stored before the first.
    const at = clock.now() - (total === 9 ? 1000 : 0)
    return { stored: storedAt(at, pageFor(call, chatTexts(total)), freshMs), status: fetched }
  }
  const chats = chatsBehind(fetch, clock)
  await chats.list({ offset: 0, limit: 1 }, needOf())
  await chats.list({ offset: 0, limit: 1 }, needOf())
  t.equal((await chats.list({ offset: 7, limit: 1 }, needOf())).total, 5)
})

/** An answer joined from two pages that the cache found as told. */
const joined = async (
  first: Partial<Found>,
  second: Partial<Found>,
  ages = [1000, 5000],
  totalsDiffer = false
) => {
  const clock = new FakeClock()
  const abouts = [first, second]
  const fetch: Fetch = async call => {
    const index = call.offset / pageSize
    const list = chatTexts(200 + (totalsDiffer ? index : 0))
    const at = clock.now() - ages[index]!
    return { stored: storedAt(at, pageFor(call, list)), status: fetched, ...abouts[index] }
  }
  return chatsBehind(fetch, clock).list({ offset: 0, limit: 200 }, needOf())
}

t.test('a joined answer is as old as its oldest page and as right as its newest', async t => {
  t.match(await joined({}, {}, [1000, 5000], true), { ageMs: 5000, lifetimeMs: 30_000, total: 200 })
  t.match(await joined({}, {}, [5000, 1000], true), { ageMs: 5000, lifetimeMs: 30_000, total: 201 })
})

t.test('a joined answer is a hit only if all of its pages are', async t => {
  const hit: Partial<Found> = { status: { kind: 'hit', ttlMs: 9000 } }
  const both = await joined(hit, hit, [1000, 5000])
  t.same(both.status, { kind: 'hit', ttlMs: both.lifetimeMs - 5000 })
  t.same((await joined(hit, {})).status, fetched)
  t.same((await joined({}, hit)).status, fetched)
})

t.test('a page that was fresh when others began to be waited for may be stale then', async t => {
  const clock = new FakeClock()
  const { promise, resolve } = Promise.withResolvers<void>()
  const fetch: Fetch = async call => {
    if (call.offset > 0) await promise
    const stored = storedAt(clock.now(), pageFor(call, chatTexts(200)), freshMs)
    return { stored, status: { kind: 'hit', ttlMs: freshMs } }
  }
  const answer = chatsBehind(fetch, clock).list({ offset: 0, limit: 200 }, needOf())
  await clock.advance(freshMs + 1500)
  resolve()
  const { ageMs, status } = await answer
  t.same([ageMs, status], [freshMs + 1500, { kind: 'hit', ttlMs: -1500 }])
})

t.test('the times of an answer are the longest of its calls, if there were any', async t => {
  const one = { timing: { queueMs: 5, upstreamMs: 70 } }
  const other = { timing: { queueMs: 20, upstreamMs: 30 } }
  t.same((await joined(one, other)).timing, { queueMs: 20, upstreamMs: 70 })
  t.same((await joined({}, other)).timing, other.timing)
  t.notOk('timing' in (await joined({}, {})))
})

t.test('a page that cannot be had fails the answer, whichever it is', async t => {
  const failure = new ServiceError('upstream_error', 'HelpCrunch failed.')
  for (const bad of [0, 100, 200]) {
    const { chats } = chatsOn(chatTexts(300), ({ offset }) => {
      if (offset === bad) throw failure
    })
    await t.rejects(chats.list({ offset: 0, limit: 300 }, needOf()), failure)
  }
})

t.test('the need travels unchanged to every page', async t => {
  const need = needOf({ team: 'green', deadline: 7 })
  const needs: Need[] = []
  const fetch: Fetch = async (call, need) => {
    needs.push(need)
    return { stored: storedAt(0, pageFor(call, chatTexts(300))), status: fetched }
  }
  await chatsBehind(fetch).list({ offset: 0, limit: 300 }, need)
  t.equal(needs.length, 3)
  t.ok(needs.every(one => one === need))
})

/** A cache that holds pages 0 to `stored` of a list, and notes what is asked of it. */
const holding = (list: string[], stored: number) => {
  const asked: string[] = []
  const found = (call: Call, status: CacheStatus): Found => ({
    stored: storedAt(1_000_000, pageFor(call, list)),
    status
  })
  const source: PageSource = {
    again: () => undefined,
    find: call =>
      call.offset < stored * pageSize ? found(call, { kind: 'hit', ttlMs: freshMs }) : undefined,
    fetch: async call => {
      asked.push(`fetch ${call.offset}`)
      return found(call, fetched)
    },
    readAhead: (call, team) => void asked.push(`${team} ahead ${call.offset}`)
  }
  return { asked, chats: chatsBehind(source) }
}

t.test('what is stored whole is answered without asking for anything', async t => {
  const { asked, chats } = holding(chatTexts(350), 4)
  const { body, status } = await chats.list({ offset: 50, limit: 300 }, needOf())
  t.ok(holdsChats(body, chatTexts(350).slice(50, 350)))
  t.same([status, asked], [{ kind: 'hit', ttlMs: freshMs }, []])
})

t.test('who walks a list has its next page read ahead one step before, up to the end', async t => {
  const { asked, chats } = holding(chatTexts(435), 5)
  for (let offset = 0; offset < 435; offset += 50) {
    await chats.list({ offset, limit: 50 }, needOf())
  }
  const ahead = (offset: number) => `blue ahead ${offset}`
  t.same(asked, [100, 200, 300, 400].map(ahead))
})

t.test('jumping about, another list or another team is no walk', async t => {
  const { asked, chats } = holding(chatTexts(435), 5)
  await chats.list({ offset: 0, limit: 50 }, needOf())
  await chats.list({ offset: 100, limit: 50 }, needOf())
  await chats.list({ offset: 50, limit: 50 }, needOf())
  await chats.list({ offset: 100, limit: 50, order: 'asc' }, needOf())
  await chats.list({ offset: 100, limit: 50 }, needOf({ team: 'green' }))
  t.same(asked, [])
})
