/**
 * `GET /chats/{id}/messages`: any window of a thread is the very bytes of its messages, however
 * many pages it spans, with the total where HelpCrunch puts it.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { allChats, besides, longestChat } from '../support/held.ts'
import { holds } from '../support/property.ts'
import { type StackOptions, startStack } from '../support/stack.ts'

const unlimited: StackOptions = {
  env: { UPSTREAM_LIMIT: '100000', TEAM_RATE_LIMIT: '0' },
  upstream: { enforce: false }
}

/** A stack whose longest thread is `count` messages, several pages. */
async function open(t: Test, options: StackOptions = unlimited) {
  const stack = await startStack(t, options)
  const chat = longestChat(stack.simulator)
  const path = `/chats/${chat.id}/messages`
  return { ...stack, id: chat.id, count: chat.messages, path }
}

const nextOf = ({ headers }: { headers: Headers }) =>
  /<([^>]*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]

t.test('any window of any thread holds the very bytes of its messages', async t => {
  const { get, simulator, count } = await open(t)
  assert(count > 250)
  const chats = allChats(simulator).toSorted((one, other) => other.messages - one.messages)
  const window = fc.record({
    chat: fc.oneof(fc.constantFrom(...chats.slice(0, 3)), fc.constantFrom(...chats)),
    offset: fc.oneof(fc.nat(count + 50), fc.constantFrom(0, 99, 100, 200, count, 2 ** 40)),
    limit: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 99, 100, 101, 1000))
  })
  const property = fc.asyncProperty(window, async ({ chat, offset, limit }) => {
    const answer = await read(get(`/chats/${chat.id}/messages?offset=${offset}&limit=${limit}`))
    const { items, total } = simulator.store.messages(chat.id, offset, limit)!
    assert.equal(answer.status, 200)
    assert.equal(besides(answer.body, items), `{"data":[]"total":${total}}`)
    assert.equal(JSON.parse(answer.body).data.length, items.length)
    assert.equal(answer.headers.get('x-total-count'), String(total))
    assert.equal(
      nextOf(answer) !== undefined,
      offset + limit < total,
      'next, unless it is the last'
    )
  })
  await holds(t, property, { numRuns: 150 })
})

t.test('following next shows every message once, and costs one call a page', async t => {
  const { get, simulator, id, count, path } = await open(t)
  for (const [prefix, limit] of [
    ['', 70],
    ['/v1', 100],
    ['', 1000]
  ] as const) {
    const shown: string[] = []
    let next: string | undefined = `${prefix}${path}?limit=${limit}`
    while (next) {
      const answer = await read(get(next))
      shown.push(answer.body.slice('{"data":['.length, answer.body.lastIndexOf(']')))
      next = nextOf(answer)
      if (next) t.ok(next.startsWith(`${prefix}${path}?offset=`), next)
    }
    t.equal(shown.join(), simulator.store.messages(id, 0, count)?.items.join())
  }
  t.equal(simulator.hits(), Math.ceil(count / 100))
})

t.test('Link names first, prev, next and last, without sort or order', async t => {
  const { get, path, count } = await open(t)
  const { headers } = await read(get(`/v1${path}/?limit=50&offset=100`))
  const last = Math.floor((count - 1) / 50) * 50
  const to = (offset: number, relation: string) =>
    `</v1${path}?offset=${offset}&limit=50>; rel="${relation}"`
  t.equal(
    headers.get('link'),
    [to(0, 'first'), to(50, 'prev'), to(150, 'next'), to(last, 'last')].join(', ')
  )
})

t.test('the calls upstream are canonical and aligned, whatever is asked', async t => {
  const { get, simulator, path } = await open(t)
  for (const query of [
    '',
    '?limit=100&offset=0',
    '?offset=7&limit=3',
    '?limit=%31',
    '?&limit=99&'
  ]) {
    await read(get(path + query))
  }
  await read(get(`${path}?offset=150&limit=100`))
  t.same(
    simulator.requests().map(({ target }) => target),
    [0, 100, 200].map(offset => `/v1${path}?offset=${offset}&limit=100`)
  )
})

