/**
 * The canaries: a key and tokens that are easy to find, a run over all that can be asked and go
 * wrong at the most talkative log level, and then the search. They may be nowhere but in the calls
 * to the upstream. And whatever a caller puts into a request, a log line is one line of JSON.
 */

import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Fault } from '../simulator/faults.ts'
import { startSimulator } from '../simulator/upstream.ts'
import { read } from './support/answers.ts'
import { adminToken, canaries, secrets, signingKey } from './support/canaries.ts'
import { startReadyChild } from './support/children.ts'
import { type Answer, converse } from './support/raw-socket.ts'
import { apiKey, startStack, tokens } from './support/stack.ts'

const known = `Authorization: Bearer ${tokens.blue}\r\n`

const percentEncoded = (text: string) =>
  [...text].map(character => `%${character.charCodeAt(0).toString(16)}`).join('')

/** A secret in every part of a request where a caller may have put it by mistake. */
const strayed = (secret: string): string[] => [
  ...[
    `/${secret}`,
    `/v1/${secret}/chats`,
    `/chats/${secret}`,
    `/docs/${secret}.css`,
    `/docs/static/${secret}`,
    `/${'x'.repeat(180)}${secret}`,
    `/${secret.toLowerCase()}`,
    `/${percentEncoded(secret)}`,
    `/${percentEncoded(secret)}/%zz`,
    `/${secret}/%zz`,
    `/${secret}%00`,
    `/${secret}/${'x'.repeat(9_000)}`,
    `/chats/?limit=1&offset=${secret}`,
    `/chats?limit=${'9'.repeat(50)}${secret}`,
    `/chats?${secret}`,
    `/chats?${secret}=1&${secret}=2`,
    `/chats?sort=${percentEncoded(secret)}`,
    `/chats?limit=1#${secret}`,
    `http://${secret}@x/${secret}`
  ].map(target => `GET ${target} HTTP/1.1\r\nHost: x\r\n${known}`),
  ...['DELETE', 'OPTIONS', 'TRACE'].map(
    method => `${method} /chats/${secret} HTTP/1.1\r\nHost: x\r\n${known}`
  ),
  ...[
    'X-Request-Id',
    'Request-Id',
    'traceparent',
    'Prefer',
    'Cache-Control',
    'If-None-Match',
    'Origin',
    'Accept',
    'Range',
    'X-Forwarded-For',
    'Authorization',
    secret
  ].map(name => `GET /chats?limit=2 HTTP/1.1\r\nHost: x\r\n${known}${name}: ${secret}\r\n`),
  ...['/chats/100001', '/chats/100001/messages', `/chats/${secret}/messages`].map(
    path => `GET ${path}?limit=${'x'.repeat(50)}${secret} HTTP/1.1\r\nHost: x\r\n${known}`
  ),
  ...[
    secret,
    `{"limit":"${'x'.repeat(50)}${secret}"}`,
    `{"filter":[{"field":"${secret}","operator":"=","value":"${secret}"}]}`,
    `{"${secret}":1e999999}`,
    `{"offset":${'9'.repeat(50)}"${secret}"}`,
    `{"sort":{"${secret}":"\\u0041"}}`
  ].map(
    body =>
      `POST /v1/chats/search?${secret} HTTP/1.1\r\nHost: x\r\n${known}` +
      `Content-Length: ${body.length}\r\nBody: ${body}\r\n`
  ),
  ...[
    `{"limit":"${'x'.repeat(50)}${secret}"}`,
    `{"filter":[{"field":"${secret}","operator":"=","value":"${secret}"}]}`
  ].map(
    body =>
      `POST /chats/search HTTP/1.1\r\nHost: x\r\n${known}Content-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\nBody: ${body}\r\n`
  ),
  `GET /chats HTTP/1.1\r\nHost: x\r\n${known}X-Request-Id: my-${secret}-1\r\n`,
  `GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${secret}\r\n`,
  `${secret} / HTTP/1.1\r\nHost: x\r\n`,
  `GET /chats HTTP/${secret}\r\nHost: x\r\n`,
  `GET /${secret} HTTP/1.1\r\nHost: x\r\nExpect: ${secret}\r\n`,
  ...[secret, `{"event":"${secret}","id":"${secret}","eventData":"${secret}"}`, `{"${secret}`].map(
    body =>
      `POST /webhooks/helpcrunch HTTP/1.1\r\nHost: x\r\nContent-Type: application/${secret}\r\n` +
      `X-HelpCrunch-Signature: ${createHmac('sha1', signingKey).update(body).digest('hex')}\r\n` +
      `Content-Length: ${body.length}\r\nBody: ${body}\r\n`
  )
]

