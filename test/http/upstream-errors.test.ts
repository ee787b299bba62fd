/**
 * What callers see when HelpCrunch fails, nothing being stored: one status and code per kind of
 * failure, in words that say whose it is. Nothing of a failed answer is kept, shown or echoed, and
 * when HelpCrunch is well again, so are we.
 */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { startSimulator } from '../../simulator/upstream.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { apiKey, startStack } from '../support/stack.ts'

interface Row {
  readonly name: string
  readonly fault: Fault
  readonly status: number
  readonly code: string
}

const invalid = { status: 502, code: 'upstream_invalid_response' }
const failed = { status: 502, code: 'upstream_error' }
const refused = { status: 502, code: 'upstream_unauthorized' }
const unreachable = { status: 502, code: 'upstream_unreachable' }
const late = { status: 504, code: 'upstream_timeout' }

const page = '{"data":[],"meta":{"total":0}}'

const statuses: readonly Row[] = [
  ...[401, 403].map(status => ({
    name: `${status}`,
    fault: { kind: 'status', status } as const,
    ...refused
  })),
  ...[500, 501, 502, 503, 504, 599, 404, 405, 418, 422].map(status => ({
    name: `${status}`,
    fault: { kind: 'status', status } as const,
    ...failed
  })),
  { name: '500 in HTML', fault: { kind: 'html', status: 500 }, ...failed },
  { name: '503 in HTML', fault: { kind: 'html', status: 503 }, ...failed },
  { name: '401 in HTML', fault: { kind: 'html', status: 401 }, ...refused },
  ...[201, 202, 203, 206, 300, 304].map(status => ({
    name: `${status}`,
    fault: { kind: 'status', status, body: page } as const,
    ...invalid
  })),
  { name: '204', fault: { kind: 'status', status: 204, body: '' }, ...invalid }
]

const bodies: readonly Row[] = [
  { name: 'HTML', fault: { kind: 'html' }, ...invalid },
  { name: 'nothing', fault: { kind: 'empty200' }, ...invalid },
  { name: 'invalid JSON', fault: { kind: 'invalidJson' }, ...invalid },
  ...[
    'null',
    '[]',
    '{}',
    '"x"',
    '7',
    'true',
    '{"data":{},"meta":{"total":1}}',
    '{"data":[]}',
    '{"meta":{"total":1}}',
    '{"data":[],"meta":{"total":"many"}}',
    '{"data":[],"meta":{"total":-1}}',
    '{"data":[1,2],"meta":{"total":2}}',
    '{"data":[],"meta":{"total":435}}',
    `${page}${page}`,
    `${page}\0`,
    `{"data":[${Array(101).fill('{"id":1}').join()}],"meta":{"total":101}}`,
    '{"data":[NaN],"meta":{"total":1}}'
  ].map(body => ({ name: body.slice(0, 60), fault: { kind: 'body', body } as const, ...invalid })),
  {
    name: 'bytes that are not UTF-8',
    fault: {
      kind: 'body',
      body: Buffer.from('{"data":[],"meta":{"total":0},"x":"\xff"}', 'latin1')
    },
    ...invalid
  },
  { name: 'brackets 100,000 deep', fault: { kind: 'body', body: '['.repeat(100_000) }, ...invalid },
  { name: 'a gzip bomb', fault: { kind: 'gzipBomb' }, ...invalid },
  { name: '3 MB', fault: { kind: 'bodyOfBytes', bytes: 3_000_000 }, ...invalid },
  { name: 'corrupt gzip', fault: { kind: 'corruptGzip' }, ...invalid },
  { name: 'an unknown encoding', fault: { kind: 'unknownEncoding' }, ...invalid }
]

