/**
 * `GET /chats` answered with 200: the simulator's own answer, whatever window is asked for, and the
 * headers that say where it came from and what else there is.
 */

import fc from 'fast-check'
import t from 'tap'
import type { Simulator } from '../../simulator/upstream.ts'
import { orders, sorts } from '../../src/chats/query.ts'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
import { apiKey, startStack, tokens } from '../support/stack.ts'

const chats = 435
const noLimits = { env: { UPSTREAM_LIMIT: '100000' }, upstream: { enforce: false } }

const lists = [undefined, ...sorts].flatMap(sort =>
  [undefined, ...orders].map(order => ({ sort, order }))
)

interface Window {
  readonly sort?: (typeof sorts)[number] | undefined
  readonly order?: (typeof orders)[number] | undefined
  readonly offset: number
  readonly limit: number
}

function search({ sort, order, offset, limit }: Window): string {
  const named = `${sort ? `sort=${sort}&` : ''}${order ? `order=${order}&` : ''}`
  return `?${named}offset=${offset}&limit=${limit}`
}

/** What the list holds there, each chat as the text that goes over the wire. */
function held({ store }: Simulator, { sort, order, offset, limit }: Window) {
  return store.page({ sort, order, offset, limit })
}

/** What is left of a body's `data` once these chats were found in it, in this order. */
function besides(body: string, items: readonly string[]): string {
  let at = body.indexOf('[') + 1
  let between = body.slice(0, at)
  for (const item of items) {
    const found = body.indexOf(item, at)
    if (found < 0) return `no ${item}`
    between += body.slice(at, found)
    at = found + item.length
  }
  return (between + body.slice(at)).replaceAll(/[\s,]/g, '')
}

t.test('every sort and order is answered as HelpCrunch itself answers', async t => {
  const { get, simulator } = await startStack(t, noLimits)
  const headers = { authorization: `Bearer ${apiKey}` }
  for (const list of lists) {
    const query = search({ ...list, offset: 30, limit: 100 })
    const own = await read(fetch(`${simulator.baseUrl}/chats${query}`, { headers }))
    for (const prefix of ['', '/v1']) {
      const ours = await read(get(`${prefix}/chats${query}`))
      t.equal(ours.status, 200)
      t.same(JSON.parse(ours.body), JSON.parse(own.body), `${prefix}/chats${query}`)
      t.equal(ours.body, own.body, 'as text, too')
    }
  }
})

t.test('any window holds the very bytes of its chats, whatever HelpCrunch puts around', async t => {
  for (const envelope of ['plain', 'extended', 'top'] as const) {
    const upstream = { ...noLimits.upstream, envelope }
    const { get, simulator } = await startStack(t, { ...noLimits, upstream })
    const window = fc.record({
      sort: fc.constantFrom(undefined, ...sorts),
      order: fc.constantFrom(undefined, ...orders),
      offset: fc.oneof(fc.nat(chats + 50), fc.constantFrom(0, 99, 100, chats - 1, chats, 2 ** 40)),
      limit: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(1, 99, 100, 101, 1000))
    })
    const skeleton = { plain: /^\{"data":\[\]/, extended: /\[\]\}$/, top: /"total":435\}$/ }
    const same = fc.asyncProperty(window, async window => {
      const { status, headers, body } = await read(get(`/chats${search(window)}`))
      const { items, total } = held(simulator, window)
      const rest = besides(body, items)
      return (
        status === 200 &&
        JSON.parse(body).data.length === items.length &&
        headers.get('x-total-count') === String(total) &&
        skeleton[envelope].test(rest)
      )
    })
    await holds(t, same, { numRuns: 60 })
  }
})

t.test('a window over several pages is whole and costs one call for each page', async t => {
  const { get, simulator } = await startStack(t)
  const window = { offset: 50, limit: 1000 }
  const { body, headers } = await read(get(`/chats${search(window)}`))
  t.equal(besides(body, held(simulator, window).items), '{"data":[]"meta":{"total":435}}')
  const targets = simulator.requests().map(({ target }) => target)
  const pages = [0, 100, 200, 300, 400].map(offset => `/v1/chats?offset=${offset}&limit=100`)
  t.same(targets.slice(0, 5), pages)
  t.match(headers.get('cache-status'), /^helpcrunch-proxy; fwd=uri-miss; fwd-status=200; stored$/)
})

