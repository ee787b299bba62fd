// The cache: fresh answers cost nothing, everything else one call for everybody.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Cache } from '../../src/cache/cache.ts'
import { MemoryStore } from '../../src/cache/memory-store.ts'
import { storedBytes } from '../../src/cache/stored-pages.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type { Call, Send } from '../../src/ports.ts'
import { noForesight, noneIdle } from '../support/budget.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { callTo, chatTexts, pageOf } from '../support/pages.ts'
import { holds } from '../support/property.ts'

const freshMs = 30_000
const timing = { queueMs: 1, upstreamMs: 2 }
const page = pageOf(chatTexts(2), 2)

const call = callTo('/chats?offset=0&limit=100')

const cacheOn = (send: Send, maxBytes = 1e6) => {
  const clock = new FakeClock()
  const store = shelfOf(maxBytes)
  const cache = new Cache({
    ...{ clock, store, send, random: () => 0, idle: noneIdle, foresight: noForesight },
    tagsOf: () => [],
    lifetimes: { freshMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  })
  return { clock, store, cache }
}

const shelfOf = (maxBytes: number) =>
  new MemoryStore({ maxBytes, weights: new Map() }).shelf('page', storedBytes)

/** A next room that answers with `page` and counts its calls. */
const counting = (answer: Page = page) => {
  const sent: Call[] = []
  const send: Send = async call => {
    sent.push(call)
    return { page: answer, timing }
  }
  return { sent, send }
}

t.test('what is not stored is fetched, and stored', async t => {
  const { send, sent } = counting()
  const { cache, clock } = cacheOn(send)
  const found = await cache.fetch(call, needOf())
  t.same(found.status, {
    kind: 'forward',
    reason: 'uri-miss',
    status: 200,
    stored: true,
    collapsed: false
  })
  t.same(found.timing, timing)
  t.equal(found.stored.value, page)
  t.match(found.stored, { storedAt: clock.now(), freshUntil: clock.now() + freshMs })
  t.same(sent, [call])
})

t.test('how long it stays fresh counts from when its call was sent', async t => {
  const { send } = counting()
  const rig = cacheOn(async (call, need) => {
    rig.clock.stall(4000)
    const sentAt = rig.clock.now()
    rig.clock.stall(7000)
    return { ...(await send(call, need)), sentAt }
  })
  const { cache, clock } = rig
  const landedAt = clock.now() + 11_000
  const { stored } = await cache.fetch(call, needOf())
  t.match(stored, { requestedAt: landedAt - 7000, storedAt: landedAt })
  t.equal(stored.freshUntil, landedAt - 7000 + freshMs)
  t.equal((await cache.fetch(call, needOf())).status.kind, 'hit')
  const old = needOf({ conditions: { maxAgeMs: 6999 } })
  t.match((await cache.fetch(call, old)).status, { kind: 'forward', reason: 'request' })
})

t.test('what is fresh costs no call and tells how long it stays so', async t => {
  const { send, sent } = counting()
  const { cache, clock } = cacheOn(send)
  await cache.fetch(call, needOf())
  await clock.advance(freshMs - 1)
  const found = await cache.fetch(call, needOf())
  t.same(found.status, { kind: 'hit', ttlMs: 1 })
  t.equal(found.timing, undefined)
  t.equal(found.stored.value, page)
  t.equal(sent.length, 1)
})

t.test('at the end of its freshness lifetime a page is fetched again', async t => {
  const { send, sent } = counting()
  const { cache, clock } = cacheOn(send)
  await cache.fetch(call, needOf())
  await clock.advance(freshMs)
  const found = await cache.fetch(call, needOf())
  t.match(found.status, { kind: 'forward', reason: 'stale' })
  t.equal(found.stored.storedAt, clock.now())
  t.equal(sent.length, 2)
})

t.test('equal requests share one call, and all but the first are collapsed', async t => {
  const answer = Promise.withResolvers<{ page: Page; timing: typeof timing }>()
  let calls = 0
  const { cache } = cacheOn(() => {
    calls++
    return answer.promise
  })
  const all = Array.from({ length: 1000 }, () => cache.fetch(call, needOf()))
  answer.resolve({ page, timing })
  const found = await Promise.all(all)
  t.equal(calls, 1)
  t.equal(found.filter(({ status }) => status.kind === 'forward' && status.collapsed).length, 999)
  t.ok(found.every(({ stored }) => stored.value === page))
})

t.test('a failure reaches everybody who waits and leaves the store as it was', async t => {
  const failure = new ServiceError('upstream_error', 'HelpCrunch failed.')
  const outcomes = [undefined, failure, undefined]
  const { cache, clock, store } = cacheOn(async () => {
    const error = outcomes.shift()
    if (error) throw error
    return { page, timing }
  })
  await cache.fetch(call, needOf())
  const known = store.get(call.target, 'blue')
  await clock.advance(freshMs)
  const waiting = [cache.fetch(call, needOf()), cache.fetch(call, needOf())]
  for (const one of waiting) await t.rejects(one, failure)
  t.equal(store.get(call.target, 'blue'), known)
  t.equal((await cache.fetch(call, needOf())).stored.value, page)
})

t.test('a page too large to keep is answered all the same, and says so', async t => {
  const { send, sent } = counting()
  const { cache } = cacheOn(send, 2000)
  const found = await cache.fetch(call, needOf())
  t.equal(found.stored.value, page)
  t.match(found.status, { kind: 'forward', stored: false })
  await cache.fetch(call, needOf())
  t.equal(sent.length, 2)
})

t.test('what a flight brings is stored although everybody has left', async t => {
  const answer = Promise.withResolvers<{ page: Page; timing: typeof timing }>()
  const { cache } = cacheOn((_, need) => {
    need.onSent?.()
    return answer.promise
  })
  const caller = new AbortController()
  const left = cache.fetch(call, needOf({ signal: caller.signal }))
  caller.abort(new Error('left'))
  await t.rejects(left, /left/)
  answer.resolve({ page, timing })
  await settled()
  t.match((await cache.fetch(call, needOf())).status, { kind: 'hit' })
})

t.test('different targets are never answered with one another', async t => {
  const send: Send = async ({ target }) => ({ page: pageOf([`{"t":"${target}"}`], 1), timing })
  const { cache } = cacheOn(send)
  const target = fc.array(fc.constantFrom('a', '&', '=', '|', ':', '%00'), { maxLength: 4 })
  const property = fc.asyncProperty(target, async parts => {
    const target = parts.join('')
    const { stored } = await cache.fetch(callTo(target), needOf())
    assert(stored.value.bytes.includes(`{"t":"${target}"}`))
  })
  await holds(t, property)
})

t.test('nothing older than its freshness lifetime is ever a hit', async t => {
  const step = fc.record({ target: fc.constantFrom('a', 'b', 'c'), waitMs: fc.nat(2 * freshMs) })
  const property = fc.asyncProperty(fc.array(step), async steps => {
    const { cache, clock } = cacheOn(counting().send)
    for (const { target, waitMs } of steps) {
      const { stored, status } = await cache.fetch(callTo(target), needOf())
      const age = clock.now() - stored.storedAt
      assert(age >= 0 && age < freshMs)
      if (status.kind === 'hit') assert.equal(status.ttlMs, freshMs - age)
      else assert.equal(age, 0)
      clock.stall(waitMs)
    }
  })
  await holds(t, property)
})
