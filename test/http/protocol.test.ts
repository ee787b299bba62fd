/**
 * What is hardly HTTP or not at all, over raw TCP: one answer at most for each request, a problem
 * body where the other side can read one, the connection closed where its state is unknown, and
 * the next caller served as if nothing had happened.
 */

import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'
import { type Answer, type Conversation, converse, dial, listen } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const known = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\n`
const list = `GET /chats?limit=1 HTTP/1.1\r\n${known}`
const healthy = `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n`

async function checkAlive(t: Test, { get }: Stack): Promise<void> {
  t.equal((await read(get('/healthz'))).status, 200, 'others are served')
}

/** Exactly one response, and nothing after it. */
function only(t: Test, { answers, rest }: Conversation, name: string): Answer {
  t.same([answers.length, rest], [1, ''], `${name}: one response`)
  return answers[0] ?? { status: 0, headers: new Headers(), body: '' }
}

const chunked = 'Transfer-Encoding: chunked\r\n'

/** Answered 400, and the connection is closed: nobody knows where the next request begins. */
const unparsable: readonly { name: string; bytes: string | Buffer }[] = [
  { name: 'length and chunks', bytes: `${list}Content-Length: 5\r\n${chunked}\r\n0\r\n\r\n` },
  { name: 'chunks and length', bytes: `${list}${chunked}Content-Length: 5\r\n\r\n0\r\n\r\n` },
  { name: 'two lengths', bytes: `${list}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello` },
  {
    name: 'two equal lengths',
    bytes: `${list}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`
  },
  { name: 'a negative length', bytes: `${list}Content-Length: -1\r\n\r\n` },
  { name: 'a length with a sign', bytes: `${list}Content-Length: +1\r\n\r\nx` },
  { name: 'a length in hex', bytes: `${list}Content-Length: 0x1\r\n\r\nx` },
  { name: 'a length past 2^64', bytes: `${list}Content-Length: 99999999999999999999\r\n\r\n` },
  { name: 'a bad chunk size', bytes: `${list}${chunked}\r\nzz\r\nhello\r\n0\r\n\r\n` },
  { name: 'a chunk past 2^64', bytes: `${list}${chunked}\r\nfffffffffffffffff\r\nx` },
  {
    name: 'chunks that are not last',
    bytes: `${list}Transfer-Encoding: chunked, identity\r\n\r\n`
  },
  {
    name: 'an odd transfer encoding',
    bytes: `${list}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`
  },
  { name: 'bare line feeds', bytes: list.replaceAll('\r\n', '\n').concat('\n') },
  { name: 'a space before the colon', bytes: `${list}X-A : b\r\n\r\n` },
  { name: 'a folded header', bytes: `${list}X-A: b\r\n  c\r\n\r\n` },
  { name: 'a return in a header', bytes: `${list}X-A: b\rc\r\n\r\n` },
  { name: 'a NUL in a header', bytes: `${list}X-A: b\0c\r\n\r\n` },
  { name: 'a header without a name', bytes: `${list}: b\r\n\r\n` },
  { name: 'a header without a colon', bytes: `${list}hello\r\n\r\n` },
  { name: 'a space in the URL', bytes: `GET /ch ats HTTP/1.1\r\n${known}\r\n` },
  { name: 'a method nobody knows', bytes: `FROB /chats HTTP/1.1\r\n${known}\r\n` },
  { name: 'a method in lower case', bytes: `get /chats HTTP/1.1\r\n${known}\r\n` },
  { name: 'no path', bytes: `GET  HTTP/1.1\r\n${known}\r\n` },
  { name: 'a path without a slash', bytes: `GET chats HTTP/1.1\r\n${known}\r\n` },
  { name: 'a version that is none', bytes: `GET /chats HTTP/9.9\r\n${known}\r\n` },
  { name: 'HTTP/0.9', bytes: 'GET /chats\r\n\r\n' },
  { name: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
  { name: 'a TLS hello', bytes: Buffer.from('16030100c8010000c403030102030405060708', 'hex') },
  { name: 'an SSH banner', bytes: 'SSH-2.0-OpenSSH_9.6\r\n' },
  { name: 'SMTP', bytes: 'EHLO evil.example\r\n' },
  { name: 'Redis', bytes: '*1\r\n$4\r\nPING\r\n' },
  { name: 'NULs', bytes: Buffer.alloc(64) },
  { name: 'CONNECT', bytes: `CONNECT evil.example:443 HTTP/1.1\r\n${known}\r\n` },
  { name: 'CONNECT to a path', bytes: `CONNECT /chats HTTP/1.1\r\n${known}\r\n` }
]

t.test('what the parser refuses is one 400 with a problem body, then the end', async t => {
  const stack = await startStack(t)
  // Warm, so that nothing has to be waited for that could hide a second response.
  await read(stack.get('/chats?limit=1'))
  const calls = stack.simulator.hits()
  for (const { name, bytes } of unparsable) {
    const heard = await converse(stack.url, bytes)
    checkProblem(t, only(t, heard, name), { status: 400, code: 'bad_request' }, name)
    t.equal(heard.answers[0]?.headers.get('connection'), 'close')
    t.equal(heard.end, 'closed', name)
  }
  await checkAlive(t, stack)
  t.equal(stack.simulator.hits(), calls)
})

t.test(
  'a body that breaks after the answer ends the connection, without a second answer',
  async t => {
    const { url } = await startStack(t)
    for (const bytes of ['2\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '5\r\nhello0\r\n\r\n']) {
      const socket = await dial(url)
      const heard = listen(socket)
      socket.write(`${list}${chunked}\r\n`)
      await new Promise(resolve => socket.once('data', resolve))
      socket.write(bytes)
      const { end } = await heard
      t.equal(only(t, await heard, JSON.stringify(bytes)).status, 200)
      t.equal(end, 'closed')
    }
  }
)

t.test('smuggled requests are not answered', async t => {
  const { url } = await startStack(t)
  const inner = `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled\r\n\r\n`
  const outer = [
    `Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${inner}`,
    `Transfer-Encoding : chunked\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    `Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${inner}`,
    `Content-Length: ${inner.length}\r\n\r\n${inner}`,
    `X: y\rContent-Length: 0\r\n\r\n${inner}`
  ]
  for (const fields of outer) {
    const { answers } = await converse(url, `${list}Connection: close\r\n${fields}`)
    const ids = answers.map(({ headers }) => headers.get('x-request-id'))
    t.ok(answers.length <= 1, fields.slice(0, 40))
    t.notOk(ids.includes('smuggled'))
  }
})

