/**
 * The webhook: who may speak, what it does once, and what it can never do. Groups S10-S13.
 */

import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Stack, startStack } from '../support/stack.ts'

const signingKey = 'webhook-canary-key-0123456789'
const sign = (body: string | Buffer, key = signingKey) =>
  createHmac('sha1', key).update(body).digest('hex')

interface Site extends Stack {
  readonly clock: FakeClock
  post(body: string, headers?: Record<string, string>, path?: string): Promise<Response>
  event(event: string, eventData?: unknown, id?: string): Promise<Response>
}

async function open(t: Test): Promise<Site> {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: { WEBHOOK_SIGNING_KEY: signingKey } })
  const post = (
    body: string,
    headers: Record<string, string> = {},
    path = '/webhooks/helpcrunch'
  ) =>
    fetch(stack.url + path, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-helpcrunch-signature': sign(body),
        ...headers
      }
    })
  let count = 0
  const event = (name: string, eventData: unknown = {}, id = `id-${count++}`) =>
    post(JSON.stringify({ event: name, eventData, id, attempts: 1 }))
  return { ...stack, clock, post, event }
}

/** What the cache says of a list after something happened. */
const outcome = async (site: Site, path: string) =>
  (await site.get(path)).headers.get('cache-status')?.split('; ')[1]

const lists = {
  none: '/chats',
  created: '/chats?sort=chats.createdAt',
  lastMessage: '/chats?sort=chats.lastMessageAt',
  lastCustomerMessage: '/chats?sort=chats.lastCustomerMessageAt',
  closed: '/chats?sort=chats.closedAt'
}
type List = keyof typeof lists

/** Chat 1 is nowhere; which lists an event makes stale by their order alone. */
const rows: Record<string, [event: string, data: unknown, stale: readonly List[]]> = {
  'a message': [
    'message.chat.customer',
    { chat_id: 1 },
    ['none', 'lastMessage', 'lastCustomerMessage']
  ],
  'a status': [
    'chat.status_updated',
    { id: 1 },
    ['none', 'lastMessage', 'lastCustomerMessage', 'closed']
  ],
  'a nested chat id': [
    'chat.closed',
    { chat: { id: 1 } },
    ['none', 'lastMessage', 'lastCustomerMessage', 'closed']
  ],
  'data as JSON in a string': [
    'chat.rated',
    '{"chat_id":"1"}',
    ['none', 'lastMessage', 'lastCustomerMessage', 'closed']
  ],
  'a new chat': [
    'chat.new',
    { id: 1 },
    ['none', 'created', 'lastMessage', 'lastCustomerMessage', 'closed']
  ],
  'a chat event without an id': [
    'chat.assigned',
    [],
    ['none', 'created', 'lastMessage', 'lastCustomerMessage', 'closed']
  ],
  'an unknown customer': ['customer.blocked', { id: 1 }, []],
  'a customer event without an id': [
    'customer.blocked',
    null,
    ['none', 'created', 'lastMessage', 'lastCustomerMessage', 'closed']
  ],
  'an unknown event': ['planet.aligned', { id: 1 }, []]
}

for (const [name, [event, data, stale]] of Object.entries(rows)) {
  t.test(`${name} makes stale what it can change`, async t => {
    const site = await open(t)
    for (const path of Object.values(lists)) await site.get(path)
    t.equal((await site.event(event, data)).status, 200)
    for (const [list, path] of Object.entries(lists)) {
      t.equal(await outcome(site, path), stale.includes(list as List) ? 'fwd=stale' : 'hit', list)
    }
  })
}

t.test('a page that holds the chat, or the customer, is stale in whatever order it is', async t => {
  const site = await open(t)
  const chats = (await (await site.get(lists.created)).json()) as {
    data: { id: number; customer: { id: number } }[]
  }
  const [chat] = chats.data
  await site.event('message.private', { chat_id: chat?.id })
  t.equal(await outcome(site, lists.created), 'fwd=stale')
  await site.clock.advance(3000)
  await site.event('customer.tags_changed', { id: chat?.customer.id })
  t.equal(await outcome(site, lists.created), 'fwd=stale')
  t.equal(await outcome(site, lists.created), 'hit')
})

