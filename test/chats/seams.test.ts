/**
 * Pages of one answer that were stored at different moments: a list that grows, shrinks and shifts
 * between them is mended where it can be, said where it cannot, and never passed on short.
 */

import fc from 'fast-check'
import t from 'tap'
import { completing } from '../../src/chats/completion.ts'
import { pageSize } from '../../src/chats/windows.ts'
import type { Page } from '../../src/page.ts'
import type { Call, Send, Stored } from '../../src/ports.ts'
import { chatsBehind, type Fetch } from '../support/chats.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { callTo, chatsOf, chatTexts, holdsChats, pageFor, storedAt } from '../support/pages.ts'

/** A cache that keeps pages however old they are, unless a newer one is asked for. */
function keeping(clock: FakeClock, list: () => readonly string[]) {
  const kept = new Map<string, Stored<Page>>()
  const calls: Call[] = []
  const fetch: Fetch = async (call, need) => {
    const known = kept.get(call.target)
    if (known && known.storedAt >= (need.conditions?.notBefore ?? -Infinity)) {
      return { stored: known, status: { kind: 'hit', ttlMs: 1000 } }
    }
    calls.push(call)
    // A call takes time, so no two pages are of the same instant.
    clock.stall(1)
    const stored = storedAt(clock.now(), pageFor(call, list()))
    kept.set(call.target, stored)
    return {
      stored,
      status: { kind: 'forward', reason: 'uri-miss', status: 200, stored: true, collapsed: false }
    }
  }
  return { calls, chats: chatsBehind(fetch, clock) }
}

const query = { offset: 0, limit: 300 }

t.test('where a page shifted, the older side is fetched once more', async t => {
  const clock = new FakeClock()
  let list = chatTexts(200, 1000)
  const { calls, chats } = keeping(clock, () => list)
  await chats.list({ offset: 100, limit: 100 }, needOf())
  await clock.advance(3000)
  list = [...chatTexts(1, 1), ...list]
  const { body, status } = await chats.list({ offset: 0, limit: 200 }, needOf())
  t.ok(holdsChats(body, list.slice(0, 200)))
  t.notOk('detail' in status)
  t.equal(calls.length, 3)
})

t.test('a side younger than two seconds is left as it is, and the seam is said', async t => {
  const clock = new FakeClock()
  let list = chatTexts(200, 1000)
  const { calls, chats } = keeping(clock, () => list)
  await chats.list({ offset: 100, limit: 100 }, needOf())
  await clock.advance(1000)
  list = [...chatTexts(1, 1), ...list]
  const { status } = await chats.list({ offset: 0, limit: 200 }, needOf())
  t.match(status, { detail: 'seam' })
  t.equal(calls.length, 2)
})

t.test('a page that lacks chats by the newest total is fetched again, however young', async t => {
  const clock = new FakeClock()
  let list = chatTexts(150)
  const { chats } = keeping(clock, () => list)
  await chats.list({ offset: 100, limit: 100 }, needOf())
  await clock.advance(10)
  list = chatTexts(260)
  const { body, total } = await chats.list(query, needOf())
  t.equal(total, 260)
  t.ok(holdsChats(body, list))
})

const at = (when: number, total: number) => ({ when, total })

t.test('a list that kept changing until nothing was missing any more is answered', async t => {
  const clock = new FakeClock()
  // The second page is fetched twice, first by a call that was answered before the first page's.
  const kept = new Map([
    ['/chats?offset=0&limit=100', [at(0, 101), at(3000, 101)]],
    ['/chats?offset=100&limit=100', [at(1, 100), at(2999, 100), at(3001, 100)]]
  ])
  const fetch: Fetch = async call => {
    const pages = kept.get(call.target)!
    const [{ total, when }] = pages as [{ total: number; when: number }]
    if (pages.length > 1) pages.shift()
    const stored = storedAt(when, pageFor(call, chatTexts(total)))
    return { stored, status: { kind: 'hit', ttlMs: 1000 } }
  }
  clock.stall(3002)
  const { body, status, total } = await chatsBehind(fetch, clock).list(
    { offset: 20, limit: 200 },
    needOf()
  )
  t.equal(total, 100)
  t.ok(holdsChats(body, chatTexts(100).slice(20)))
  t.match(status, { detail: 'seam' })
})

t.test('whatever a list does between its pages, an answer is never short of its total', async t => {
  const change = fc.record({
    length: fc.integer({ min: 0, max: 420 }),
    offset: fc.integer({ min: 0, max: 400 }),
    limit: fc.integer({ min: 1, max: 400 }),
    ms: fc.integer({ min: 0, max: 5000 })
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async changes => {
      const clock = new FakeClock()
      let list: readonly string[] = []
      const { calls, chats } = keeping(clock, () => list)
      for (const { length, limit, ms, offset } of changes) {
        list = chatTexts(length)
        await clock.advance(ms)
        const before = calls.length
        const { body, total } = await chats.list({ offset, limit }, needOf())
        const wanted = Math.max(Math.min(limit, total - offset), 0)
        if (chatsOf(body).length < wanted) return false
        if (calls.length - before > 2 * (Math.ceil(limit / pageSize) + 1)) return false
      }
      return true
    })
  )
  t.pass()
})

/** An upstream that sends at most `most` chats whatever is asked for. */
const stingy = (list: readonly string[], most: number) => {
  const calls: Call[] = []
  const send: Send = async call => {
    calls.push(call)
    return {
      page: pageFor({ ...call, limit: Math.min(call.limit, most) }, list),
      timing: { queueMs: 1, upstreamMs: 2 }
    }
  }
  return { calls, send: completing(send) }
}

const first = callTo('/chats?offset=0&limit=100')

t.test('a page that comes back short is completed from where it ended, once', async t => {
  const list = chatTexts(300)
  const { calls, send } = stingy(list, 60)
  const { page, timing } = await send(first, needOf())
  t.strictSame(
    calls.map(({ target }) => target),
    [first.target, '/chats?offset=60&limit=40']
  )
  t.strictSame(page.count, 100)
  t.ok(holdsChats(page.bytes, list.slice(0, 100)))
  t.ok(
    Array.from({ length: 100 }, (_, at) => at).every(
      at => page.bytes.toString('utf8', page.spans[2 * at], page.spans[2 * at + 1]) === list[at]
    )
  )
  t.strictSame(timing, { queueMs: 2, upstreamMs: 4 })
})

t.test('a page that is short even then is never passed on as complete', async t => {
  const { calls, send } = stingy(chatTexts(300), 40)
  await t.rejects(send(first, needOf()), { code: 'upstream_invalid_response' })
  t.equal(calls.length, 2)
})

t.test('the last page of a list is complete as it is', async t => {
  const { calls, send } = stingy(chatTexts(30), 100)
  t.equal((await send(first, needOf())).page.count, 30)
  t.equal(calls.length, 1)
})
