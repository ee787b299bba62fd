/**
 * `GET /chats/{id}`: the bare chat, whatever its id; what is no id goes nowhere; and that there is
 * no such chat is an answer too, remembered for a moment.
 */

import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { allChats, direct, longestChat } from '../support/held.ts'
import { converse } from '../support/raw-socket.ts'
import { startStack, tokens } from '../support/stack.ts'

const absent = { status: 404, code: 'chat_not_found' }
const unlimited = {
  env: { UPSTREAM_LIMIT: '100000', TEAM_RATE_LIMIT: '0' },
  upstream: { enforce: false }
}

t.test('every chat is the bytes that HelpCrunch sends, also with an id beyond 2^53', async t => {
  const { get, simulator } = await startStack(t, unlimited)
  const chats = allChats(simulator)
  const others: string[] = []
  for (const { id, text } of chats) {
    const { status, body } = await read(get(`/chats/${id}`))
    if (status !== 200 || body !== text) others.push(id)
  }
  t.same(others, [])
  t.equal(simulator.hits(), chats.length)
  const large = chats.filter(({ id }) => BigInt(id) > 2n ** 53n)
  t.ok(large.length > 3, `${large.length} of ${chats.length} have a large id`)
  for (const { id } of large) {
    const ours = await read(get(`/v1/chats/${id}/`))
    t.equal(ours.body, (await direct(simulator, `/chats/${id}`)).body)
  }
})

t.test('ids that a double cannot tell apart are different chats', async t => {
  const { get, simulator } = await startStack(t)
  const id = allChats(simulator).find(({ id }) => BigInt(id) > 2n ** 53n)?.id ?? ''
  t.equal((await get(`/chats/${id}`)).status, 200)
  const neighbour = String(BigInt(id) + 1n)
  checkProblem(t, await read(get(`/chats/${neighbour}`)), absent)
  t.equal(simulator.hits(), 2)
})

t.test('leading zeros are the same chat', async t => {
  const { get, simulator } = await startStack(t)
  const { id, text } = longestChat(simulator)
  for (const spelled of [id, `0${id}`, id.padStart(30, '0')]) {
    t.equal((await read(get(`/chats/${spelled}`))).body, text, spelled)
  }
  t.same(
    simulator.requests().map(({ target }) => target),
    [`/v1/chats/${id}`]
  )
  checkProblem(t, await read(get('/chats/000')), absent)
  t.equal(simulator.requests().at(-1)?.target, '/v1/chats/0')
})

/** In place of an id. */
const noIds = [
  'abc',
  '-5',
  '+5',
  '5.0',
  '5e0',
  '0x5',
  '5,6',
  '5;6',
  '5n',
  'null',
  'constructor',
  '__proto__',
  '.',
  '..',
  '...',
  '%2e%2e',
  '5%2e%2e',
  '5%2f..%2f6',
  '%31',
  '1%30',
  '%35%36',
  '%205',
  '5%20',
  '5%0a',
  '5%0d%0aX-Evil:%201',
  '5%00',
  '%EF%BC%91',
  '%D9%A5',
  '%F0%9D%9F%8F',
  '５',
  '5%3Fa=1',
  '5%23',
  '9'.repeat(31),
  '0'.repeat(31),
  '9'.repeat(3000),
  '*',
  '{id}',
  ':id',
  'exports',
  ' 5'
]

t.test('what is not all digits is 400 or 404, and costs no call', async t => {
  const { url, simulator } = await startStack(t)
  for (const bad of noIds) {
    for (const path of [`/chats/${bad}`, `/v1/chats/${bad}/messages`]) {
      const fields = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\nConnection: close\r\n`
      const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\n${fields}\r\n`)
      const [answer] = (await converse(url, bytes)).answers
      const { status = 0, body = '' } = answer ?? {}
      t.ok([400, 404, 414].includes(status), `${path.slice(0, 60)}: ${status}`)
      checkProblem(t, answer!, { status, code: JSON.parse(body).code })
      t.not(JSON.parse(body).code, absent.code)
    }
  }
  const headers = { authorization: `Bearer ${tokens.blue}` }
  for (const path of [
    '/chats//',
    '/chats//messages',
    '/chats/5//messages',
    '/chats/5/messages/1'
  ]) {
    const answer = await read(fetch(url + path, { headers }))
    checkProblem(t, answer, { status: 404, code: 'not_found' }, path)
  }
  t.equal(simulator.hits(), 0)
})