t.test('the same event has no second effect, whatever its attempt and prefix', async t => {
  const site = await open(t)
  await site.get('/chats')
  await site.event('chat.new', {}, 'same')
  await site.clock.advance(1)
  t.equal(await outcome(site, '/chats'), 'fwd=stale')
  await site.clock.advance(3000)
  const again = JSON.stringify({ event: 'chat.new', eventData: {}, id: 'same', attempts: 2 })
  for (const path of ['/webhooks/helpcrunch', '/v1/webhooks/helpcrunch/']) {
    t.equal((await site.post(again, {}, path)).status, 200)
  }
  t.equal(await outcome(site, '/chats'), 'hit')
})

const body = JSON.stringify({ event: 'chat.new', eventData: {}, id: 'x' })
const good = sign(body)
const forged: Record<string, Record<string, string>> = {
  'an empty signature': { 'x-helpcrunch-signature': '' },
  '39 digits': { 'x-helpcrunch-signature': good.slice(1) },
  '41 digits': { 'x-helpcrunch-signature': `${good}0` },
  'upper case': { 'x-helpcrunch-signature': good.toUpperCase().replace(/\d/g, 'A') },
  'no hex': { 'x-helpcrunch-signature': 'g'.repeat(40) },
  'a prefix': { 'x-helpcrunch-signature': `sha1=${good}` },
  'two signatures': { 'x-helpcrunch-signature': `${good}, ${good}` },
  'another key': { 'x-helpcrunch-signature': sign(body, 'another') },
  'a key with white space': { 'x-helpcrunch-signature': sign(body, `${signingKey} `) },
  'an empty key': { 'x-helpcrunch-signature': sign(body, ' ') },
  'another spelling of the same JSON': { 'x-helpcrunch-signature': sign(`${body} `) }
}

t.test('whoever has no right signature is refused, and nothing happens', async t => {
  const site = await open(t)
  await site.get('/chats')
  for (const [name, headers] of Object.entries(forged)) {
    checkProblem(t, await read(site.post(body, headers)), { status: 401, code: 'unauthenticated' })
    t.equal(await outcome(site, '/chats'), 'hit', name)
  }
  const unsigned = await fetch(`${site.url}/webhooks/helpcrunch`, { method: 'POST', body })
  t.equal(unsigned.status, 401)
})

t.test('a signed body that is no object is 400, a large one 413, in words', async t => {
  const site = await open(t)
  for (const junk of ['', '[]', 'null', '"text"', '{', '\ufeff{}', '['.repeat(100_000)]) {
    t.equal((await site.post(junk)).status, 400, junk.slice(0, 10))
  }
  checkProblem(t, await read(site.post(`"${'x'.repeat(256 * 1024)}"`)), {
    status: 413,
    code: 'body_too_large'
  })
  t.equal((await site.post('{"__proto__":{"event":"chat.new"}}')).status, 200)
  t.equal(({} as { event?: string }).event, undefined)
})

t.test('whatever its Content-Type, the bytes are what is signed', async t => {
  const site = await open(t)
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream'
  ]) {
    t.equal((await site.post(body, { 'content-type': type })).status, 200)
  }
})

t.test(
  'a thousand events cost no more than one refresh per page that somebody asks for',
  async t => {
    const site = await open(t)
    await site.get('/chats')
    await Promise.all(Array.from({ length: 1000 }, () => site.event('chat.new')))
    await Promise.all([site.get('/chats'), site.get('/chats')])
    t.equal(site.simulator.hits(), 2)
  }
)

t.test('without a signing key there is no such route', async t => {
  const { url, get } = await startStack(t)
  t.equal((await fetch(`${url}/webhooks/helpcrunch`, { method: 'POST', body })).status, 401)
  t.equal((await get('/webhooks/helpcrunch', { method: 'POST', body })).status, 404)
})

t.test('operators make everything stale with DELETE /cache', async t => {
  const site = await open(t)
  await site.get(lists.created)
  const answer = await site.service.admin.inject({ method: 'DELETE', url: '/cache' })
  t.equal(answer.statusCode, 200)
  t.equal(await outcome(site, lists.created), 'fwd=stale')
  const exposed = await startStack(t, { env: { ADMIN_HOST: '0.0.0.0' } })
  t.equal((await exposed.service.admin.inject({ method: 'DELETE', url: '/cache' })).statusCode, 403)
})
