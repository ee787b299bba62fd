/** What the log says of a request, and how little one caller can make it say. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Random } from '../../simulator/random.ts'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { converse } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const asBlue = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\nConnection: close\r\n\r\n`

/** An upstream that has no chats and remembers what it was sent. */
async function startEcho(t: Test) {
  const requests: object[] = []
  const server = createServer(({ headers, url }, response) => {
    requests.push({ headers, url })
    response.setHeader('content-type', 'application/json').end('{"data":[],"meta":{"total":0}}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` }
}

/** The line of a request; it is written once the reply has been sent. */
async function lineOf(t: Test, { url, lines }: Stack, head: string) {
  const { answers } = await converse(url, head)
  t.equal(answers.length, 1, head.slice(0, 40))
  const id = answers[0]?.headers.get('x-request-id')
  const own = () => lines.map(line => JSON.parse(line)).filter(({ reqId }) => reqId === id)
  while (own().length === 0) await read(fetch(`${url}/healthz`))
  t.equal(own().length, 1, 'one line')
  return own()[0]
}

t.test('a line names the route, and the path only where that says more', async t => {
  const stack = await startStack(t)
  const rows: [target: string, wanted: object][] = [
    ['/chats?limit=1', { route: '/chats', path: undefined, status: 200, team: 'blue' }],
    ['/v1/chats/?limit=1', { route: '/v1/chats', path: undefined, status: 200 }],
    ['/chats?limit=0', { route: '/chats', path: undefined, error: 'invalid_query' }],
    ['/nowhere/at/all?x=1', { route: undefined, path: '/nowhere/at/all', error: 'not_found' }],
    [`/${'x'.repeat(300)}`, { route: undefined, path: `/${'x'.repeat(199)}` }],
    [`/%zz?${'x'.repeat(300)}`, { route: undefined, path: '/%zz', error: 'bad_request' }]
  ]
  for (const [target, wanted] of rows) {
    const line = await lineOf(t, stack, `GET ${target} HTTP/1.1\r\n${asBlue}`)
    t.match(line, { method: 'GET', ms: Number, msg: 'request', ...wanted }, target.slice(0, 40))
    t.notMatch(JSON.stringify(line), '?')
  }
})

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const good = `00-${traceId}-${parentId}-01`

t.test('a valid traceparent is continued into the line, and not to HelpCrunch', async t => {
  const upstream = await startEcho(t)
  const stack = await startStack(t, { env: { HELPCRUNCH_BASE_URL: upstream.url } })
  const rows: [headers: string, wanted: object][] = [
    [`traceparent: ${good}`, { traceId, parentId }],
    [`traceparent: ${good}\r\ntracestate: a=1`, { traceId, parentId }],
    [`traceparent:  00-${traceId}-${parentId}-ff `, { traceId, parentId }],
    [`traceparent: cc-${traceId}-${parentId}-01-what-will-be`, { traceId, parentId }],
    ...[
      ...[`ff${good.slice(2)}`, `${good}-more`, `${good}0`, good.slice(1), good.toUpperCase(), ''],
      ...[
        `00-${'0'.repeat(32)}-${parentId}-01`,
        `00-${traceId}-${'0'.repeat(16)}-01`,
        'x'.repeat(5e3)
      ],
      ...[`cc-${traceId}-${parentId}-01x`, `${good}, ${good}`, `${good}\r\ntraceparent: ${good}`],
      ...[`00-${traceId}-${parentId}-01"}`, `00-${traceId.replace('4', 'g')}-${parentId}-01`]
    ].map((value): [string, object] => [
      `traceparent: ${value}`,
      { traceId: undefined, parentId: undefined }
    ])
  ]
  for (const [headers, wanted] of rows) {
    const line = await lineOf(t, stack, `GET /chats?limit=1 HTTP/1.1\r\n${headers}\r\n${asBlue}`)
    t.match(line, { status: 200, team: 'blue', ...wanted }, headers.slice(0, 80))
  }
  t.equal(upstream.requests.length, 1)
  t.notMatch(JSON.stringify(upstream.requests), /trace|x-request-id|4bf92f3577/i)
})

t.test('a sane X-Request-Id is continued into the line', async t => {
  const stack = await startStack(t)
  const line = await lineOf(
    t,
    stack,
    `GET /chats?limit=1 HTTP/1.1\r\nX-Request-Id: from-the-caller_1\r\n${asBlue}`
  )
  t.match(line, { reqId: 'from-the-caller_1', cache: 'miss', ms: Number })
  t.match(line, { queueMs: Number, upstreamMs: Number })
})

t.test('whatever a caller writes, its line is one line of JSON with nothing of it', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock })
  const seed = Math.floor(Math.random() * 2 ** 31)
  const random = new Random(seed)
  const hostile = [
    '"',
    '\\',
    '{',
    '}',
    '\t',
    '\x1b[31m',
    '\x7f',
    '\x85',
    '\xe2\x80\xa8',
    'msg":"x',
    'é'
  ]
  const text = () =>
    Array.from({ length: 1 + random.below(40) }, () => random.pick(hostile)).join('')
  for (let tries = 0; tries < 60; tries++) {
    const names = ['User-Agent', 'X-Request-Id', 'traceparent', 'Referer', 'Prefer', 'Cookie']
    // Control characters in a header never get past the parser. Without them it may be a sane id.
    const headers = names.map(name => `${name}: marked${tries}${text()}`.replace(/\p{Cc}/gu, ''))
    const path = `/marked${encodeURIComponent(text()).replaceAll('%', random.pick(['%', '%25', '']))}`
    const target = random.pick([
      '/chats',
      '/chats/1',
      path,
      `/chats?${random.pick(['a', 'limit'])}=1`
    ])
    const before = stack.lines.length
    const line = await lineOf(
      t,
      stack,
      `GET ${target} HTTP/1.1\r\n${headers.join('\r\n')}\r\n${asBlue}`
    )
    const { path: shown = '', reqId, ...others } = line
    t.match(reqId, /^[\w-]{1,64}$/)
    t.notMatch(JSON.stringify(others), /marked/, `seed ${seed}`)
    t.notMatch(shown, /\p{Cc}/u, `seed ${seed}`)
    for (const one of stack.lines.slice(before)) {
      t.equal(one.indexOf('\n'), one.length - 1, `one line, seed ${seed}`)
    }
    // Of refusals of one kind only so many a second have a line.
    await clock.advance(1000)
  }
})

