/**
 * Which pages each documented event makes stale, as data: every event, with its id wherever it may
 * stand, against pages of every sort, those that hold the chat or the customer and those that do
 * not. And what then becomes of the pages.
 */

import t from 'tap'
import { sorts } from '../../src/chats/query.ts'
import { openSite, type Site } from '../support/webhooks.ts'

type List = '' | (typeof sorts)[number]

// Its minutes pass more slowly than ours.
const unlimited = { upstream: { chats: 300, enforce: false } }

const messages: readonly List[] = ['', 'chats.lastMessageAt', 'chats.lastCustomerMessageAt']
const chats: readonly List[] = [...messages, 'chats.closedAt']
const all: readonly List[] = ['', ...sorts]

/** The lists whose order an event can change, besides the pages that hold its chat or customer. */
const events: Readonly<Record<string, { of: 'chat' | 'customer'; lists: readonly List[] }>> = {
  ...about('chat', messages, [
    ...['message.chat.customer', 'message.email.customer', 'message.private'],
    ...['message.chat.agent', 'message.email.agent']
  ]),
  ...about('chat', chats, [
    ...['chat.status_updated', 'chat.assigned', 'chat.snoozed', 'chat.unsnoozed', 'chat.closed'],
    'chat.rated'
  ]),
  ...about('chat', all, ['chat.new']),
  ...about(
    'customer',
    [],
    [
      ...['customer.new', 'customer.email_updated', 'customer.tags_changed'],
      ...['customer.unsubscribed', 'customer.subscribed', 'customer.blocked'],
      ...['customer.unblocked', 'customer.deleted']
    ]
  )
}

function about(of: 'chat' | 'customer', lists: readonly List[], names: readonly string[]) {
  return Object.fromEntries(names.map(name => [name, { of, lists }] as const))
}

interface StoredPage {
  readonly list: List
  readonly path: string
  readonly chat: ReadonlySet<string>
  readonly customer: ReadonlySet<string>
}

/** Two pages of each sort; what they hold is asked of the upstream. */
function pagesOf({ simulator }: Site): StoredPage[] {
  const windows = all.flatMap(list => [0, 100].map(offset => ({ list, offset })))
  return windows.map(({ list, offset }) => {
    const name = list === '' ? {} : { sort: list, order: 'asc' as const }
    const { items } = simulator.store.page({
      ...{ sort: undefined, order: undefined, offset, limit: 100, ...name }
    })
    const chats: { id: number; customer: { id: number } }[] = items.map(item => JSON.parse(item))
    return {
      list,
      path: `/chats?${list && `sort=${list}&order=asc&`}offset=${offset}&limit=1`,
      chat: new Set(chats.map(({ id }) => String(id))),
      customer: new Set(chats.map(({ customer }) => String(customer.id)))
    }
  })
}

/** All pages as fresh as can be; nothing is left of what was before. */
async function store(site: Site, pages: readonly StoredPage[]): Promise<void> {
  await site.clock.advance(200_000_000)
  await Promise.all(pages.map(({ path }) => site.outcome(path)))
}

/** Which of the pages are stale, by their paths. */
async function staleOf(site: Site, pages: readonly StoredPage[]): Promise<string[]> {
  const stale: string[] = []
  for (const { path } of pages) if (await site.isStale(path)) stale.push(path)
  return stale
}

/** Where the id may stand; the first place is where it usually does. */
function placesOf(event: string, id: string): readonly unknown[] {
  const number = Number(id)
  if (event.startsWith('customer.')) return [{ id: number }, { id }, `{"id":"${id}"}`]
  const inMessage = [{ chat_id: number }, { chat_id: id }, `{"chat_id":${id}}`]
  if (event.startsWith('message.')) return inMessage
  const elsewhere = [{ id: number }, { id }, { chat: { id: number } }, { chat: { id } }]
  return [...inMessage, ...elsewhere, { chat_id: null, id: 'x', chat: { id } }]
}

/** In one event of each kind the id stands everywhere; in the others where it usually does. */
const thorough = new Set(['message.private', 'chat.closed', 'chat.new', 'customer.deleted'])

t.test('each event makes stale the lists it can change, and pages that hold its id', async t => {
  const site = await openSite(t, unlimited)
  const pages = pagesOf(site)
  const known = { chat: [...pages[2]!.chat][0]!, customer: [...pages[2]!.customer][0]! }
  for (const [event, { lists, of }] of Object.entries(events)) {
    for (const id of [known[of], '1']) {
      const places = placesOf(event, id)
      for (const data of thorough.has(event) ? places : places.slice(0, 1)) {
        await store(site, pages)
        t.equal((await site.event(event, data)).status, 200)
        const wanted = pages.filter(page => lists.includes(page.list) || page[of].has(id))
        const paths = wanted.map(({ path }) => path)
        t.strictSame(await staleOf(site, pages), paths, `${event} ${JSON.stringify(data)}`)
        t.ok(id === '1' || lists === all || paths.length > 2 * lists.length, 'some hold it')
      }
    }
  }
})