/** Readable requests that cannot be served; the connection may live on. */
const refused: readonly { name: string; bytes: string; status: number; code: string }[] = [
  { name: 'no Host', bytes: 'GET / HTTP/1.1\r\n', status: 400, code: 'bad_request' },
  {
    name: 'two hosts',
    bytes: 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n',
    status: 400,
    code: 'bad_request'
  },
  { name: 'one host twice', bytes: `${list}host: x\r\n`, status: 400, code: 'bad_request' },
  {
    name: 'an expectation',
    bytes: `${list}Expect: junk\r\n`,
    status: 417,
    code: 'expectation_failed'
  },
  {
    name: 'a long URL',
    bytes: `GET /chats?x=${'a'.repeat(9_000)} HTTP/1.1\r\n${known}`,
    status: 414,
    code: 'uri_too_long'
  },
  {
    name: 'a URL of 20 kB',
    bytes: `GET /chats?x=${'a'.repeat(20_000)} HTTP/1.1\r\n${known}`,
    status: 414,
    code: 'uri_too_long'
  },
  {
    name: 'a URL of 1 MB',
    bytes: `GET /${'a'.repeat(2 ** 20)} HTTP/1.1\r\n${known}`,
    status: 414,
    code: 'uri_too_long'
  },
  {
    name: 'a header of 20 kB',
    bytes: `${list}X: ${'a'.repeat(20_000)}\r\n`,
    status: 431,
    code: 'headers_too_large'
  },
  {
    name: 'a header name of 20 kB',
    bytes: `${list}${'a'.repeat(20_000)}: 1\r\n`,
    status: 431,
    code: 'headers_too_large'
  },
  {
    name: '300 headers',
    bytes: `${list}${'x:1\r\n'.repeat(300)}`,
    status: 431,
    code: 'headers_too_large'
  },
  {
    name: '2,500 headers',
    bytes: `${list}${'x:1\r\n'.repeat(2_500)}`,
    status: 431,
    code: 'headers_too_large'
  },
  {
    name: '30,000 headers',
    bytes: `${list}${'x:1\r\n'.repeat(30_000)}`,
    status: 431,
    code: 'headers_too_large'
  }
]

