/**
 * If something stale may be served, it is, and none of 502, 503 and 504 is shown: each fault of the
 * upstream in front of a page that is old but usable, over real sockets.
 */

import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startStack } from '../support/stack.ts'

const faults: readonly Fault[] = [
  { kind: 'status', status: 401 },
  { kind: 'status', status: 403 },
  { kind: 'status', status: 429, headers: { 'retry-after': '99999999999' } },
  { kind: 'status', status: 500 },
  { kind: 'html', status: 502 },
  { kind: 'empty200' },
  { kind: 'invalidJson' },
  { kind: 'truncated', framing: 'length' },
  { kind: 'resetBeforeBytes' },
  { kind: 'resetMidBody' },
  { kind: 'redirect', to: 'http://127.0.0.1:1/' }
]

for (const fault of faults) {
  t.test(
    `behind ${fault.kind} ${'status' in fault ? fault.status : ''} the old page is served`,
    async t => {
      const clock = new FakeClock()
      const { get, simulator } = await startStack(t, { clock })
      const young = await get('/chats?limit=7')
      const body = await young.text()
      // Past the window in which a refresh would run behind the answer.
      await clock.advance(100_000)
      simulator.faultAll(fault)
      const old = await get('/chats?limit=7')
      t.equal(old.status, 200)
      t.equal(await old.text(), body)
      t.match(old.headers.get('cache-status'), /^helpcrunch-proxy; hit; ttl=-70; detail=upstream_/)
      t.equal(old.headers.get('age'), '100')
      t.equal(old.headers.get('cache-control'), 'private, max-age=30')
      t.equal(old.headers.get('etag'), young.headers.get('etag'))
    }
  )
}

t.test('a rejection is passed on even where something stale is there', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  await get('/chats')
  await clock.advance(100_000)
  simulator.faultAll({
    kind: 'status',
    status: 400,
    body: '{"errors":[{"code":"x","message":"y"}]}'
  })
  t.equal((await get('/chats')).status, 400)
})

t.test('directives are honoured: no-cache asks, only-if-cached does not', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const wanting = (directive: string) => get('/chats', { headers: { 'cache-control': directive } })
  t.equal((await wanting('only-if-cached')).status, 504)
  t.equal(simulator.hits(), 0)
  await get('/chats')
  await clock.advance(6000)
  t.match((await wanting('no-cache')).headers.get('cache-status'), /fwd=request/)
  t.match((await wanting('no-cache')).headers.get('cache-status'), /hit; ttl=30/)
  t.equal(simulator.hits(), 2)
})