const wires: readonly Row[] = [
  { name: 'cut off by length', fault: { kind: 'truncated', framing: 'length' }, ...invalid },
  { name: 'cut off in chunks', fault: { kind: 'truncated', framing: 'chunked' }, ...invalid },
  { name: 'reset amid the body', fault: { kind: 'resetMidBody' }, ...invalid },
  { name: 'reset before a byte', fault: { kind: 'resetBeforeBytes' }, ...unreachable },
  {
    name: 'a bad chunk',
    fault: { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n' },
    ...invalid
  },
  { name: 'no HTTP', fault: { kind: 'raw', bytes: 'SSH-2.0-OpenSSH_9.6\r\n' }, ...invalid },
  {
    name: 'two lengths',
    fault: {
      kind: 'raw',
      bytes: `HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 30\r\n\r\n${page}`
    },
    ...invalid
  },
  { name: 'no answer', fault: { kind: 'hang' }, ...late },
  { name: 'half an answer', fault: { kind: 'stallMidBody' }, ...late },
  { name: 'dripped headers', fault: { kind: 'dripHeaders', everyMs: 50 }, ...late },
  { name: 'a dripped body', fault: { kind: 'dripBody', everyMs: 50 }, ...late },
  { name: 'a late answer', fault: { kind: 'delay', ms: 60_000 }, ...late }
]

const redirects: readonly Row[] = [301, 302, 303, 307, 308].flatMap(status =>
  ['/v1/chats', 'http://127.0.0.1:1/', 'file:///etc/passwd'].map(to => ({
    name: `${status} to ${to}`,
    fault: { kind: 'redirect', status, to } as const,
    ...invalid
  }))
)

const env = { UPSTREAM_MAX_BODY_MB: '2' }

/** A short time limit only where it is what is waited for. */
const envFor = ({ code }: Row) =>
  code === late.code ? { ...env, UPSTREAM_TIMEOUT_SECONDS: '0.3' } : env

for (const [what, rows] of Object.entries({ statuses, bodies, wires, redirects })) {
  t.test(`${what} that HelpCrunch should not send become our own errors`, async t => {
    const checkRow = async (row: Row) => {
      const { name, fault, status, code } = row
      const { get, simulator, lines } = await startStack(t, { env: envFor(row) })
      simulator.faultAll(fault)
      const answer = await read(get('/chats?limit=5'))
      checkProblem(t, answer, { status, code }, name)
      t.notMatch(answer.body, /Simulated fault|<html|<script|doctype|Oops|alert/i, 'echoes nothing')
      t.equal(answer.headers.get('www-authenticate'), null, 'the token of the caller is fine')
      for (const text of [answer.body, ...lines]) t.notOk(text.includes(apiKey))
      t.notMatch(lines.join(''), /Bad Gateway|Simulated fault|padding/, 'logs no content')
    }
    // Side by side, so that those which wait for a time limit wait together.
    await Promise.all(rows.map(checkRow))
  })
}

t.test(
  'after every kind of failure the next answer is right, and was not stored before',
  async t => {
    // Not the refused key: that is tried again only now and then.
    const rows = [...statuses.slice(2, 6), ...bodies.slice(0, 4), ...wires.slice(0, 8)]
    await Promise.all(
      rows.map(async row => {
        const { get, simulator } = await startStack(t, { env: envFor(row) })
        simulator.faultAll(row.fault)
        await read(get('/chats?limit=5'))
        simulator.faultAll(undefined)
        const { status, body, headers } = await read(get('/chats?limit=5'))
        t.equal(status, 200, row.name)
        t.equal(JSON.parse(body).data.length, 5)
        t.match(headers.get('cache-status'), 'fwd=uri-miss; fwd-status=200; stored')
      })
    )
  }
)

const nothingThere = [
  { name: 'a refused connection', baseUrl: 'http://127.0.0.1:1/v1', says: /refused/ },
  { name: 'an unknown host', baseUrl: 'http://helpcrunch.invalid/v1', says: /not found|looked up/ }
]

t.test('no connection is 502 upstream_unreachable and says why', async t => {
  for (const { name, baseUrl, says } of nothingThere) {
    const { get } = await startStack(t, {
      env: { ...env, HELPCRUNCH_BASE_URL: baseUrl }
    })
    const problem = checkProblem(t, await read(get('/chats')), unreachable, name)
    t.match(problem.detail, says)
  }
})

t.test('TLS where there is none is 502 upstream_unreachable that names TLS', async t => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const baseUrl = simulator.baseUrl.replace('http:', 'https:')
  const { get } = await startStack(t, { env: { ...env, HELPCRUNCH_BASE_URL: baseUrl } })
  const { detail } = checkProblem(t, await read(get('/chats')), unreachable)
  t.match(detail, /TLS/)
})