const sameList: readonly (readonly [string, readonly string[]])[] = [
  ['?limit=100', ['', '?', '?offset=0', '?limit=100&offset=0', '?%6cimit=%3100', '?limit=100&']],
  [
    '?sort=chats.closedAt',
    ['?sort=chats%2EclosedAt', '?&sort=chats.closedAt&&', '?s%6Frt=chats.closedAt']
  ],
  ['?order=desc', ['?order=DESC', '?order=Desc', '?order=dES%43']],
  [
    '?sort=chats.createdAt&order=asc&limit=7&offset=20',
    [
      '?offset=20&order=ASC&limit=7&sort=chats.createdAt',
      '/?limit=7&offset=20&order=asc&sort=chats.createdAt'
    ]
  ]
]

t.test('one question in many spellings is one call, and the same bytes', async t => {
  for (const [first, others] of sameList) {
    const { get, simulator } = await startStack(t)
    const wanted = await read(get(`/chats${first}`))
    const calls = simulator.hits()
    for (const other of others) {
      const { body, headers } = await read(get(`/chats${other}`))
      t.equal(body, wanted.body, `/chats${other}`)
      t.match(headers.get('cache-status'), /^helpcrunch-proxy; hit; ttl=\d+$/)
    }
    t.equal(simulator.hits(), calls)
  }
})

t.test('an absent sort or order is a list of its own and stays absent upstream', async t => {
  const { get, simulator } = await startStack(t)
  for (const { sort, order } of lists)
    await read(get(`/chats${search({ sort, order, offset: 0, limit: 1 })}`))
  const targets = simulator.requests().map(({ target }) => target)
  const wanted = lists.map(list => `/v1/chats${search({ ...list, offset: 0, limit: 100 })}`)
  for (const target of wanted) t.ok(targets.includes(target), target)
  t.equal(new Set(wanted).size, 15)
})

t.test('upstream sees our key, and of the caller nothing', async t => {
  const { get, simulator } = await startStack(t)
  const theirs = {
    cookie: 'session=1',
    'x-forwarded-for': '10.0.0.1',
    'x-team': 'green',
    'user-agent': 'curious/1.0',
    referer: 'https://desk.example.com/',
    'x-http-method-override': 'DELETE'
  }
  await read(get('/chats?limit=1', { headers: theirs }))
  const [seen] = simulator.requests()
  t.equal(seen?.headers.authorization, `Bearer ${apiKey}`)
  const text = JSON.stringify(seen?.rawHeaders)
  for (const value of Object.values(theirs)) t.notOk(text.includes(value), value)
  t.equal(seen?.headers.host, new URL(simulator.baseUrl).host)
})

