/**
 * 304: what `If-None-Match` names is still current. Same headers as the 200 would have, no body,
 * and no cheaper or dearer for the upstream than a 200.
 */

import t from 'tap'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { converse } from '../support/raw-socket.ts'
import { startStack, tokens } from '../support/stack.ts'

const other = '"AAAAAAAAAAAAAAAAAAAAAAAAAAA"'
const longList = Array.from({ length: 250 }, (_, index) => `"${index}-${'x'.repeat(24)}"`).join(
  ', '
)

/** `If-None-Match` for the current tag, and what it is to be answered with (RFC 9110, 13.1.2). */
const conditions: readonly { name: string; field: (tag: string) => string; status: number }[] = [
  { name: 'the tag', field: tag => tag, status: 304 },
  { name: 'the tag as a weak one', field: tag => `W/${tag}`, status: 304 },
  { name: 'any', field: () => '*', status: 304 },
  { name: 'a list that ends with the tag', field: tag => `${other}, W/"x" , ${tag}`, status: 304 },
  {
    name: 'a list of 8 kB that ends with the tag',
    field: tag => `${longList}, ${tag}`,
    status: 304
  },
  { name: 'another tag', field: () => other, status: 200 },
  { name: 'a list of 8 kB without the tag', field: () => longList, status: 200 },
  { name: 'the tag without its quotes', field: tag => tag.slice(1, -1), status: 200 },
  { name: 'a part of the tag', field: tag => `${tag.slice(0, -4)}"`, status: 200 },
  { name: 'the tag inside another', field: tag => `"x${tag.slice(1)}`, status: 200 },
  { name: 'nothing', field: () => '', status: 200 },
  { name: 'quotes only', field: () => '"'.repeat(4000), status: 200 },
  { name: 'junk', field: () => 'W/W/W/ ,,, "" "', status: 200 }
]

t.test('304 exactly where If-None-Match names what is current', async t => {
  const { get, simulator } = await startStack(t)
  const tag = (await read(get('/chats?limit=3'))).headers.get('etag') ?? ''
  const calls = simulator.hits()
  for (const { name, field, status } of conditions) {
    const headers = { 'if-none-match': field(tag) }
    const answer = await read(get('/chats?limit=3', { headers }))
    t.equal(answer.status, status, name)
    t.equal(answer.body === '', status === 304, `${name}: body`)
    t.equal(answer.headers.get('etag'), tag, `${name}: ETag`)
  }
  t.equal(simulator.hits(), calls)
})

t.test('a 304 has every header that helps a cache, and no content', async t => {
  const clock = new FakeClock()
  const { get } = await startStack(t, { clock, env: { CORS_ORIGINS: 'https://desk.example.com' } })
  const { headers: full } = await read(get('/chats?limit=3'))
  await clock.advance(4_000)
  const condition = { 'if-none-match': full.get('etag') ?? '' }
  const { status, headers, body } = await read(get('/chats?limit=3', { headers: condition }))
  t.same([status, body], [304, ''])
  for (const name of ['etag', 'cache-control', 'vary', 'link', 'x-total-count']) {
    t.equal(headers.get(name), full.get(name), name)
  }
  t.equal(headers.get('age'), '4')
  t.equal(headers.get('cache-status'), 'helpcrunch-proxy; hit; ttl=26')
  t.match(headers.get('vary'), /origin/i)
  t.match(headers.get('x-request-id'), /^[\w-]{1,64}$/)
  t.ok(headers.get('ratelimit'))
  t.equal(headers.get('content-type'), null)
})

t.test('after a 304 the connection is ready for the next request', async t => {
  const { get, url } = await startStack(t)
  const { headers } = await read(get('/chats?limit=3'))
  const head = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\n`
  const { answers, rest, end } = await converse(
    url,
    `GET /chats?limit=3 HTTP/1.1\r\n${head}If-None-Match: ${headers.get('etag')}\r\n\r\n` +
      `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
  )
  t.same(
    answers.map(({ status }) => status),
    [304, 200]
  )
  t.same([rest, end], ['', 'closed'])
})

t.test('HEAD is answered 304 as GET is', async t => {
  const { get } = await startStack(t)
  const { headers } = await read(get('/chats'))
  const condition = { 'if-none-match': headers.get('etag') ?? '' }
  const answer = await read(get('/chats', { method: 'HEAD', headers: condition }))
  t.equal(answer.status, 304)
})

t.test('a changed chat changes the tag, another window or list has another', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const tagOf = async (path: string) => (await read(get(path))).headers.get('etag') ?? ''
  const paths = [
    '/chats?limit=2',
    '/chats?limit=3',
    '/chats?limit=2&offset=1',
    '/chats?order=asc&limit=2'
  ]
  const tags = await Promise.all(paths.map(tagOf))
  t.equal(new Set(tags).size, paths.length)
  t.equal(await tagOf('/v1/chats?limit=2'), tags[0], 'the prefix is not part of the answer')

  simulator.store.create()
  const headers = { 'if-none-match': tags[0] ?? '', 'cache-control': 'no-cache' }
  await clock.advance(200_000_000)
  const answer = await read(get('/chats?limit=2', { headers }))
  t.equal(answer.status, 200)
  t.not(answer.headers.get('etag'), tags[0])
})

t.test('an error is an error, whatever If-None-Match names', async t => {
  const { get } = await startStack(t)
  const headers = { 'if-none-match': '*' }
  t.equal((await get('/chats?limit=0', { headers })).status, 400)
  t.equal((await get('/nowhere', { headers })).status, 404)
})
