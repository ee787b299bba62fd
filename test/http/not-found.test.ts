/**
 * 404 and 405: only the documented routes exist, in their one spelling; a known path says which
 * methods it takes. Whatever was asked, nothing of it goes upstream.
 */

import { METHODS } from 'node:http'
import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const notFound = { status: 404, code: 'not_found' }
const notAllowed = { status: 405, code: 'method_not_allowed' }

interface Asked {
  readonly method?: string
  readonly fields?: readonly string[]
  readonly body?: string
}

/** One request as team blue; also returns how many answers it got. */
async function ask(
  { url }: Stack,
  target: string,
  { method = 'GET', fields = [], body = '' }: Asked = {}
) {
  const lines = ['Host: x', `Authorization: Bearer ${tokens.blue}`, 'Connection: close', ...fields]
  const head = `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
  const { answers, rest } = await converse(url, head + body, { method })
  return { ...(answers[0] as Answer), count: answers.length, rest }
}

const nowhere = [
  '/nowhere',
  '/v1/nowhere',
  '/v2/chats',
  '/v1/v1/chats',
  '/chat',
  '/chatss',
  '//chats',
  '/chats//',
  '///',
  '/CHATS',
  '/Chats',
  '/V1/chats',
  '/./chats',
  '/../chats',
  '/v1/../chats',
  '/chats/.',
  '/chats/..',
  '/chats/%2e%2e/admin',
  '/chats%2f',
  '/chats%2F1',
  '/chats%3Flimit=1',
  '/chats%20',
  '/chats;x=1',
  '/;/chats',
  '/chats\\',
  '/customers',
  '/v1/agents',
  '/chats/1/assignee',
  '/chats/abc',
  '/metrics',
  '/status',
  '/cache',
  '/explain',
  '/events',
  '/.env',
  '/.git/config',
  '/package.json',
  '/healthz/x',
  '/constructor',
  '/__proto__',
  '/%5f%5fproto%5f%5f',
  '/toString',
  '*',
  'ftp://evil/chats',
  'http:///chats/x'
]

t.test('what is no route is 404, under any spelling, and costs no call', async t => {
  const stack = await startStack(t)
  for (const target of nowhere) {
    const answer = await ask(stack, target)
    t.same([answer.count, answer.rest], [1, ''])
    checkProblem(t, answer, notFound, target)
    t.equal(answer.headers.get('allow'), null)
  }
  t.equal(stack.simulator.hits(), 0)
})

t.test('writes and other routes of HelpCrunch are 404 and spend nothing', async t => {
  const stack = await startStack(t)
  const json = ['Content-Type: application/json', 'Content-Length: 14']
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const target of [
      '/customers',
      '/v1/customers',
      '/v1/chats/1/messages/2',
      '/chats/1/assignee'
    ]) {
      const answer = await ask(stack, target, { method, fields: json, body: '{"name":"Eve"}' })
      checkProblem(t, answer, notFound, `${method} ${target}`)
    }
  }
  t.equal(stack.simulator.hits(), 0)
})

/** CONNECT comes without a path, and is in protocol.test.ts. */
const otherMethods = METHODS.filter(method => !['GET', 'HEAD', 'CONNECT'].includes(method))

t.test('every other method on the list is 405 and says which are taken', async t => {
  const stack = await startStack(t)
  for (const method of otherMethods) {
    for (const target of ['/chats', '/v1/chats?limit=1', '/chats/']) {
      const answer = await ask(stack, target, { method })
      t.equal(answer.count, 1)
      checkProblem(t, answer, notAllowed, `${method} ${target}`)
      t.equal(answer.headers.get('allow'), 'GET, HEAD')
    }
  }
  t.equal(stack.simulator.hits(), 0)
})

const bodies: readonly { name: string; fields: readonly string[]; body: string }[] = [
  { name: 'JSON', fields: ['Content-Type: application/json', 'Content-Length: 2'], body: '{}' },
  { name: 'no JSON', fields: ['Content-Type: application/json', 'Content-Length: 3'], body: '{x}' },
  { name: 'empty JSON', fields: ['Content-Type: application/json', 'Content-Length: 0'], body: '' },
  { name: 'XML', fields: ['Content-Type: text/xml', 'Content-Length: 4'], body: '<a/>' },
  { name: 'junk', fields: ['Content-Type: ;;;', 'Content-Length: 1'], body: 'x' },
  { name: 'gzip', fields: ['Content-Encoding: gzip', 'Content-Length: 1'], body: 'x' },
  { name: 'chunks', fields: ['Transfer-Encoding: chunked'], body: '1\r\nx\r\n0\r\n\r\n' },
  { name: 'half of it', fields: ['Content-Length: 1000000000'], body: 'x' },
  { name: 'a large one', fields: ['Content-Length: 400000'], body: 'x'.repeat(400_000) }
]

t.test('a body does not decide what a wrong method or path is told', async t => {
  const stack = await startStack(t)
  for (const { name, fields, body } of bodies) {
    const onList = await ask(stack, '/chats', { method: 'POST', fields, body })
    checkProblem(t, onList, notAllowed, `POST /chats with ${name}`)
    const elsewhere = await ask(stack, '/nowhere', { method: 'PUT', fields, body })
    checkProblem(t, elsewhere, notFound, `PUT /nowhere with ${name}`)
  }
  t.equal(stack.simulator.hits(), 0)
})

const openPaths = {
  ...Object.fromEntries(
    ['/', '/healthz', '/readyz', '/openapi.yaml', '/docs', '/docs/static/x'].map(path => [
      path,
      'GET, HEAD'
    ])
  ),
  '/webhooks/helpcrunch': 'POST'
}

t.test(
  'the methods of the open routes are said to everybody, and are counted for nobody',
  async t => {
    for (const origins of ['', 'https://desk.example.com']) {
      const env = { WEBHOOK_SIGNING_KEY: 'any-key-of-the-hooks', CORS_ORIGINS: origins }
      const { url, ...stack } = await startStack(t, { env })
      for (const [path, allow] of Object.entries(openPaths)) {
        const wrong = allow === 'POST' ? ['GET', 'PUT', 'OPTIONS'] : ['POST', 'DELETE', 'OPTIONS']
        for (const target of [path, `/v1${path}`, `${path}?x=1`]) {
          for (const method of wrong) {
            const name = `${method} ${target}`
            const stranger = await read(fetch(url + target, { method }))
            checkProblem(t, stranger, notAllowed, name)
            t.equal(stranger.headers.get('allow'), allow, name)
            const known = await read(stack.get(target, { method }))
            t.same([known.status, known.headers.get('ratelimit')], [405, null], name)
          }
        }
      }
    }
  }
)

t.test('HEAD is told the same as GET, without a body', async t => {
  const stack = await startStack(t)
  const { status, rest, headers } = await ask(stack, '/nowhere', { method: 'HEAD' })
  t.same([status, rest], [404, ''])
  t.match(headers.get('content-type'), 'application/problem+json')
})

const sameRoute = [
  '/chats?limit=2',
  '/chats/?limit=2',
  '/v1/chats?limit=2',
  '/v1/chats/?limit=2',
  '/%63hats?limit=2',
  'http://evil.example/chats?limit=2',
  'HTTPS://evil.example:99/v1/chats?limit=2',
  'http://user:pw@evil/chats?limit=2'
]

t.test(
  'another spelling of the route is the route, and whose it claims to be counts for nothing',
  async t => {
    const stack = await startStack(t)
    const plain = await ask(stack, '/chats?limit=2')
    const hosts = [
      'Host: evil.example',
      'X-Forwarded-Host: evil.example',
      'Forwarded: host=evil.example'
    ]
    for (const target of sameRoute) {
      const answer = await ask(stack, target, { fields: hosts.slice(1) })
      t.same([answer.status, answer.body], [200, plain.body], target)
      t.match(answer.headers.get('cache-status'), /; hit; /, 'one key')
      t.notMatch(JSON.stringify([...answer.headers]), 'evil')
      const links = (answer.headers.get('link') ?? '').split(', ')
      t.same(
        links.filter(link => !link.startsWith('</')),
        [],
        'path-absolute'
      )
    }
    t.equal(stack.simulator.hits(), 1)
    const authority = new URL(stack.simulator.baseUrl).host
    t.same(
      stack.simulator.requests().map(({ headers }) => headers.host),
      [authority]
    )
  }
)

t.test('an absolute target keeps its prefix, and without a path is the root', async t => {
  const stack = await startStack(t)
  const { headers } = await ask(stack, 'http://evil.example/v1/chats?limit=2')
  t.match(headers.get('link'), /^<\/v1\/chats\?/)
  const root = await ask(stack, '/')
  for (const target of ['http://evil.example', 'http://evil.example/', 'http://evil?x=/chats']) {
    t.equal((await ask(stack, target)).body, root.body, target)
  }
  const wrong = await ask(stack, 'http://evil.example/chats', { method: 'POST' })
  checkProblem(t, wrong, notAllowed)
  t.equal(JSON.parse(wrong.body).instance, '/chats')
})

t.test('the path in a problem is a cut and encoded reference, never the query', async t => {
  const stack = await startStack(t)
  const answer = await ask(stack, `/a%20b/"<script>"/${'x'.repeat(3000)}?token=secret`)
  const { instance } = checkProblem(t, answer, notFound)
  t.match(instance, /^\/a%20b\/%22%3Cscript%3E%22\/x+$/)
  t.ok(instance.length < 300)
})

t.test('the directory names routes, docs and health', async t => {
  const stack = await startStack(t)
  for (const target of ['/', '/v1', '/v1/']) {
    const { status, body, headers } = await ask(stack, target)
    t.equal(status, 200)
    t.match(headers.get('content-type'), 'application/json')
    const named = JSON.parse(body)
    t.match(named, { routes: { chats: /chats/ }, docs: '/docs', health: Object })
    for (const path of [named.docs, named.openapi, ...Object.values<string>(named.health)]) {
      t.equal((await ask(stack, path)).status, 200, path)
    }
  }
})