const unkeyed: readonly Record<string, string>[] = [
  { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
  { 'x-original-url': '/admin', 'x-rewrite-url': '/admin' },
  { 'x-http-method-override': 'DELETE', 'x-method-override': 'PUT' },
  { cookie: 'a=b', origin: 'https://evil.example' },
  { accept: 'text/html' },
  { accept: '*/*;q=0' },
  { accept: 'a/b,'.repeat(1500) },
  { range: 'bytes=0-5', 'if-range': '"x"' },
  { 'if-modified-since': 'Sat, 01 Jan 2050 00:00:00 GMT', 'if-unmodified-since': 'junk' },
  { 'content-type': 'application/json' },
  { 'accept-language': 'uk', te: 'trailers', prefer: 'respond-async; wait=banana' }
]

t.test('what is no part of the question changes neither the answer nor the cost', async t => {
  const { get, simulator } = await startStack(t)
  const plain = await read(get('/chats?limit=3'))
  const calls = simulator.hits()
  for (const headers of unkeyed) {
    const { status, body, headers: got } = await read(get('/chats?limit=3', { headers }))
    t.same([status, body], [200, plain.body], JSON.stringify(headers).slice(0, 80))
    t.equal(got.get('link'), plain.headers.get('link'))
  }
  t.equal(simulator.hits(), calls)
})

t.test('HEAD has the headers of GET and no body, from the same stored page', async t => {
  const { url, simulator } = await startStack(t, { clock: new FakeClock() })
  const ask = async (method: string) => {
    const request = `${method} /chats?limit=3 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokens.blue}\r\n`
    const { answers, rest } = await converse(url, `${request}Connection: close\r\n\r\n`, { method })
    return { headers: answers[0]?.headers ?? new Headers(), rest, body: answers[0]?.body }
  }
  const first = await ask('HEAD')
  t.equal(simulator.hits(), 1)
  const get = await ask('GET')
  const head = await ask('HEAD')
  t.equal(simulator.hits(), 1)
  t.same([first.rest, head.rest], ['', ''], 'no body')
  t.equal(Number(head.headers.get('content-length')), Buffer.byteLength(get.body ?? ''))
  const changing = ['date', 'x-request-id', 'ratelimit']
  const lasting = ({ headers }: { headers: Headers }) =>
    [...headers].filter(([name]) => !changing.includes(name))
  t.same(lasting(head), lasting(get))
})

t.test('all headers of a miss and of a hit', async t => {
  const clock = new FakeClock()
  const { get } = await startStack(t, { clock })
  const miss = await read(get('/chats?limit=50&offset=20'))
  await clock.advance(7_500)
  const hit = await read(get('/chats?limit=50&offset=20'))
  const field = (answer: Answer, name: string) => answer.headers.get(name) ?? ''
  t.equal(field(miss, 'cache-status'), 'helpcrunch-proxy; fwd=uri-miss; fwd-status=200; stored')
  t.equal(field(hit, 'cache-status'), 'helpcrunch-proxy; hit; ttl=22')
  t.same([field(miss, 'age'), field(hit, 'age')], ['0', '7'])
  t.match(field(miss, 'server-timing'), /^queue;dur=[\d.]+, upstream;dur=[\d.]+$/)
  t.equal(hit.headers.has('server-timing'), false)
  for (const answer of [miss, hit]) {
    t.equal(field(answer, 'cache-control'), 'private, max-age=30')
    t.match(field(answer, 'content-type'), /^application\/json\b/)
    t.match(field(answer, 'etag'), /^"[\x21\x23-\x7e]+"$/)
    t.match(field(answer, 'vary').toLowerCase(), 'accept-encoding')
    t.equal(field(answer, 'x-total-count'), '435')
    t.match(field(answer, 'x-request-id'), /^[\w-]{1,64}$/)
    t.match(field(answer, 'ratelimit-policy'), /^"[^"]+";q=6000;w=60$/)
    t.match(field(answer, 'ratelimit'), /^"[^"]+";r=599[89];t=\d+$/)
  }
  t.equal(field(hit, 'etag'), field(miss, 'etag'))
})

const links: readonly { path: string; wanted: Record<string, number> }[] = [
  { path: '/chats?limit=100', wanted: { first: 0, next: 100, last: 400 } },
  { path: '/v1/chats/?limit=100', wanted: { first: 0, next: 100, last: 400 } },
  { path: '/chats?limit=100&offset=200', wanted: { first: 0, prev: 100, next: 300, last: 400 } },
  { path: '/chats?limit=100&offset=400', wanted: { first: 0, prev: 300, last: 400 } },
  { path: '/chats?limit=435', wanted: { first: 0, last: 0 } },
  {
    path: '/chats?sort=chats.closedAt&order=DESC&limit=9',
    wanted: { first: 0, next: 9, last: 432 }
  }
]

t.test(
  'Link names first, prev, next and last, as paths that keep the prefix and the list',
  async t => {
    const { get } = await startStack(t)
    for (const { path, wanted } of links) {
      const asked = new URL(path, 'http://service')
      const { headers } = await read(get(path))
      const found = (headers.get('link') ?? '').split(', ').map(link => {
        const [, target = '', relation = ''] = /^<(.*)>; rel="(\w+)"$/.exec(link) ?? []
        t.match(target, /^\/(v1\/)?chats\?/, 'path-absolute')
        const { pathname, searchParams } = new URL(target, asked)
        t.equal(pathname, asked.pathname.replace(/\/$/, ''))
        t.equal(searchParams.get('sort'), asked.searchParams.get('sort'))
        t.equal(searchParams.get('order'), asked.searchParams.get('order')?.toLowerCase() ?? null)
        t.equal(searchParams.get('limit'), asked.searchParams.get('limit'))
        return [relation, Number(searchParams.get('offset'))]
      })
      t.same(Object.fromEntries(found), wanted, path)
    }
  }
)

t.test('following next from the first page reads every chat once', async t => {
  const { get, simulator } = await startStack(t)
  const ids: string[] = []
  let path: string | undefined = '/chats?sort=chats.createdAt&order=asc&limit=70'
  while (path) {
    const { body, headers }: Answer = await read(get(path))
    ids.push(
      ...[...body.matchAll(/(?:\{|\[)\s*"id"\s*:\s*(\d+)\s*,\s*"closedBy"/g)].map(
        match => match[1] ?? ''
      )
    )
    path = /<([^>]*)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]
  }
  t.equal(ids.length, chats)
  t.same(new Set(ids).size, simulator.store.size)
})

t.test('past the end there is nothing, the true total, and no call once it is known', async t => {
  const { get, simulator } = await startStack(t)
  const cold = await read(get('/chats?offset=5000&limit=10'))
  t.same(JSON.parse(cold.body), { data: [], meta: { total: chats } })
  const calls = simulator.hits()
  for (const offset of [435, 436, 999, 5000, 2 ** 50]) {
    const { status, body, headers } = await read(get(`/chats?offset=${offset}&limit=1000`))
    t.same([status, JSON.parse(body)], [200, { data: [], meta: { total: chats } }], `${offset}`)
    t.match(headers.get('cache-status'), /^helpcrunch-proxy; hit; ttl=\d+$/)
    t.equal(headers.get('x-total-count'), '435')
    t.notMatch(headers.get('link'), 'rel="next"')
  }
  t.equal(simulator.hits(), calls)
})

t.test('an empty list is an answer', async t => {
  const { get } = await startStack(t, { upstream: { chats: 0 } })
  const { status, body, headers } = await read(get('/chats'))
  t.same([status, JSON.parse(body)], [200, { data: [], meta: { total: 0 } }])
  t.equal(headers.get('x-total-count'), '0')
  t.notMatch(headers.get('link'), /rel="(next|prev)"/)
})

t.test('teams share what is stored', async t => {
  const { get, simulator } = await startStack(t)
  const blue = await read(get('/chats?limit=5'))
  const green = await read(
    get('/chats?limit=5', { headers: { authorization: `Bearer ${tokens.green}` } })
  )
  t.equal(green.body, blue.body)
  t.match(green.headers.get('cache-status'), 'hit')
  t.equal(simulator.hits(), 1)
})

t.test('a request id is kept if it is sane and replaced if not', async t => {
  const { get, lines } = await startStack(t)
  const idFor = async (given: string) => {
    const { headers } = await read(get('/chats?limit=1', { headers: { 'x-request-id': given } }))
    return headers.get('x-request-id') ?? ''
  }
  for (const sane of ['a', 'trace_01-B', 'x'.repeat(64)]) t.equal(await idFor(sane), sane)
  for (const bad of ['', 'a b', 'x'.repeat(65), '{"a":1}', 'é', 'a,b', '../..', 'a"b']) {
    const made = await idFor(bad)
    t.not(made, bad)
    t.match(made, /^[\w-]{1,64}$/, JSON.stringify(bad))
    t.ok(
      lines.some(line => JSON.parse(line).reqId === made),
      'stands in the log'
    )
  }
})

t.test('only what we mean to pass on comes down from HelpCrunch', async t => {
  const { get, simulator } = await startStack(t)
  const leaky = {
    'set-cookie': 'upstream=1',
    'x-leak': apiKey,
    server: 'nginx/secret',
    via: '1.1 somewhere',
    'cache-control': 'public, max-age=999999',
    'access-control-allow-origin': '*',
    link: '<https://api.helpcrunch.com>; rel="self"'
  }
  simulator.fault({ kind: 'headers', headers: leaky })
  const { headers } = await read(get('/chats?limit=1'))
  const text = JSON.stringify([...headers])
  for (const value of Object.values(leaky)) t.notOk(text.includes(value), value)
  t.equal(headers.get('x-leak'), null)
})