t.test('a redirect is not followed and the key goes to nobody else', async t => {
  const seen: (string | undefined)[] = []
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.end(page)
  })
  await new Promise<void>(resolve => elsewhere.listen(0, '127.0.0.1', resolve))
  t.teardown(() => elsewhere.close())
  const to = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/v1/chats`
  const { get, simulator } = await startStack(t, { env })
  simulator.faultAll({ kind: 'redirect', status: 307, to })
  checkProblem(t, await read(get('/chats')), invalid)
  t.same(seen, [])
})

const entry = (code: string, message: string) => ({ code, message })
const generic = entry('invalid_request', 'Invalid request')

/** Both generations of the documents, and bodies that are neither. */
const rejections: readonly { name: string; body: string; errors: readonly object[] }[] = [
  {
    name: 'the newer shape, its generic entry last',
    body: JSON.stringify({
      errors: [generic, entry('customer', 'numeric'), entry('filter[0].field', 'blank')]
    }),
    errors: [entry('customer', 'numeric'), entry('filter[0].field', 'blank'), generic]
  },
  {
    name: 'the older shape',
    body: JSON.stringify({ errors: [entry('invalid_chat_value', 'Invalid chat value')] }),
    errors: [entry('invalid_chat_value', 'Invalid chat value')]
  },
  {
    name: 'only the generic entry',
    body: JSON.stringify({ errors: [generic] }),
    errors: [generic]
  },
  ...['<h1>Bad Request</h1>', '', '{"errors":{}}', '{"errors":[1,null]}', 'null'].map(body => ({
    name: body || 'no body',
    body,
    errors: [{ code: 'upstream_rejected', message: String }]
  }))
]

t.test(
  '400 is passed on as 400 upstream_rejected with its entries, and kept by nobody',
  async t => {
    for (const { name, body, errors } of rejections) {
      const { get, simulator } = await startStack(t)
      simulator.fault({ kind: 'status', status: 400, body })
      const answer = await read(get('/chats'))
      const problem = checkProblem(t, answer, { status: 400, code: 'upstream_rejected' }, name)
      t.match(problem.errors, errors)
      t.equal(problem.errors.length, errors.length)
      t.equal((await read(get('/chats'))).status, 200)
    }
  }
)

t.test('entries of HelpCrunch cannot carry anything but text', async t => {
  const { get, simulator, lines } = await startStack(t)
  const evil = entry('a\r\nSet-Cookie: x=y', `\u001b[31m</script>${'\ud800'}${'x'.repeat(100_000)}`)
  const body = JSON.stringify({ errors: Array(50).fill(evil) })
  simulator.fault({ kind: 'status', status: 400, body })
  const answer = await read(get('/chats'))
  checkProblem(t, answer, { status: 400, code: 'upstream_rejected' })
  t.equal(answer.headers.get('set-cookie'), null)
  t.ok(answer.body.length < 20_000)
  for (const line of lines) t.type(JSON.parse(line), 'object')
})

for (const errorShape of ['new', 'old'] as const) {
  t.test(`a refused key, worded in the ${errorShape} way, is our fault and no 401`, async t => {
    const { get } = await startStack(t, {
      upstream: { apiKey: 'revoked-and-replaced', errorShape }
    })
    for (const path of ['/chats', '/v1/chats']) {
      const { detail } = checkProblem(t, await read(get(path)), refused, path)
      t.notMatch(detail, apiKey)
    }
  })

  t.test(
    `429, worded in the ${errorShape} way, that cannot be absorbed is 503 with its Retry-After`,
    async t => {
      const impatient = { QUEUE_MAX_WAIT_SECONDS: '0.2' }
      const { get, simulator } = await startStack(t, { env: impatient, upstream: { errorShape } })
      simulator.faultAll({ kind: 'status', status: 429, headers: { 'Retry-After': '40' } })
      const answer = await read(get('/chats'))
      const { retryAfter = 0 } = checkProblem(t, answer, {
        status: 503,
        code: 'upstream_rate_limited'
      })
      t.ok(retryAfter >= 39 && retryAfter <= 60, `${retryAfter} s`)
      const calls = simulator.hits()
      const next = await read(get('/chats?offset=100'))
      t.equal(next.status, 503, 'the pause is for everything')
      t.match(next.headers.get('retry-after'), /^(39|4\d|5\d|60)$/)
      t.equal(simulator.hits(), calls)
    }
  )
}

t.test('under /v1 the two codes of a rate are 429, where clients know only that', async t => {
  const impatient = { QUEUE_MAX_WAIT_SECONDS: '0.2' }
  const limited = await startStack(t, { env: impatient })
  limited.simulator.faultAll({ kind: 'status', status: 429, headers: { 'retry-after': '40' } })
  checkProblem(t, await read(limited.get('/v1/chats')), {
    status: 429,
    code: 'upstream_rate_limited'
  })

  const spent = await startStack(t, { env: { ...impatient, UPSTREAM_LIMIT: '1' } })
  await read(spent.get('/chats'))
  const [here, there] = [
    await read(spent.get('/chats?offset=100')),
    await read(spent.get('/v1/chats?offset=100'))
  ]
  const plain = checkProblem(t, here, { status: 503, code: 'budget_exhausted' })
  const known = checkProblem(t, there, { status: 429, code: 'budget_exhausted' })
  t.equal(known.title, plain.title)

  const broken = await startStack(t)
  broken.simulator.faultAll({ kind: 'status', status: 503 })
  checkProblem(t, await read(broken.get('/v1/chats')), failed, 'any other is the same as elsewhere')
})

t.test(
  'a refused key is tried now and then, not for everybody, and recovers by itself',
  async t => {
    const clock = new FakeClock()
    const patient = { UPSTREAM_TIMEOUT_SECONDS: '36000' }
    const { get, simulator } = await startStack(t, { clock, env: patient })
    simulator.faultAll({ kind: 'status', status: 401 })
    for (let offset = 0; offset < 400; offset += 20) {
      const answer = await read(get(`/chats?offset=${offset}`))
      t.ok(answer.status === 502 || answer.status === 503, `${answer.status}`)
    }
    t.ok(simulator.hits() <= 3, `${simulator.hits()} calls for 20 requests`)
    t.equal((await read(get('/readyz'))).status, 200, 'it stays ready')
    simulator.faultAll(undefined)
    let status = 0
    for (let second = 0; status !== 200 && second < 300; second += 5) {
      await clock.advance(5_000)
      status = (await read(get('/chats?limit=1'))).status
    }
    t.equal(status, 200, 'within five minutes')
  }
)

t.test('a 503 that asks for more time than there is is not tried again, and says so', async t => {
  const { get, simulator } = await startStack(t)
  simulator.faultAll({ kind: 'status', status: 503, headers: { 'retry-after': '40' } })
  const answer = await read(get('/chats'))
  t.equal(checkProblem(t, answer, failed).retryAfter, 40)
  t.equal(answer.headers.get('retry-after'), '40')
  t.equal(simulator.hits(), 1)
})

t.test('an answer that fails on its last page fails as a whole', async t => {
  const { get, simulator } = await startStack(t, { env })
  simulator.faultAll({
    kind: 'status',
    status: 500,
    match: target => target.includes('offset=300&')
  })
  checkProblem(t, await read(get('/chats?limit=435')), failed)
  t.equal((await read(get('/chats?limit=300'))).status, 200, 'its good pages were kept')
})