t.test('what is read but cannot be served is refused in the same words', async t => {
  const stack = await startStack(t)
  for (const { name, bytes, status, code } of refused) {
    const heard = await converse(stack.url, `${bytes}Connection: close\r\n\r\n`)
    checkProblem(t, only(t, heard, name), { status, code }, name)
  }
  await checkAlive(t, stack)
  t.equal(stack.simulator.hits(), 0)
})

t.test('a request from HTTP/1.0 needs no Host and is the last on its connection', async t => {
  const { url } = await startStack(t)
  const heard = await converse(url, 'GET /healthz HTTP/1.0\r\n\r\n')
  t.equal(only(t, heard, 'HTTP/1.0').status, 200)
  t.equal(heard.end, 'closed')
})

const upgrades = [
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
]

t.test('nobody is upgraded: the request is answered as what it is', async t => {
  const { url } = await startStack(t)
  for (const fields of upgrades) {
    const { answers } = await converse(url, `${list}${fields}\r\n`, { answers: 1 })
    t.equal(answers[0]?.status, 200)
    t.equal(answers[0]?.headers.get('upgrade'), null)
  }
})

const bodies: readonly { name: string; bytes: string }[] = [
  { name: 'JSON', bytes: 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}' },
  { name: 'no JSON', bytes: 'Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{x}' },
  { name: 'chunks', bytes: `${chunked}\r\n5\r\nhello\r\n0\r\n\r\n` },
  {
    name: 'chunks and trailers',
    bytes: `${chunked}\r\n1;x=y\r\nh\r\n0\r\nAuthorization: x\r\n\r\n`
  },
  { name: '300 kB', bytes: `Content-Length: 300000\r\n\r\n${'x'.repeat(300_000)}` },
  { name: 'an awaited body', bytes: 'Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx' }
]

t.test('a GET with a body is answered normally, and so is the one after it', async t => {
  const { url } = await startStack(t)
  for (const { name, bytes } of bodies) {
    const { answers, rest } = await converse(
      url,
      `${list}${bytes}${healthy.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`
    )
    const statuses = answers.map(({ status }) => status).filter(status => status !== 100)
    t.same([statuses, rest], [[200, 200], ''], name)
  }
})

const search = '{"filter":[],"limit":1}'
const searching = (fields: string) =>
  `POST /chats/search HTTP/1.1\r\n${known}Content-Length: ${search.length}\r\n${fields}\r\n`
const expecting = 'Expect: 100-continue\r\n'

const statusesOf = ({ answers }: Conversation) => answers.map(({ status }) => status)

t.test('who expects a 100 gets it before the answer, and sends the body then', async t => {
  const { url } = await startStack(t)
  const socket = await dial(url)
  const heard = listen(socket, { answers: 1 })
  socket.write(searching(expecting))
  socket.once('data', () => socket.write(search))
  t.same(statusesOf(await heard), [100, 200])
})

t.test('a 100 is never in the middle of an answer that waits for its turn', async t => {
  const stack = await startStack(t, { upstream: { latencyMs: 60 } })
  const hits = {
    'a GET': `${list}${expecting}\r\n`,
    'a search': `${searching(expecting)}${search}`
  }
  await read(stack.get('/chats?limit=1'))
  await converse(stack.url, `${searching('')}${search}`, { answers: 1 })
  for (const [index, [name, hit]] of Object.entries(hits).entries()) {
    const slow = `GET /chats/${100_001 + index}/messages HTTP/1.1\r\n${known}\r\n`
    const heard = await converse(stack.url, slow + hit, { answers: 2 })
    t.same([statusesOf(heard), heard.rest], [[200, 200], ''], name)
    t.equal(JSON.parse(heard.answers[1]?.body ?? '{}').data?.length, 1, name)
  }
})

t.test('who expects a 100 behind another request gets it when it is their turn', async t => {
  const { url } = await startStack(t, { upstream: { latencyMs: 60 } })
  const socket = await dial(url)
  const before = listen(socket, { answers: 1, stays: true })
  socket.write(`${list}\r\n${searching(expecting)}`)
  const first = await before
  const heard = listen(socket, { answers: 2 })
  socket.write(`${search}${healthy}`)
  const statuses = [...statusesOf(first), ...statusesOf(await heard)]
  t.same(statuses, [200, 100, 200, 200])
})

