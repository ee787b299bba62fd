/**
 * Cross-origin requests: pages of the configured origins may read answers, others may not; without
 * configuration there is no CORS at all. A preflight needs no token; everything else does.
 */

import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const desk = 'https://desk.example.com'
const env = { CORS_ORIGINS: `${desk}, http://localhost:3000` }

const strangers = [
  'https://evil.example',
  'null',
  'https://desk.example.com.evil.example',
  'https://evil-desk.example.com',
  'https://desk.example.com:444',
  'http://desk.example.com',
  'https://DESK.example.com.',
  'https://sub.desk.example.com',
  'https://desk.example.com/',
  'https://deskXexample.com',
  '*',
  'https://desk.example.com http://localhost:3000'
]

const corsHeaders = (headers: Headers) =>
  [...headers.keys()].filter(name => name.startsWith('access-control-allow-'))

function preflight({ url }: Stack, path: string, origin: string, asked = 'GET') {
  return read(
    fetch(url + path, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': asked,
        'access-control-request-headers': 'authorization, if-none-match, prefer'
      }
    })
  )
}

t.test('pages of configured origins may read the answer and its headers', async t => {
  const { get } = await startStack(t, { env })
  for (const origin of [desk, 'http://localhost:3000']) {
    const { status, headers } = await read(get('/chats?limit=1', { headers: { origin } }))
    t.equal(status, 200)
    t.equal(headers.get('access-control-allow-origin'), origin)
    t.equal(headers.get('access-control-allow-credentials'), null)
    t.match(headers.get('vary'), /origin/i)
    t.match(headers.get('vary'), /accept-encoding/i)
    const exposed = (headers.get('access-control-expose-headers') ?? '').toLowerCase().split(/,\s*/)
    for (const name of [
      'etag',
      'link',
      'x-total-count',
      'cache-status',
      'retry-after',
      'x-request-id',
      'ratelimit'
    ]) {
      t.ok(exposed.includes(name), name)
    }
  }
})

t.test('pages of other origins may not, and are served from the same entry', async t => {
  const { get, simulator } = await startStack(t, { env })
  const { body } = await read(get('/chats?limit=1', { headers: { origin: desk } }))
  for (const origin of strangers) {
    const answer = await read(get('/chats?limit=1', { headers: { origin } }))
    t.same([answer.status, answer.body], [200, body], origin)
    t.same(corsHeaders(answer.headers), [], origin)
    t.match(answer.headers.get('vary'), /origin/i)
  }
  const { headers } = await read(get('/chats?limit=1'))
  t.match(headers.get('vary'), /origin/i, 'also for who has no origin: caches keep them apart')
  t.equal(simulator.hits(), 1)
})

t.test('a page can read errors as well', async t => {
  const stack = await startStack(t, { env })
  const answers = [
    await read(stack.get('/chats?limit=0', { headers: { origin: desk } })),
    await read(fetch(`${stack.url}/chats`, { headers: { origin: desk } })),
    await read(stack.get('/nowhere', { headers: { origin: desk } }))
  ]
  t.same(
    answers.map(({ status }) => status),
    [400, 401, 404]
  )
  for (const { headers } of answers) t.equal(headers.get('access-control-allow-origin'), desk)
})

t.test('a preflight is 204 without a token, and spends nothing of any team', async t => {
  const stack = await startStack(t, { env: { ...env, TEAM_RATE_LIMIT: '1' } })
  for (const path of ['/chats', '/v1/chats', '/chats?limit=5', '/']) {
    const { status, headers, body } = await preflight(stack, path, desk)
    t.same([status, body], [204, ''], path)
    t.equal(headers.get('access-control-allow-origin'), desk)
    t.match(headers.get('access-control-allow-methods'), 'GET')
    t.match(headers.get('access-control-allow-headers'), /authorization/i)
    t.match(headers.get('access-control-max-age'), /^\d+$/)
    t.match(headers.get('vary'), /origin/i)
    t.equal(headers.get('ratelimit'), null)
  }
  t.equal((await read(stack.get('/chats?limit=1'))).status, 200)
})

t.test('a preflight from elsewhere is allowed nothing', async t => {
  const stack = await startStack(t, { env })
  for (const origin of strangers) {
    const { status, headers } = await preflight(stack, '/chats', origin)
    t.ok(status < 500)
    t.equal(headers.get('access-control-allow-origin'), null, origin)
    t.equal(headers.get('access-control-allow-credentials'), null)
  }
})

/** OPTIONS that are no preflights, by what they lack. */
const notPreflights: readonly { name: string; headers: Record<string, string> }[] = [
  { name: 'neither origin nor method', headers: {} },
  { name: 'no method', headers: { origin: desk } },
  { name: 'no origin', headers: { 'access-control-request-method': 'GET' } }
]

t.test('any other OPTIONS is a method we do not have, and asks for a token', async t => {
  for (const origins of [env, {}]) {
    const stack = await startStack(t, { env: origins })
    for (const { name, headers } of notPreflights) {
      const method = 'OPTIONS'
      const stranger = await read(fetch(`${stack.url}/chats`, { method, headers }))
      checkProblem(t, stranger, { status: 401, code: 'unauthenticated' }, name)
      const known = await read(stack.get('/chats', { method, headers }))
      checkProblem(t, known, { status: 405, code: 'method_not_allowed' }, name)
      t.equal(known.headers.get('allow'), 'GET, HEAD')
      const nowhere = await read(
        stack.get('/nowhere', { method, headers, body: '{' } as RequestInit)
      )
      checkProblem(t, nowhere, { status: 404, code: 'not_found' }, name)
    }
  }
})

t.test('without CORS_ORIGINS there is no CORS', async t => {
  const stack = await startStack(t)
  const { headers } = await read(stack.get('/chats?limit=1', { headers: { origin: desk } }))
  t.same(
    [...headers.keys()].filter(name => name.startsWith('access-control')),
    []
  )
  t.notMatch(headers.get('vary'), /origin/i)
  const answer = await preflight(stack, '/chats', desk)
  checkProblem(t, answer, { status: 401, code: 'unauthenticated' })
  const known = {
    origin: desk,
    authorization: `Bearer ${tokens.blue}`,
    'access-control-request-method': 'GET'
  }
  const second = await read(fetch(`${stack.url}/chats`, { method: 'OPTIONS', headers: known }))
  t.equal(second.status, 405)
})
