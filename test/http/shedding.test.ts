/**
 * What callers see of an overloaded service, on real sockets: the clock is moved whenever a request
 * comes in, as if each were so much work.
 */

import t, { type Test } from 'tap'
import { systemLoad } from '../../src/load.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type StackOptions, startStack, tokens } from '../support/stack.ts'

async function startOverloaded(t: Test, options: StackOptions = {}) {
  const clock = new FakeClock()
  const load = { ...systemLoad, busyMs: () => clock.now() }
  const stack = await startStack(t, { ...options, clock, load })
  // One in four is admitted.
  let waitMs = 400
  stack.service.app.server.on('request', () => clock.stall(waitMs))
  /** Asks until it is refused: few are not. */
  const refused = async (path: string, init?: RequestInit) => {
    for (let tries = 0; tries < 50; tries++) {
      const answer = await read(stack.get(path, init))
      if (answer.status === 503) return answer
    }
    throw new Error('nobody was refused')
  }
  await refused('/chats')
  const calm = () => {
    waitMs = 10
  }
  return { ...stack, refused, calm }
}

t.test('an overloaded service refuses in words, and says when to come back', async t => {
  const { refused, simulator } = await startOverloaded(t)
  const before = simulator.hits()
  const times = new Set<number>()
  for (const path of ['/chats?limit=3', '/v1/chats', '/nope', '/chats/1/messages']) {
    for (let turn = 0; turn < 10; turn++) {
      const answer = await refused(path, { headers: { authorization: 'Bearer nobody' } })
      const { retryAfter = 0 } = checkProblem(t, answer, { status: 503, code: 'overloaded' })
      times.add(retryAfter)
      t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      t.match(answer.headers.get('x-request-id'), /^[\w-]{1,64}$/)
    }
  }
  t.ok(times.size > 3, 'not all at the same time')
  t.equal(simulator.hits(), before)
})

t.test('whether it lives and is ready is answered all the same', async t => {
  const { url, service } = await startOverloaded(t)
  for (let turn = 0; turn < 10; turn++) {
    for (const path of ['/healthz', '/readyz', '/v1/healthz', '/readyz/', '/healthz?x']) {
      t.equal((await read(fetch(url + path))).status, 200, path)
    }
    t.equal((await service.admin.inject('/status')).statusCode, 200)
  }
})

t.test(
  'a refused caller keeps its connection and its request id, and a page reads why',
  async t => {
    const origin = 'https://desk.example.com'
    const { refused } = await startOverloaded(t, { env: { CORS_ORIGINS: origin } })
    const { headers } = await refused('/chats', { headers: { origin, 'x-request-id': 'mine-1' } })
    t.equal(headers.get('x-request-id'), 'mine-1')
    t.equal(headers.get('connection'), 'keep-alive')
    t.equal(headers.get('access-control-allow-origin'), origin)
    t.match(headers.get('access-control-expose-headers'), 'Retry-After')
    const foreign = await refused('/chats', { headers: { origin: 'https://evil.example' } })
    t.notOk(foreign.headers.has('access-control-allow-origin'))
    t.equal(foreign.headers.get('vary'), 'Origin')
  }
)

t.test('a secret in the path of who is refused is not repeated', async t => {
  const { refused } = await startOverloaded(t)
  const { body } = await refused(`/${tokens.green}`)
  t.notMatch(body, tokens.green)
})

t.test('refusals are logged', async t => {
  const { refused, lines } = await startOverloaded(t)
  const before = lines.length
  for (let turn = 0; turn < 5; turn++) await refused('/chats')
  const logged = lines.slice(before).filter(line => line.includes('"error":"overloaded"'))
  t.ok(logged.length >= 5)
  t.match(JSON.parse(logged[0]!), { status: 503, error: 'overloaded', reqId: String })
})

t.test(
  'an export is put off as long as there is too much, also if others are admitted',
  async t => {
    const { get } = await startOverloaded(t)
    for (let turn = 0; turn < 20; turn++) {
      t.equal((await read(get('/v1/chats/export?format=ndjson'))).status, 503)
    }
  }
)

t.test('once nobody waits any more everybody is answered', async t => {
  const { get, calm } = await startOverloaded(t)
  calm()
  let refused = 0
  // Two marks, at most 20 ms apart, until it is known.
  for (let turn = 0; turn < 10; turn++) {
    if ((await read(get('/healthz'))).status !== 200) refused++
  }
  for (let turn = 0; turn < 50; turn++) {
    if ((await read(get('/chats?limit=3'))).status !== 200) refused++
  }
  t.equal(refused, 0)
})

t.test('who comes while the service ends is told so, not that there is too much', async t => {
  const { get, service } = await startOverloaded(t)
  service.unready(5000)
  service.drain()
  for (let turn = 0; turn < 10; turn++) {
    const answer = await read(get(`/chats?offset=${turn}00`))
    t.not(JSON.parse(answer.body).code, 'overloaded')
  }
})