t.test('a flood of refusals is cut short in the log, and counted', async t => {
  const clock = new FakeClock()
  const { url, get, lines } = await startStack(t, { clock })
  const floods: (() => Promise<unknown>)[] = [
    () => fetch(`${url}/chats`),
    () => get('/nowhere'),
    () => get('/chats?limit=0'),
    () => fetch(`${url}/healthz`),
    () => converse(url, 'garbage\r\n\r\n')
  ]
  for (const ask of floods) await Promise.all(Array.from({ length: 100 }, ask))
  const of = (msg: string) => lines.map(line => JSON.parse(line)).filter(line => line.msg === msg)
  // Once this is answered, the lines of those before it have been written.
  await read(get('/chats?limit=1'))
  await clock.advance(1000)
  t.equal(of('request').length, 5 * 20 + 1)
  t.same(
    of('lines were left out').map(({ kind, count, level }) => [kind, count, level]),
    [
      [' unauthenticated', 80, 40],
      ['blue not_found', 80, 40],
      ['blue invalid_query', 80, 40],
      [' 200', 80, 40],
      [' bad_request', 80, 40]
    ]
  )
})

t.test('answers to a team are all logged', async t => {
  const clock = new FakeClock()
  const { get, lines } = await startStack(t, { clock })
  for (let index = 0; index < 50; index++) await read(get('/chats?limit=1'))
  await read(get('/healthz'))
  const answered = lines.filter(line => JSON.parse(line).status === 200 && /blue/.test(line))
  t.equal(answered.length, 50)
})