/** Raw requests with secrets where they belong and where they do not. */
const requests: readonly string[] = [
  ...secrets.flatMap(strayed),
  ...[
    '/',
    '/healthz',
    '/readyz',
    '/openapi.yaml',
    '/docs',
    '/docs/json',
    '/v1',
    '/nowhere',
    '/chats/1',
    '/%zz'
  ].map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n${known}`),
  ...[
    '/chats',
    '/v1/chats?limit=3',
    '/chats?limit=0',
    '/chats?offset=9999',
    '/chats?sort=x&sort=y',
    '/chats?%zz'
  ].map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n${known}`),
  ...['POST', 'DELETE', 'TRACE', 'OPTIONS', 'HEAD'].map(
    method => `${method} /chats HTTP/1.1\r\nHost: x\r\n${known}`
  ),
  `GET /chats?token=${tokens.blue} HTTP/1.1\r\nHost: x\r\n${known}`,
  `GET /chats?access_token=${tokens.green}&key=${apiKey} HTTP/1.1\r\nHost: x\r\n`,
  `GET /chats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${apiKey}\r\n`,
  `GET /chats HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${Buffer.from(`x:${tokens.blue}`).toString('base64')}\r\n`,
  `GET /chats HTTP/1.1\r\nHost: x\r\n${known}${known}`,
  `GET /chats HTTP/1.1\r\nHost: x\r\nCookie: token=${tokens.blue}\r\nX-Api-Key: ${apiKey}\r\n`,
  `GET /chats HTTP/1.1\r\nHost: x\r\n${known}User-Agent: ${tokens.green}\r\nReferer: https://x/?token=${tokens.green}\r\n`,
  `GET /chats HTTP/1.1\r\nHost: x\r\n${known}Expect: ${tokens.blue}\r\n`,
  `GET /chats HTTP/1.1\r\nHost: ${tokens.blue}\r\nHost: x\r\n${known}`,
  `GET /chats HTTP/1.1\r\nHost: x\r\n${known}X-Broken : ${tokens.blue}\r\n`,
  `GET /chats HTTP/1.1\r\nHost: x\r\n${known}X-Long: ${tokens.blue.repeat(900)}\r\n`,
  `GET http://${tokens.blue}@x/chats HTTP/1.1\r\nHost: x\r\n${known}`,
  `CONNECT x:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Bearer ${tokens.blue}\r\n`
]

/** May echo the key, as a careless upstream would. */
const careless = { 'x-leak': apiKey, 'set-cookie': `key=${apiKey}` }

const faults: readonly Fault[] = [
  ...[400, 404, 500, 503].map(status => ({
    kind: 'status' as const,
    status,
    headers: careless
  })),
  {
    kind: 'status',
    status: 400,
    body: JSON.stringify({ errors: [{ code: apiKey, message: `no such key: ${apiKey}` }] })
  },
  { kind: 'html', status: 502 },
  { kind: 'body', body: `not JSON but ${apiKey}` },
  { kind: 'body', body: `{"data":"${apiKey}"}` },
  { kind: 'headers', headers: { 'x-leak': apiKey, etag: `"${apiKey}"`, link: `<${apiKey}>` } },
  { kind: 'redirect', to: `https://elsewhere.example/?key=${apiKey}` },
  {
    kind: 'raw',
    bytes: `HTTP/1.1 200 ${apiKey}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n`
  },
  { kind: 'raw', bytes: `${apiKey}\r\n` },
  { kind: 'unknownEncoding' },
  { kind: 'unknownEncoding', encoding: apiKey },
  { kind: 'truncated', framing: 'length' },
  { kind: 'resetBeforeBytes' },
  { kind: 'hang' },
  // Last, because after these we leave it in peace for a while.
  ...[401, 403, 429].map(status => ({ kind: 'status' as const, status, headers: careless }))
]

