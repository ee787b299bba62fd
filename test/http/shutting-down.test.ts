/** What callers are told while the service ends, on a clock that is moved by hand. */

import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startStack } from '../support/stack.ts'

const refusal = { status: 503, code: 'shutting_down' }

t.test('Retry-After is what is left until a successor can answer, spread a little', async t => {
  const clock = new FakeClock()
  const { get, service } = await startStack(t, { clock })
  service.unready(30_000)
  service.drain()
  for (const left of [30, 12, 0, 0]) {
    const told = new Set<number>()
    for (let index = 0; index < 20; index++) {
      const path = index % 2 ? '/readyz' : '/chats'
      const { retryAfter = 0 } = checkProblem(t, await read(get(path)), refusal)
      told.add(retryAfter)
    }
    // One of twenty draws being like all others has a chance of 1 in 500,000.
    t.ok(told.size > 1, 'those who obey do not return together')
    for (const seconds of told) {
      t.ok(seconds > left && seconds <= left + 3, `${seconds} s with ${left} s left`)
    }
    await clock.advance(18_000)
  }
})

t.test('what is stored is served until the end, stale if it has to be', async t => {
  const clock = new FakeClock()
  const { get, service, simulator } = await startStack(t, { clock })
  await read(get('/chats?limit=1'))
  await clock.advance(31_000)
  simulator.faultAll({ kind: 'hang' })
  service.unready(10_000)
  service.drain()
  const { status, headers } = await read(get('/chats?limit=1'))
  t.equal(status, 200)
  t.match(headers.get('cache-status'), /hit; ttl=-/)
  t.equal(headers.get('connection'), 'close')
})

t.test('once there is no more time, nothing is begun', async t => {
  const { get, service } = await startStack(t)
  service.unready(1_000)
  service.drain()
  service.abandon()
  for (const path of ['/chats', '/v1/chats', '/nowhere', '/healthz']) {
    checkProblem(t, await read(get(path)), refusal, path)
  }
})