t.test('30 digits are an id like any other', async t => {
  const { get, simulator } = await startStack(t)
  checkProblem(t, await read(get(`/chats/${'9'.repeat(30)}`)), absent)
  t.equal(simulator.requests()[0]?.target, `/v1/chats/${'9'.repeat(30)}`)
})

for (const errorShape of ['new', 'old'] as const) {
  t.test(`that there is no such chat is said in our words (${errorShape})`, async t => {
    const { get } = await startStack(t, { upstream: { errorShape } })
    for (const path of [
      '/chats/7',
      '/v1/chats/7/messages',
      '/chats/7/messages?offset=300&limit=5'
    ]) {
      const answer = await read(get(path))
      const { errors } = checkProblem(t, answer, absent, path)
      t.match(errors, [{ code: 'chat_not_found', message: /no chat/ }])
      for (const name of ['etag', 'age', 'link', 'x-total-count']) {
        t.equal(answer.headers.get(name), null, name)
      }
    }
    const head = await read(get('/chats/7', { method: 'HEAD' }))
    t.same([head.status, head.body], [404, ''])
    t.equal((await get('/chats/7', { headers: { 'if-none-match': '*' } })).status, 404)
  })
}

for (const path of ['/chats/7', '/chats/7/messages']) {
  t.test(`that ${path} is not there is remembered for five seconds`, async t => {
    const clock = new FakeClock()
    const { get, simulator } = await startStack(t, { clock })
    const ask = async () => checkProblem(t, await read(get(path)), absent)
    await ask()
    await clock.advance(4900)
    await ask()
    t.equal(simulator.hits(), 1)
    await clock.advance(200)
    await ask()
    t.equal(simulator.hits(), 2)
    const cached = { headers: { 'cache-control': 'only-if-cached' } }
    checkProblem(t, await read(get(path, cached)), absent)
    await clock.advance(5001)
    checkProblem(t, await read(get(path, cached)), { status: 504, code: 'not_cached' })
    t.equal(simulator.hits(), 2)
  })
}

t.test('where nothing is kept for long, neither is that', async t => {
  const clock = new FakeClock()
  const env = { CACHE_FRESH_SECONDS: '1' }
  const { get, simulator } = await startStack(t, { clock, env })
  await get('/chats/7')
  await clock.advance(1001)
  await get('/chats/7')
  t.equal(simulator.hits(), 2)
})

t.test('a 404 removes what was kept, also what is only kept for bad times', async t => {
  for (const what of ['', '/messages', '/messages?offset=3&limit=5']) {
    for (const ageMs of [91_000, 100_000, 3_600_000]) {
      const clock = new FakeClock()
      const { get, simulator } = await startStack(t, { clock })
      const { id } = longestChat(simulator)
      const path = `/chats/${id}${what}`
      t.equal((await get(path)).status, 200)
      simulator.store.remove(id)
      await clock.advance(ageMs)
      checkProblem(t, await read(get(path)), absent, path)
      simulator.faultAll({ kind: 'status', status: 500 })
      checkProblem(t, await read(get(path)), absent, path)
      await clock.advance(6000)
      t.equal((await get(path)).status, 502, 'nothing old is left')
    }
  }
})

t.test('a refresh behind a stale chat that finds none leaves none', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const { id } = longestChat(simulator)
  await get(`/chats/${id}`)
  simulator.store.remove(id)
  await clock.advance(31_000)
  t.equal((await get(`/chats/${id}`)).status, 200)
  let status = 200
  for (let tries = 0; tries < 1000 && status === 200; tries++) {
    status = (await read(get(`/chats/${id}`))).status
  }
  t.equal(status, 404)
  t.equal(simulator.hits(), 2)
})

t.test('who comes back is found again', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const { id, text } = longestChat(simulator)
  simulator.fault({ kind: 'status', status: 404 })
  t.equal((await get(`/chats/${id}`)).status, 404)
  await clock.advance(5001)
  t.equal((await read(get(`/chats/${id}`))).body, text)
})

const notChats = [
  '{}',
  '{"data":[],"meta":{"total":0}}',
  '[{"id":1}]',
  '[]',
  'null',
  '7',
  '"x"',
  ''
]

t.test('a 200 that is no chat is 502, and kept by nobody', async t => {
  const { get, simulator } = await startStack(t)
  for (const body of notChats) {
    simulator.fault({ kind: 'body', body })
    const invalid = { status: 502, code: 'upstream_invalid_response' }
    checkProblem(t, await read(get(`/chats/${longestChat(simulator).id}`)), invalid, body)
  }
  t.equal((await get(`/chats/${longestChat(simulator).id}`)).status, 200)
  t.equal(simulator.hits(), notChats.length + 1)
})