/** Everything that came back, in one text. */
async function runAll(url: string, fault: (fault: Fault) => void): Promise<string> {
  const told: Answer[] = []
  for (const request of requests) {
    const method = request.split(' ', 1)[0] ?? ''
    const body = /\r\nBody: (.*)\r\n/.exec(request)?.[1] ?? ''
    const head = request.replace(/Body: .*\r\n/, '')
    const { answers } = await converse(url, `${head}Connection: close\r\n\r\n${body}`, { method })
    told.push(...answers)
  }
  const headers = { authorization: `Bearer ${tokens.blue}` }
  for (const [index, one] of faults.entries()) {
    fault(one)
    const order = index % 2 ? 'asc' : 'desc'
    const path = `${index % 3 ? '' : '/v1'}/chats?order=${order}&offset=${100 * (index >> 1)}`
    told.push(await read(fetch(url + path, { headers })))
  }
  while (told.at(-1)?.status !== 429) told.push(await read(fetch(`${url}/nowhere`, { headers })))
  return told
    .map(({ status, headers, body }) => `${status} ${JSON.stringify([...headers])} ${body}`)
    .join('\n')
}

function search(t: Test, where: string, text: string): void {
  t.ok(text.length > 1_000, `${where}: there is something to search`)
  for (const canary of canaries) t.notOk(text.includes(canary), `${where}: ${canary.slice(0, 6)}…`)
}

const env = {
  LOG_LEVEL: 'trace',
  UPSTREAM_TIMEOUT_SECONDS: '0.2',
  QUEUE_MAX_WAIT_SECONDS: '0.2',
  UPSTREAM_LIMIT: '100000',
  TEAM_RATE_LIMIT: '500',
  ADMIN_TOKEN: adminToken,
  WEBHOOK_SIGNING_KEY: signingKey,
  CORS_ORIGINS: 'https://desk.example.com'
}

t.test('no secret is in any answer or log line', async t => {
  const { url, lines, simulator } = await startStack(t, { env, upstream: { chats: 2_000 } })
  const told = await runAll(url, fault => simulator.fault(fault))
  search(t, 'answers', told)
  search(t, 'log', lines.join(''))
  const calls = simulator.requests()
  t.ok(calls.length > 10)
  t.ok(calls.every(({ headers }) => headers.authorization === `Bearer ${apiKey}`))
  const beyond = calls.map(({ target, body, headers }) =>
    JSON.stringify([target, body, { ...headers, authorization: '' }])
  )
  for (const canary of canaries) t.notOk(beyond.join().includes(canary), 'nor elsewhere in a call')
})

