/**
 * That there is no such chat is a page like any other, but for how long it is believed: five
 * seconds, never stale, and in the place of whatever was stored before.
 */

import t from 'tap'
import { Cache } from '../../src/cache/cache.ts'
import type { Foresight } from '../../src/cache/foresight.ts'
import { singleChat } from '../../src/chats/lists.ts'
import { pageCall } from '../../src/chats/windows.ts'
import { ServiceError } from '../../src/errors.ts'
import { absentPage as absent, type Page } from '../../src/page.ts'
import type { Conditions, Stored } from '../../src/ports.ts'
import { noForesight } from '../support/budget.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { chatTexts, pageOf, roomyShelf } from '../support/pages.ts'

const call = pageCall(singleChat('7'), 0)
const chat = pageOf(chatTexts(1, 7), 1, { before: '', after: '' })
const trouble = new ServiceError('upstream_error', 'for the test')

interface Options {
  readonly freshMs?: number
  readonly foresight?: Foresight
}

function house(
  first: Page | ServiceError,
  { freshMs = 30_000, foresight = noForesight }: Options = {}
) {
  const clock = new FakeClock()
  const fate = { answer: first, calls: 0 }
  const cache = new Cache({
    ...{ clock, foresight, random: () => 0, store: roomyShelf<Stored<Page>>() },
    lifetimes: { freshMs, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 600_000 },
    idle: { hasSlot: () => true, pressure: () => 0 },
    tagsOf: ({ list }) => list.tags,
    send: async () => {
      fate.calls++
      if (fate.answer instanceof ServiceError) throw fate.answer
      return { page: fate.answer, timing: { queueMs: 0, upstreamMs: 0 } }
    }
  })
  const ask = async (conditions?: Conditions) => {
    const { stored, status } = await cache.fetch(call, needOf(conditions ? { conditions } : {}))
    return { isAbsent: stored.value.isAbsent, status }
  }
  return { cache, clock, fate, ask }
}

t.test('it is kept for five seconds, and not a moment longer', async t => {
  const { ask, clock, fate } = house(absent)
  t.match(await ask(), { isAbsent: true, status: { kind: 'forward', status: 404, stored: true } })
  await clock.advance(4999)
  t.match(await ask(), { isAbsent: true, status: { kind: 'hit', ttlMs: 1 } })
  t.equal(fate.calls, 1)
  await clock.advance(1)
  t.match(await ask(), { isAbsent: true, status: { kind: 'forward' } })
  t.equal(fate.calls, 2)
})

t.test('where pages are fresh for less, so is it', async t => {
  const { ask, clock, fate } = house(absent, { freshMs: 1000 })
  await ask()
  await clock.advance(1000)
  await ask()
  t.equal(fate.calls, 2)
})

t.test('however regular it seems, it is not believed for longer', async t => {
  const foresight = { adaptive: true, refreshAhead: true, readAhead: true }
  const { ask, clock, fate } = house(absent, { foresight })
  for (let turn = 1; turn <= 20; turn++) {
    await ask()
    t.equal(fate.calls, turn)
    await clock.advance(5000)
  }
})

t.test('it is never served stale: who asks later gets what there is, or the failure', async t => {
  const { ask, clock, fate } = house(absent)
  await ask()
  await clock.advance(5000)
  fate.answer = trouble
  await t.rejects(ask(), { code: 'upstream_error' })
  await t.rejects(ask({ onlyIfCached: true }), { code: 'not_cached' })
  await t.rejects(ask({ maxStaleMs: 1e9 }), { code: 'upstream_error' })
})

for (const ageMs of [91_000, 600_000]) {
  t.test(`it takes the place of a chat ${ageMs / 1000} s old, for bad times as well`, async t => {
    const { ask, clock, fate } = house(chat)
    await ask()
    await clock.advance(ageMs)
    fate.answer = absent
    t.match(await ask(), {
      isAbsent: true,
      status: { kind: 'forward', reason: 'stale', status: 404 }
    })
    fate.answer = trouble
    t.match(await ask(), { isAbsent: true, status: { kind: 'hit' } })
    await clock.advance(5000)
    await t.rejects(ask(), { code: 'upstream_error' })
  })
}

t.test('found by a refresh behind a stale chat, it is what the next reader gets', async t => {
  const { ask, clock, fate } = house(chat)
  await ask()
  await clock.advance(31_000)
  fate.answer = absent
  t.match(await ask(), { isAbsent: false, status: { kind: 'hit' } })
  await settled()
  t.match(await ask(), { isAbsent: true, status: { kind: 'hit', ttlMs: 5000 } })
  t.equal(fate.calls, 2)
})

t.test('a chat takes its place, for as long as a chat is kept', async t => {
  const { ask, clock, fate } = house(absent)
  await ask()
  await clock.advance(5000)
  fate.answer = chat
  t.match(await ask(), { isAbsent: false, status: { kind: 'forward', status: 200 } })
  await clock.advance(29_999)
  t.match(await ask(), { isAbsent: false, status: { kind: 'hit', ttlMs: 1 } })
  t.equal(fate.calls, 2)
})

t.test('an event of the chat ends it at once', async t => {
  const { ask, cache, clock, fate } = house(absent)
  await ask()
  await clock.advance(1)
  cache.invalidate(['chat:8'])
  t.match(await ask(), { isAbsent: true, status: { kind: 'hit' } })
  cache.invalidate(['chat:7'])
  fate.answer = chat
  t.match(await ask(), { isAbsent: false, status: { kind: 'forward' } })
})

t.test('a thousand who ask for it share one call', async t => {
  const { ask, fate } = house(absent)
  const found = await Promise.all(Array.from({ length: 1000 }, () => ask()))
  t.ok(found.every(({ isAbsent }) => isAbsent))
  t.equal(fate.calls, 1)
})