t.test('a hundred pipelined requests are answered in order', async t => {
  const { url, simulator } = await startStack(t, { upstream: { latencyMs: 5 } })
  const requests = Array.from({ length: 100 }, (_, index) =>
    index % 3 === 0
      ? `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: n${index}\r\n\r\n`
      : `GET /chats?limit=1&offset=${index} HTTP/1.1\r\n${known}X-Request-Id: n${index}\r\n\r\n`
  )
  const { answers } = await converse(url, requests.join(''), { answers: 100 })
  const ids = answers.map(({ headers }) => headers.get('x-request-id'))
  t.same(
    ids,
    requests.map((_, index) => `n${index}`)
  )
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(simulator.hits(), 1)
})

const afterthoughts = [
  { name: 'garbage', bytes: '@@@ garbage\r\n\r\n' },
  { name: 'a lot of garbage', bytes: '\x16\x03\x01'.repeat(100_000) },
  { name: 'CONNECT', bytes: `CONNECT evil.example:443 HTTP/1.1\r\n${known}\r\n` },
  { name: 'a header of 20 kB', bytes: `${list}X: ${'a'.repeat(20_000)}\r\n\r\n` }
]

t.test('an unreadable request waits for the answers to those before it', async t => {
  const stack = await startStack(t, { upstream: { latencyMs: 60 } })
  for (const [index, { name, bytes }] of afterthoughts.entries()) {
    const cold = `GET /chats?limit=1&offset=${100 * index} HTTP/1.1\r\n${known}\r\n`
    const { answers, rest, end } = await converse(stack.url, [`${cold}${healthy}`, bytes])
    t.same(
      answers.slice(0, 2).map(({ status }) => status),
      [200, 200],
      name
    )
    t.equal(
      JSON.parse(answers[0]?.body ?? '{}').data?.length,
      1,
      'the first is the answer of the first'
    )
    t.equal(answers.length, 3)
    t.ok([400, 431].includes(answers[2]?.status ?? 0))
    t.same([rest, end], ['', 'closed'])
  }
  await checkAlive(t, stack)
})

t.test('garbage that goes on while an answer is awaited does no harm', async t => {
  const stack = await startStack(t, { upstream: { latencyMs: 150 } })
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const socket = await dial(stack.url)
  const heard = listen(socket)
  socket.write(`${list}\r\n@@@ garbage`)
  while (stack.simulator.hits() === 0) await turn()
  for (let left = 200; left > 0; left--) {
    if (socket.writable) socket.write('more garbage\r\n'.repeat(20))
    await turn()
  }
  const { answers } = await heard
  t.same(
    answers.map(({ status }) => status),
    [200, 400]
  )
  t.same(warnings, [])
})

/** The listener's own time limits, compressed; Node looks after them once a second. */
async function startImpatient(t: Test): Promise<Stack> {
  const stack = await startStack(t)
  Object.assign(stack.service.app.server, { headersTimeout: 200, requestTimeout: 300 })
  return stack
}

const slow: readonly { name: string; bytes: string; statuses: readonly number[] }[] = [
  { name: 'nothing', bytes: '', statuses: [408] },
  { name: 'half a request line', bytes: 'GET /cha', statuses: [408] },
  { name: 'half of its headers', bytes: `${list}X-Slow: `, statuses: [408] },
  {
    name: 'half of a second request',
    bytes: `${healthy}GET /healthz HTTP/1.1\r\n`,
    statuses: [200, 408]
  },
  {
    name: 'half of a body that nobody wants',
    bytes: `${list}Content-Length: 9\r\n\r\nx`,
    statuses: [200]
  }
]

t.test('who sends too slowly is told 408 once, and hung up on', async t => {
  const stack = await startImpatient(t)
  await read(stack.get('/chats?limit=1'))
  const heard = await Promise.all(slow.map(({ bytes }) => converse(stack.url, bytes)))
  for (const [index, { answers, rest, end }] of heard.entries()) {
    const { name, statuses } = slow[index]!
    t.same([answers.map(({ status }) => status), rest, end], [statuses, '', 'closed'], name)
    const last = answers.at(-1)
    if (last?.status === 408) checkProblem(t, last, { status: 408, code: 'request_timeout' }, name)
  }
  await checkAlive(t, stack)
})

