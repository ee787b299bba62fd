/**
 * Cross-origin requests: pages of the configured origins may read answers, others may not; without
 * configuration there is no CORS at all. A preflight needs no token; everything else does.
 */

import t, { type Test } from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
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

/** Every kind of error, each as a page at `origin` would get it; by name. */
async function errorsFor(t: Test, origin: string): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>()
  const ask = async ({ get }: Stack, name: string, path: string, init: RequestInit = {}) => {
    const headers = { origin, ...(init.headers as object) }
    answers.set(name, await read(get(path, { ...init, headers })))
  }
  const send = async ({ url }: Stack, name: string, head: string) => {
    const { answers: got } = await converse(url, head.replace('ORIGIN', `Origin: ${origin}`), {
      answers: 1
    })
    if (got[0]) answers.set(name, got[0])
  }
  const usual = await startStack(t, { env })
  await ask(usual, '400 query', '/chats?limit=0')
  await ask(usual, '400 router', '/chats/%zz')
  await ask(usual, '401', '/chats', { headers: { authorization: 'Bearer wrong' } })
  await ask(usual, '404', '/nowhere')
  await ask(usual, '405', '/chats', { method: 'DELETE' })
  await ask(usual, '413', '/chats/search', { method: 'POST', body: ' '.repeat(70_000) })
  await ask(usual, '414', `/chats?${'x'.repeat(9_000)}`)
  await ask(usual, '504 not cached', '/chats', { headers: { 'cache-control': 'only-if-cached' } })
  await send(usual, '400 hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nORIGIN\r\n\r\n')
  await send(usual, '400 parser', 'GET / HTTP/1.1\r\nHost: a\r\nORIGIN\r\nbad header: 1\r\n\r\n')
  await send(usual, '417', 'GET / HTTP/1.1\r\nHost: a\r\nORIGIN\r\nExpect: x\r\n\r\n')
  const many = 'X-Y: z\r\n'.repeat(201)
  await send(usual, '431 many', `GET / HTTP/1.1\r\nHost: a\r\nORIGIN\r\n${many}\r\n`)
  const long = 'y'.repeat(20_000)
  await send(usual, '431 long', `GET / HTTP/1.1\r\nHost: a\r\nORIGIN\r\nX-Y: ${long}\r\n\r\n`)
  const limited = await startStack(t, { env: { ...env, TEAM_RATE_LIMIT: '1' } })
  await read(limited.get('/chats'))
  await ask(limited, '429', '/chats')
  const spent = await startStack(t, { env: { ...env, UPSTREAM_LIMIT: '1' } })
  await read(spent.get('/chats?order=asc'))
  await ask(spent, '503', '/chats')
  await ask(spent, '429 under v1', '/v1/chats')
  const refused = await startStack(t, { env })
  refused.simulator.faultAll({ kind: 'status', status: 401 })
  await ask(refused, '502', '/chats')
  refused.service.abandon()
  await ask(refused, '503 abandoned', '/chats')
  return answers
}

t.test('a page can read errors as well, also those that Node answers itself', async t => {
  const answers = await errorsFor(t, desk)
  t.equal(answers.size, 18)
  for (const [name, { body, headers, status }] of answers) {
    t.equal(`${status}`, name.slice(0, 3), name)
    t.equal(JSON.parse(body).status, status)
    t.equal(headers.get('access-control-allow-origin'), desk, name)
    t.match(headers.get('access-control-expose-headers'), /retry-after.*x-request-id/i, name)
    t.match(headers.get('vary'), /origin/i, name)
    t.equal(headers.get('access-control-allow-credentials'), null, name)
  }
})

t.test('a page of another origin can read none of them', async t => {
  const answers = await errorsFor(t, 'https://desk.example.com.evil.example')
  t.equal(answers.size, 18)
  for (const [name, { headers }] of answers) {
    t.same(corsHeaders(headers), [], name)
    t.match(headers.get('vary'), /origin/i, name)
  }
})

/** What a page may always read (Fetch standard, section 2.2.2). */
const safelisted = /^(cache-control|content-(language|length|type)|expires|last-modified|pragma)$/
/** What it has no use for: its browser has decoded the body. */
const undone = 'content-encoding'

t.test('whatever header the contract describes is exposed', async t => {
  const { get, service } = await startStack(t, { env })
  const { headers } = await read(get('/chats?limit=1', { headers: { origin: desk } }))
  const exposed = (headers.get('access-control-expose-headers') ?? '').toLowerCase().split(/,\s*/)
  const { paths } = JSON.parse(JSON.stringify(service.app.swagger())) as Described
  const responses = Object.values(paths).flatMap(operations =>
    Object.values(operations).flatMap(operation => Object.values(operation.responses))
  )
  const described = responses.flatMap(response => Object.keys(response.headers ?? {}))
  const names = new Set(described.map(name => name.toLowerCase()))
  t.ok(names.size > 14)
  t.same(
    [...names].filter(name => !safelisted.test(name) && !exposed.includes(name)),
    [undone]
  )
  t.notOk(exposed.includes('*'), 'by name: a wildcard leaves Authorization out')
})

interface Described {
  readonly paths: Record<
    string,
    Record<string, { readonly responses: Record<string, { readonly headers?: object }> }>
  >
}

t.test('a preflight is 204 without a token, and spends nothing of any team', async t => {
  const stack = await startStack(t, { env: { ...env, TEAM_RATE_LIMIT: '1' } })
  for (const path of ['/chats', '/v1/chats', '/chats?limit=5', '/']) {
    const { status, headers, body } = await preflight(stack, path, desk)
    t.same([status, body], [204, ''], path)
    t.equal(headers.get('access-control-allow-origin'), desk)
    t.match(headers.get('access-control-allow-methods'), 'GET')
    t.match(headers.get('access-control-allow-headers'), /authorization/i)
    t.equal(headers.get('access-control-max-age'), '7200', 'as long as browsers keep it')
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