t.test('no secret is in anything the real process prints', async t => {
  const simulator = await startSimulator({ chats: 2_000, apiKey })
  t.teardown(() => simulator.close())
  const child = await startReadyChild(t, {
    ...env,
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue},green=${tokens.green}:2`
  })
  const told = await runAll(child.url, fault => simulator.fault(fault))
  child.process.kill('SIGTERM')
  t.equal((await child.ended).code, 0)
  search(t, 'answers', told)
  search(t, 'output', child.stdout() + child.stderr())
  t.equal(child.stderr(), '')
})

const evil = [
  'a"b\\c',
  '{"level":60,"msg":"forged"}',
  '\x1b[31mred\x1b[0m',
  '\ttab',
  '%0d%0aX-Evil:%201',
  '\\r\\n{"forged":true}',
  "';DROP TABLE chats;--",
  '$\u007bjndi:ldap://x}',
  '<script>alert(1)</script>',
  '\u00e9\u00ff',
  '\xf0\x9f\x92\xa9',
  '\u0085x\u2028'.normalize(),
  '__proto__',
  '{"__proto__":{"x":1}}',
  'x'.repeat(7_000),
  '"'.repeat(3_000),
  '%s%d%j%o %c'
]

/** As bytes on the wire; what is no Latin 1 goes as UTF-8. */
const wire = (text: string) => Buffer.from(text).toString('latin1')

t.test('whatever a caller sends, each log line is one line of JSON, and short', async t => {
  const { url, lines } = await startStack(t, { env: { LOG_LEVEL: 'trace' } })
  for (const text of evil) {
    const value = wire(text)
    const inTarget = value.replaceAll(/[^\x21-\x7e]|#/g, 'X')
    for (const request of [
      `GET /chats?limit=1 HTTP/1.1\r\nHost: x\r\n${known}User-Agent: ${value}\r\n`,
      `GET /chats?limit=1 HTTP/1.1\r\nHost: x\r\n${known}X-Request-Id: ${value}\r\n`,
      `GET /chats?limit=1 HTTP/1.1\r\nHost: ${value}\r\n${known}`,
      `GET /chats?limit=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${value}\r\n`,
      `GET /chats?limit=${inTarget} HTTP/1.1\r\nHost: x\r\n${known}`,
      `GET /${inTarget} HTTP/1.1\r\nHost: x\r\n${known}`,
      `GET /chats?limit=1 HTTP/1.1\r\nHost: x\r\n${known}Prefer: ${value}\r\nIf-None-Match: ${value}\r\n`
    ]) {
      const { answers, rest } = await converse(url, `${request}Connection: close\r\n\r\n`)
      t.same([answers.length, rest], [1, ''])
      const [answer] = answers
      t.ok((answer?.status ?? 500) < 500, `${answer?.status}`)
      t.equal(answer?.headers.get('x-evil') ?? null, null)
      t.match(answer?.headers.get('x-request-id') ?? 'none', /^[\w-]{1,64}$/)
    }
  }
  t.ok(lines.length > evil.length)
  for (const line of lines) {
    t.equal(line.indexOf('\n'), line.length - 1, 'one line')
    t.ok(line.length < 2_000, 'cut')
    const parsed = JSON.parse(line)
    t.type(parsed.msg, 'string')
    t.notOk('forged' in parsed || parsed.level === 60)
    t.same(
      [...line.trimEnd()].filter(character => character < ' '),
      [],
      'no control characters'
    )
  }
  t.equal(Object.hasOwn(Object.prototype, 'x'), false)
})

t.test('nothing that comes from HelpCrunch can become a header or a line', async t => {
  const { get, simulator, lines } = await startStack(t, { env: { LOG_LEVEL: 'trace' } })
  const code = 'a\r\nX-Evil: 1\r\n\r\n{"forged":true}'
  const body = JSON.stringify({ errors: [{ code, message: code }] })
  simulator.fault({ kind: 'status', status: 400, body, headers: { 'retry-after': 'x' } })
  simulator.fault({
    kind: 'status',
    status: 500,
    headers: { 'content-type': 'x/y; "\\"forged\u00ff' }
  })
  simulator.fault({
    kind: 'raw',
    bytes: 'HTTP/1.1 200 OK\r\nX: a\rX-Evil: 1\r\ncontent-length: 0\r\n\r\n'
  })
  for (const offset of [0, 100, 200]) {
    const { status, headers } = await read(get(`/chats?offset=${offset}`))
    t.ok([400, 502].includes(status), `${status}`)
    t.equal(headers.get('x-evil'), null)
  }
  for (const line of lines) {
    t.equal(line.indexOf('\n'), line.length - 1)
    t.notOk('forged' in JSON.parse(line))
  }
})