/** No id, or none that can be told from others. */
const without: readonly unknown[] = [
  ...[undefined, null, {}, [], 7, 'text', '"7"', true, { id: null }, { chat_id: {} }],
  ...[{ id: -1 }, { id: 1.5 }, { id: '1.0' }, { id: '' }, { id: ' 7' }, { id: [7] }],
  ...[{ id: 2 ** 53 }, { chat_id: true }, { chat: [] }, { chat: null }, { ID: 7 }],
  { id: '9'.repeat(31) }
]

for (const event of ['message.chat.agent', 'chat.rated', 'customer.deleted']) {
  t.test(`${event} without an id makes everything stale`, async t => {
    const site = await openSite(t, unlimited)
    const pages = pagesOf(site)
    for (const data of without) {
      await store(site, pages)
      await site.event(event, data)
      t.equal((await staleOf(site, pages)).length, pages.length, JSON.stringify(data))
    }
  })
}

t.test('an event that is none of these makes nothing stale', async t => {
  const site = await openSite(t)
  const pages = pagesOf(site)
  await store(site, pages)
  const unknown = ['', 'chat', 'chat.', 'CHAT.NEW', 'chat.new ', 'message', 'customer.merged', '*']
  for (const event of [...unknown, '__proto__', 'constructor', 'sort:', 'x'.repeat(1000)]) {
    t.equal((await site.event(event, { id: 1 })).status, 200)
  }
  t.strictSame(await staleOf(site, pages), [])
})

t.test('an id of more digits than a double holds is told apart as text', async t => {
  const site = await openSite(t)
  const text = await (await site.get('/chats?sort=chats.createdAt&order=asc')).text()
  const id = /"id"\s*:\s*(\d{16,})/.exec(text)?.[1] ?? ''
  t.match(id, /^9\d{15}$/)
  const other = `${id.slice(0, -1)}${Number(id.at(-1)) ^ 1}`
  t.equal(Number(other), Number(id), 'both are the same double, or nearly')
  await site.event('message.private', { chat_id: other })
  t.equal(await site.isStale('/chats?sort=chats.createdAt&order=asc'), text.includes(`${other},`))
  await site.event('message.private', { chat_id: id })
  t.equal(await site.isStale('/chats?sort=chats.createdAt&order=asc'), true)
})

t.test('the next reader waits as on a miss, and gets what is new', async t => {
  const site = await openSite(t)
  await site.get('/chats?limit=1')
  const { id } = site.simulator.store.create()
  await site.event('chat.new', { id: Number(id) })
  await site.clock.advance(1)
  const answer = await site.get('/chats?limit=1')
  t.match(answer.headers.get('cache-status'), 'fwd=stale; fwd-status=200; stored')
  t.ok(answer.headers.has('server-timing'))
  t.match(await answer.text(), new RegExp(`"id"\\s*:\\s*${id}\\b`))
})

t.test('and the old page only on error', async t => {
  const site = await openSite(t)
  const old = await (await site.get('/chats?limit=1')).text()
  await site.event('chat.new')
  await site.clock.advance(5000)
  site.simulator.faultAll({ kind: 'status', status: 500 })
  const answer = await site.get('/chats?limit=1')
  t.equal(
    answer.headers.get('cache-status'),
    'helpcrunch-proxy; hit; ttl=-5; detail=upstream_error'
  )
  t.equal(answer.headers.get('age'), '5')
  t.equal(await answer.text(), old)
})

t.test('or without budget', async t => {
  const site = await openSite(t, { env: { UPSTREAM_LIMIT: '1' } })
  const old = await (await site.get('/chats?limit=1')).text()
  await site.event('chat.new')
  await site.clock.advance(5000)
  const answer = await site.get('/chats?limit=1', { headers: { prefer: 'wait=0' } })
  t.match(answer.headers.get('cache-status'), 'hit; ttl=-5; detail=budget_exhausted')
  t.equal(await answer.text(), old)
  t.equal(site.simulator.hits(), 1)
})

t.test('events every 50 ms and readers as often cost a page one call in two seconds', async t => {
  const site = await openSite(t)
  await site.get('/chats')
  const [before, rounds] = [site.simulator.hits(), 200]
  for (let round = 0; round < rounds; round++) {
    await site.event('message.chat.customer', { chat_id: 1 })
    await site.clock.advance(25)
    t.equal((await site.get('/chats')).status, 200)
    await site.clock.advance(25)
  }
  const calls = site.simulator.hits() - before
  t.ok(calls >= 3 && calls <= 6, `${calls} calls in ten seconds`)
})

t.test('events make no calls: only who asks does', async t => {
  const site = await openSite(t)
  const pages = pagesOf(site)
  await store(site, pages)
  const before = site.simulator.hits()
  for (let round = 0; round < 100; round++) await site.event('chat.new')
  await site.clock.advance(5000)
  await (await fetch(`${site.url}/healthz`)).text()
  t.equal(site.simulator.hits(), before)
  await Promise.all(pages.slice(0, 3).map(({ path }) => site.get(path)))
  t.equal(site.simulator.hits(), before + 3)
})