t.test('past the end there is nothing, the true total, and no call once it is known', async t => {
  const { get, simulator, path, count } = await open(t)
  for (const offset of [5000, count, count + 1, 2 ** 50]) {
    const { status, body, headers } = await read(get(`${path}?offset=${offset}&limit=1000`))
    t.same([status, body], [200, `{"data":[],"total":${count}}`], `${offset}`)
    t.equal(headers.get('x-total-count'), String(count))
    t.notMatch(headers.get('link'), 'rel="next"')
  }
  t.equal(simulator.hits(), 1)
})

t.test('a thread without messages is an answer', async t => {
  const { get, simulator } = await open(t)
  const silent = allChats(simulator).find(({ messages }) => messages === 0)
  const { status, body } = await read(get(`/chats/${silent?.id}/messages`))
  t.same([status, body], [200, '{"data":[],"total":0}'])
})

t.test('a bad window is 400 by name, and costs no call', async t => {
  const { get, simulator, path } = await open(t)
  for (const [query, names] of [
    ['limit=0', ['limit']],
    ['limit=1001', ['limit']],
    ['limit=5&limit=5', ['limit']],
    ['offset=-1&limit=1e1', ['offset', 'limit']],
    ['offset=５', ['offset']],
    ['order=asc', ['order']]
  ] as const) {
    const answer = await read(get(`${path}?${query}`))
    const { errors } = checkProblem(t, answer, { status: 400, code: 'invalid_query' }, query)
    t.same(
      errors.map(({ code }) => code),
      names
    )
  }
  t.equal(simulator.hits(), 0)
})

t.test('a message that comes between two pages leaves no gap and no repeat', async t => {
  const clock = new FakeClock()
  const { get, simulator, id, path } = await open(t, { ...unlimited, clock })
  await read(get(`${path}?offset=100&limit=100`))
  simulator.store.touch(id)
  await clock.advance(10_000)
  const { body, headers } = await read(get(`${path}?limit=200`))
  const { items, total } = simulator.store.messages(id, 0, 200)!
  t.equal(besides(body, items), `{"data":[]"total":${total}}`)
  t.equal(headers.get('x-total-count'), String(total))
  t.equal(simulator.hits(), 3)
})

t.test('a short page of messages is completed, and never passed on short', async t => {
  const { get, simulator, id, count, path } = await open(t)
  const [first = '', second = ''] = simulator.store.messages(id, 0, 2)?.items ?? []
  simulator.fault({ kind: 'body', body: `{"data":[${first},${second}],"total":${count}}` })
  const { body } = await read(get(path))
  t.equal(
    besides(body, simulator.store.messages(id, 0, 100)?.items ?? []),
    `{"data":[]"total":${count}}`
  )
  t.equal(simulator.requests()[1]?.target, `/v1${path}?offset=2&limit=98`)
})

t.test('a thread that is gone leaves nothing behind, past its end either', async t => {
  const clock = new FakeClock()
  const { get, simulator, id, path } = await open(t, { ...unlimited, clock })
  const absent = { status: 404, code: 'chat_not_found' }
  await read(get(`${path}?offset=5000`))
  simulator.store.remove(id)
  await clock.advance(1)
  checkProblem(t, await read(get(path)), absent)
  const calls = simulator.hits()
  for (const query of ['', '?offset=5000', '?offset=5001', '?limit=1000']) {
    checkProblem(t, await read(get(path + query)), absent, query)
  }
  t.equal(simulator.hits(), calls)
  await clock.advance(5001)
  checkProblem(t, await read(get(`${path}?offset=6000`)), absent)
  t.equal(simulator.hits(), calls + 1)
})

t.test('a thread that goes while it is read is gone', async t => {
  const { get, simulator, path } = await open(t)
  const isSecond = (target: string) => target.includes('offset=100&')
  simulator.fault({ kind: 'status', status: 404, match: isSecond })
  const answer = await read(get(`${path}?limit=200`))
  checkProblem(t, answer, { status: 404, code: 'chat_not_found' })
})
