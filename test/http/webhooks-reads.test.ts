/**
 * What signed events do to the reads beside the list: the chat, its messages and all searches are
 * fetched again by whoever asks next; what an event is not about stays as it is.
 */

import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { allChats } from '../support/held.ts'
import { startStack } from '../support/stack.ts'

const signingKey = 'webhook-canary-key-0123456789'
const env = { WEBHOOK_SIGNING_KEY: signingKey, UPSTREAM_LIMIT: '1000' }

const search = (body: string) => ({ path: '/chats/search', init: { method: 'POST', body } })
const get = (path: string) => ({ path, init: {} })

async function open(t: Test) {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env })
  const { simulator, url } = stack
  const chats = allChats(simulator).filter(({ messages }) => messages > 1)
  const chat = chats.find(({ id }) => BigInt(id) > 2n ** 53n)!
  const other = chats.find(({ customerId }) => customerId !== chat.customerId)!
  const questions = {
    chat: get(`/chats/${chat.id}`),
    messages: get(`/chats/${chat.id}/messages`),
    search: search('{"filter":[]}'),
    emptySearch: search('{"filter":[{"field":"chats.status","operator":"=","value":"no such"}]}'),
    otherChat: get(`/chats/${other.id}`),
    otherMessages: get(`/chats/${other.id}/messages`),
    created: get('/chats?sort=chats.createdAt&order=desc&limit=1')
  }
  type Name = keyof typeof questions
  const ask = (name: Name) => read(stack.get(questions[name].path, questions[name].init))
  const askAll = async () => {
    const names = Object.keys(questions) as Name[]
    const answers = names.map(async name => [name, await ask(name)] as const)
    return await Promise.all(answers)
  }
  let count = 0
  const event = async (event: string, eventData: unknown) => {
    const body = JSON.stringify({ event, eventData, id: `id-${count++}` })
    const signature = createHmac('sha1', signingKey).update(body).digest('hex')
    const headers = { 'x-helpcrunch-signature': signature }
    await fetch(`${url}/webhooks/helpcrunch`, { method: 'POST', body, headers })
  }
  /** Which of the questions cost a call after this event. */
  const staleAfter = async (name: string, eventData: unknown) => {
    await askAll()
    await clock.advance(3000)
    await event(name, eventData)
    await clock.advance(1)
    const answers = await askAll()
    const isStale = ({ headers }: { headers: Headers }) =>
      /; fwd=stale; fwd-status=200; stored/.test(headers.get('cache-status') ?? '')
    return answers.flatMap(([name, answer]) => (isStale(answer) ? [name] : []))
  }
  return { ...stack, clock, chat, other, ask, event, staleAfter }
}

const searches = ['search', 'emptySearch']
const ofTheChat = ['chat', 'messages', ...searches]

t.test('an event of a chat makes it, its messages and all searches stale', async t => {
  const { chat, staleAfter } = await open(t)
  for (const [name, data] of [
    ['chat.status_updated', { chat_id: chat.id }],
    ['chat.closed', { id: chat.id }],
    ['chat.rated', { chat: { id: chat.id } }],
    ['message.chat.customer', { chat_id: chat.id, id: 7 }],
    ['message.private', JSON.stringify({ chat_id: chat.id })]
  ] as const) {
    const stale = (await staleAfter(name, data)).filter(name => name !== 'created')
    t.same(stale, ofTheChat, name)
  }
})

t.test('an event of a customer makes searches and the chats of the customer stale', async t => {
  const { chat, staleAfter } = await open(t)
  t.same(await staleAfter('customer.tags_changed', { id: chat.customerId }), ['chat', ...searches])
  t.same(await staleAfter('customer.blocked', { id: 1 }), searches)
})

t.test('an event of another chat leaves this one as it is', async t => {
  const { other, staleAfter } = await open(t)
  const stale = await staleAfter('message.chat.agent', { chat_id: other.id })
  t.same(
    stale.filter(name => name !== 'created'),
    [...searches, 'otherChat', 'otherMessages']
  )
})

t.test('an unknown event changes nothing', async t => {
  const { chat, staleAfter } = await open(t)
  t.same(await staleAfter('chat.exploded', { id: chat.id }), [])
})

t.test('after an event the answer is the new one', async t => {
  const { ask, chat, clock, event, simulator } = await open(t)
  const before = [await ask('chat'), await ask('messages')]
  const { text = '', messages = 0 } = simulator.store.touch(chat.id) ?? {}
  t.same((await ask('chat')).body, before[0]?.body, 'not known yet')
  await clock.advance(1)
  await event('message.chat.customer', { chat_id: chat.id })
  t.equal((await ask('chat')).body, text)
  t.equal((await ask('messages')).headers.get('x-total-count'), String(messages))
  t.equal((await ask('messages')).headers.get('etag') === before[1]?.headers.get('etag'), false)
})

t.test('past the end of a thread that has grown is a question again', async t => {
  const { chat, clock, event, get, simulator } = await open(t)
  const past = `/chats/${chat.id}/messages?offset=${chat.messages}`
  t.equal(JSON.parse((await read(get(past))).body).data.length, 0)
  simulator.store.touch(chat.id)
  await clock.advance(1)
  await event('message.chat.customer', { chat_id: chat.id })
  t.equal(JSON.parse((await read(get(past))).body).data.length, 1)
})

t.test('a chat that was not there is asked for again once it is new', async t => {
  const { clock, event, get, simulator } = await open(t)
  t.equal((await get('/chats/100436')).status, 404)
  const { id } = simulator.store.create()
  t.equal((await get(`/chats/${id}`)).status, 404, 'as it was a moment ago')
  await clock.advance(1)
  await event('chat.new', { id })
  t.equal((await get(`/chats/${id}`)).status, 200)
})

t.test('while no newer one can be had, an event does not take the old one away', async t => {
  const { ask, chat, clock, event, simulator } = await open(t)
  const names = ['chat', 'messages', 'search'] as const
  const before = await Promise.all(names.map(ask))
  await clock.advance(3000)
  await event('chat.closed', { id: chat.id })
  simulator.faultAll({ kind: 'status', status: 500 })
  for (const [at, name] of names.entries()) {
    const { status, body, headers } = await ask(name)
    t.same([status, body], [200, before[at]?.body], name)
    t.match(headers.get('cache-status'), /hit; ttl=-?\d+; detail=upstream_error/)
  }
})
