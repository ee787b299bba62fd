/**
 * The simulator over HTTP: routes, envelopes, the strict window in virtual time, what is recorded,
 * and an end that leaves nothing open.
 */

import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { startSimulator } from '../../simulator/upstream.ts'
import { AUTHORIZATION, ask, started } from './client.ts'
import { receive } from './wire.ts'

t.test('the list answers with and without /v1 and a trailing slash', async t => {
  const simulator = await started(t)
  const { text } = await ask(simulator, '/v1/chats')
  for (const path of ['/chats', '/chats/', '/v1/chats/', '/v1/chats?', '/chats/?']) {
    t.equal((await ask(simulator, path)).text, text, path)
  }
})

t.test('the list is the chats of the page, byte for byte, 100 at most', async t => {
  const simulator = await started(t)
  const window = { sort: undefined, order: undefined, offset: 5, limit: 100 }
  const { items } = simulator.store.page(window)
  for (const limit of ['', '&limit=100', '&limit=1000']) {
    const { text, headers } = await ask(simulator, `/v1/chats?offset=5${limit}`)
    t.equal(text, `{"data":[${items.join()}],"meta":{"total":250}}`)
    t.equal(headers.get('content-type'), 'application/json')
  }
})

t.test('the extended envelope holds the same chats and something unknown', async t => {
  const simulator = await started(t, { envelope: 'extended' })
  const { text } = await ask(simulator, '/v1/chats?limit=2')
  const { items } = simulator.store.page({
    sort: undefined,
    order: undefined,
    offset: 0,
    limit: 2
  })
  t.match(JSON.parse(text), { links: {}, meta: { total: 250, took: 3 } })
  t.ok(items.every(item => text.includes(item)))
})

t.test('one chat comes bare, its messages with the total at the top', async t => {
  const simulator = await started(t)
  t.equal((await ask(simulator, '/v1/chats/100001/')).text, simulator.store.get('100001')?.text)
  const messages = await ask(simulator, '/chats/100001/messages?offset=1&limit=2')
  const { items, total } = simulator.store.messages('100001', 1, 2)!
  t.equal(messages.text, `{"data":[${items.join()}],"total":${total}}`)
})

t.test('a search takes JSON under any content type', async t => {
  const simulator = await started(t)
  const filter = [{ field: 'chats.status', operator: '=', value: 'closed' }]
  const body = Buffer.from(JSON.stringify({ filter, limit: 3 }))
  const search = (headers: Record<string, string>) =>
    ask(simulator, '/v1/chats/search/', {
      method: 'POST',
      body,
      headers: { ...AUTHORIZATION, ...headers }
    })
  const { text } = await search({})
  t.match(JSON.parse(text), { data: [{ status: 'closed' }, {}, {}], meta: { total: Number } })
  for (const type of ['text/plain', 'application/json', 'image/png']) {
    t.equal((await search({ 'content-type': type })).text, text, type)
  }
})

t.test('a search may be wrapped otherwise than the list', async t => {
  const simulator = await started(t, { searchEnvelope: 'top' })
  const { text } = await ask(simulator, '/chats/search', { method: 'POST', body: '{"filter":[]}' })
  t.match(JSON.parse(text), { meta: undefined, total: 250 })
  t.match(JSON.parse((await ask(simulator, '/chats')).text), { meta: { total: 250 } })
})

t.test('the next page shows a change of the store', async t => {
  const simulator = await started(t)
  const { id } = simulator.store.create()
  t.match(JSON.parse((await ask(simulator, '/chats')).text), { meta: { total: 251 } })
  t.equal((await ask(simulator, `/chats/${id}`)).status, 200)
})

t.test('the request after the limit is refused until a window has passed since', async t => {
  let now = 0
  const simulator = await started(t, { limit: 2, windowSeconds: 60, now: () => now })
  const statusAt = async (seconds: number) => {
    now = seconds * 1_000
    return (await ask(simulator, '/chats?limit=1')).status
  }
  const statuses = []
  // At 60 the first is gone, but the one refused at 59.9 counts; at 120 the one at 60 is just gone.
  for (const at of [0, 30, 59.9, 60, 120, 120.5]) statuses.push(await statusAt(at))
  t.same(statuses, [200, 200, 429, 429, 200, 200])
  t.equal(simulator.hits(), 6)
  t.equal(simulator.largestWindow(), 3)
})

t.test('every request counts: refused, unknown, unauthorised and faulty ones', async t => {
  const simulator = await started(t, { limit: 4, now: () => 0 })
  simulator.fault({ kind: 'status', status: 500 })
  for (const path of ['/chats', '/nowhere', '/chats?limit=x', '/chats', '/chats']) {
    await ask(simulator, path, path === '/nowhere' ? { headers: {} } : {})
  }
  t.same(
    simulator.arrivals().map(({ method, target, status }) => [method, target, status]),
    [
      ['GET', '/chats', 500],
      ['GET', '/nowhere', 401],
      ['GET', '/chats?limit=x', 400],
      ['GET', '/chats', 200],
      ['GET', '/chats', 429]
    ]
  )
})

t.test('without enforcement the limit is only counted', async t => {
  const simulator = await started(t, { limit: 1, enforce: false })
  for (let call = 0; call < 3; call += 1) t.equal((await ask(simulator, '/chats')).status, 200)
  t.equal(simulator.largestWindow(), 3)
  simulator.reset()
  t.same([simulator.hits(), simulator.largestWindow()], [0, 0])
})

t.test('arrival is the moment of the head, before latency and body', async t => {
  let now = 5
  const simulator = await started(t, { latencyMs: 30, jitterMs: 10, now: () => now })
  const from = performance.now()
  const asked = ask(simulator, '/chats')
  while (simulator.hits() === 0) await new Promise(setImmediate)
  now = 99
  await asked
  t.ok(performance.now() - from >= 29)
  t.match(simulator.arrivals(), [{ at: 5 }])
})

t.test('what the latest requests carried can be read', async t => {
  const simulator = await started(t)
  const headers = { ...AUTHORIZATION, 'x-team': 'blue' }
  await ask(simulator, '/chats/search', { method: 'POST', body: '{"filter":[]}', headers })
  const [seen] = simulator.requests()
  t.match(seen, { method: 'POST', target: '/chats/search', headers, body: '{"filter":[]}' })
  t.ok(seen?.rawHeaders.includes('x-team'))
})

t.test('closing ends hanging, stalled, dripping and delayed answers at once', async t => {
  const simulator = await startSimulator({ chats: 1 })
  const faults: readonly Fault[] = [
    { kind: 'hang' },
    { kind: 'stallMidBody' },
    { kind: 'dripBody' },
    { kind: 'delay', ms: 60_000 },
    { kind: 'raw', bytes: 'HTTP', close: false },
    { kind: 'bodyOfBytes', bytes: 2 ** 40 }
  ]
  simulator.fault(...faults)
  const received = faults.map(() => receive(simulator.port))
  while (simulator.hits() < faults.length) await new Promise(setImmediate)
  const from = performance.now()
  await simulator.close()
  const ends = (await Promise.all(received)).map(({ end }) => end)
  t.ok(performance.now() - from < 500)
  t.notOk(ends.includes('open'))
  await t.rejects(fetch(simulator.baseUrl))
  await simulator.close()
  t.notOk(process.getActiveResourcesInfo().includes('TCPServerWrap'))
})