t.test('two hundred slow ones keep nobody waiting, dripping or silent', async t => {
  const stack = await startImpatient(t)
  const sockets = await Promise.all(Array.from({ length: 200 }, () => dial(stack.url)))
  const heard = sockets.map(socket => listen(socket))
  for (const socket of sockets) socket.write(`${list}X-Slow: `)
  t.equal((await read(stack.get('/chats?limit=1'))).status, 200)
  const drip = setInterval(() => sockets.forEach(socket => void socket.write('a')), 100)
  const ends = await Promise.all(heard)
  clearInterval(drip)
  t.same([...new Set(ends.map(({ answers }) => answers[0]?.status))], [408])
})

t.test('a caller that hangs up while its call waits leaves the queue', async t => {
  const env = {
    UPSTREAM_LIMIT: '1',
    UPSTREAM_WINDOW_SECONDS: '5',
    UPSTREAM_TIMEOUT_SECONDS: '36000',
    QUEUE_MAX_WAIT_SECONDS: '60'
  }
  for (const ending of ['destroy', 'resetAndDestroy', 'end'] as const) {
    const clock = new FakeClock()
    const stack = await startStack(t, { clock, env })
    await read(stack.get('/chats'))
    const socket = await dial(stack.url)
    socket.on('error', () => {})
    socket.write(`GET /chats?offset=100 HTTP/1.1\r\n${known}\r\n`)
    socket.write(`GET /chats?offset=200 HTTP/1.1\r\n${known}\r\n`)
    let arrived = 0
    stack.service.app.server.on('request', () => arrived++)
    while (arrived < 2) await turn()
    await read(stack.get('/healthz'))
    socket[ending]()
    const left = () => stack.lines.filter(line => JSON.parse(line).status === 499).length
    while (left() < 2) await turn()
    await read(stack.get('/healthz'))
    await clock.advance(20_000)
    t.equal(stack.simulator.hits(), 1, ending)
    t.equal((await read(stack.get('/chats?offset=300'))).status, 200, 'and is in the way of nobody')
  }
})

t.test('no bytes whatever break it: at worst a clean 4xx', async t => {
  const stack = await startStack(t, { env: { TEAM_RATE_LIMIT: '0' } })
  await read(stack.get('/chats'))
  const seeds = [
    `${list}\r\n`,
    healthy,
    `POST /chats HTTP/1.1\r\n${known}${chunked}\r\n1\r\nx\r\n0\r\n\r\n`
  ]
  const mutated = fc
    .tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(160), fc.nat(255), fc.constantFrom('put', 'set', 'cut')), {
        minLength: 1,
        maxLength: 6
      })
    )
    .map(([seed, edits]) => {
      const bytes = [...Buffer.from(seed, 'latin1')]
      for (const [at, byte, how] of edits) {
        bytes.splice(at % bytes.length, how === 'put' ? 0 : 1, ...(how === 'cut' ? [] : [byte]))
      }
      return Buffer.from(bytes)
    })
  const random = fc.uint8Array({ minLength: 1, maxLength: 300 }).map(bytes => Buffer.from(bytes))
  const clean = fc.asyncProperty(fc.oneof(mutated, random), async bytes => {
    const { answers, rest } = await converse(stack.url, bytes, { halfClose: true })
    return rest === '' && answers.every(({ status }) => status < 500)
  })
  await holds(t, clean, { numRuns: 400 })
  const worse = stack.lines.filter(line => JSON.parse(line).level >= 50)
  t.same(worse, [], 'no error was logged')
  await checkAlive(t, stack)
})

t.test('callers that leave at any moment leave nothing behind', async t => {
  const stack = await startStack(t, {
    upstream: { latencyMs: 10 },
    env: { UPSTREAM_LIMIT: '1000' }
  })
  const sockets = await Promise.all(Array.from({ length: 300 }, () => dial(stack.url)))
  for (const [index, socket] of sockets.entries()) {
    socket.on('error', () => {})
    socket.write(`GET /chats?offset=${index % 5}00 HTTP/1.1\r\n${known}\r\n`)
    if (index % 7 === 0) await turn()
    if (index % 2) socket.resetAndDestroy()
    else socket.destroy()
  }
  const { status } = await read(stack.get('/chats?limit=1000'))
  t.equal(status, 200)
  t.ok(stack.simulator.hits() <= 12, `${stack.simulator.hits()} calls`)
  t.same(
    stack.lines.filter(line => JSON.parse(line).level >= 50),
    []
  )
})
