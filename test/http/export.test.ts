/**
 * `GET /chats/export` on real sockets: everything is in it, what is wrong is said while it can be
 * said, and an export that is not complete never looks as if it were.
 */

import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { Random } from '../../simulator/random.ts'
import { csvColumns } from '../../src/chats/export/csv.ts'
import { mostPerTeam } from '../../src/chats/export/exports.ts'
import { checkProblem, read } from '../support/answers.ts'
import { until } from '../support/children.ts'
import { parseCsv } from '../support/csv.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { dial } from '../support/raw-socket.ts'
import { type Stack, type StackOptions, startStack, tokens } from '../support/stack.ts'

/** A reader that takes nothing for so long is hung up on. */
const sendTimeoutMs = 60_000

/** A limit that is no hindrance, here and at the upstream. */
const wide = { UPSTREAM_LIMIT: '100000', UPSTREAM_WINDOW_SECONDS: '1' }

const start = (t: Test, { env, upstream, ...options }: StackOptions = {}) =>
  startStack(t, {
    env: { ...wide, ...env },
    upstream: { limit: 100_000, windowSeconds: 1, ...upstream },
    ...options
  })

/** The chats that the upstream holds, in the order of an export. */
function listOf({ simulator }: Stack): string[] {
  const texts: string[] = []
  for (let offset = 0; offset < simulator.store.size; offset += 100) {
    const query = { sort: 'chats.createdAt', order: 'asc', offset, limit: 100 } as const
    texts.push(...simulator.store.page(query).items)
  }
  return texts
}

/** As text: some have more digits than a number holds. */
const idOf = (chat: string) => /"id"\s*:\s*(\d+)/.exec(chat)?.[1] ?? ''

const endLine = (count: number, total = count) =>
  `${JSON.stringify({ export: { count, total, complete: true } })}\n`

const linesOf = (texts: readonly string[]) => texts.map(text => `${text}\n`).join('')

t.test('20,000 chats in every format at once: one walk, every chat, every byte', async t => {
  const env = { UPSTREAM_LIMIT: '120', UPSTREAM_WINDOW_SECONDS: '0.4' }
  const upstream = { chats: 20_000, limit: 120, windowSeconds: 0.4 }
  const stack = await start(t, { env, upstream })
  const formats = ['ndjson', 'json', 'csv']
  const answers = await Promise.all(
    formats.map(format => read(stack.get(`/chats/export?format=${format}`)))
  )
  const [ndjson = '', json = '', csv = ''] = answers.map(({ body }) => body)
  const list = listOf(stack)
  t.ok(ndjson === linesOf(list) + endLine(20_000), 'NDJSON')
  const end = JSON.stringify({ count: 20_000, total: 20_000, complete: true })
  t.ok(json === `{"data":[\n${list.join(',\n')}\n],"export":${end}}\n`, 'JSON')
  const [head, ...rows] = parseCsv(csv)
  t.same(head, csvColumns)
  const ids = list.map(idOf)
  t.ok(rows.map(([id]) => id).join() === ids.join(), 'CSV, by id')
  const textAt = csvColumns.indexOf('lastMessageText')
  const texts = list.map(text => (JSON.parse(text).lastMessageText ?? '').toWellFormed())
  const shown = rows.map(row => row[textAt]?.replace(/^'(?=[=+\-@\t\r\n])/, ''))
  t.ok(JSON.stringify(shown) === JSON.stringify(texts), 'CSV, by text')
  t.equal(stack.simulator.hits(), 203)
  t.ok(stack.simulator.largestWindow() <= 120)
})

t.test('it says beforehand how much it will be, and is kept by nobody', async t => {
  const stack = await start(t, { upstream: { chats: 1000 } })
  const { status, headers, body } = await read(stack.get('/v1/chats/export/?end=none'))
  t.equal(status, 200)
  t.equal(body, linesOf(listOf(stack)))
  t.match(Object.fromEntries(headers), {
    'content-type': 'application/x-ndjson; charset=utf-8',
    'content-disposition': 'attachment; filename="chats.ndjson"',
    'cache-control': 'no-store',
    'x-total-count': '1000',
    'x-export-calls': '11',
    'x-export-estimate': /^\d+$/
  })
  t.equal(stack.simulator.hits(), 11)
  for (const name of ['etag', 'content-length', 'age']) t.notOk(headers.has(name), name)
})

t.test('an empty list is a complete export', async t => {
  const { get } = await start(t, { upstream: { chats: 0 } })
  t.equal((await read(get('/chats/export'))).body, endLine(0))
  t.equal((await read(get('/chats/export?end=none'))).body, '')
  t.same(JSON.parse((await read(get('/chats/export?format=json'))).body).data, [])
  t.same(parseCsv((await read(get('/chats/export?format=csv'))).body), [[...csvColumns]])
})

t.test('stored pages are not used, and none are stored', async t => {
  const { get, simulator } = await start(t, { upstream: { chats: 150 } })
  const page = '/chats?sort=chats.createdAt&order=asc&limit=100'
  await read(get(page))
  t.equal(simulator.hits(), 1)
  await read(get('/chats/export'))
  t.equal(simulator.hits(), 3)
  t.match((await read(get(page))).headers.get('cache-status'), /; hit/)
})

t.test(
  'while the list changes nothing is twice in it, and nothing that stays is missing',
  async t => {
    const stack = await start(t, { upstream: { chats: 3000, latencyMs: 5 } })
    const { simulator, get } = stack
    const before = listOf(stack).map(idOf)
    const random = new Random(7)
    const changing = setInterval(() => {
      for (let count = 0; count < 3; count++) simulator.store.mutateOnce(random)
    }, 2)
    const { body } = await read(get('/chats/export?end=none')).finally(() =>
      clearInterval(changing)
    )
    const given = body.split('\n').slice(0, -1)
    const ids = given.map(idOf)
    t.equal(new Set(ids).size, ids.length)
    const there = new Set(ids)
    t.same(
      before.filter(id => simulator.store.get(id) && !there.has(id)),
      []
    )
    t.ok(simulator.store.size !== 3000, 'it did change')
  }
)

t.test('HEAD tells the plan and reads one window', async t => {
  const { get, simulator, service } = await start(t, { upstream: { chats: 1000 } })
  const { status, headers, body } = await read(get('/chats/export', { method: 'HEAD' }))
  t.same([status, body, headers.get('x-export-calls')], [200, '', '11'])
  t.equal(headers.get('x-total-count'), '1000')
  t.equal(headers.get('content-length'), null)
  // What had left behind the answer would have arrived before this.
  await read(get('/chats?offset=500'))
  t.equal(simulator.hits(), 2)
  t.same((await service.admin.inject('/status')).json().exports, [])
})

t.test('other methods are refused', async t => {
  const { get, simulator } = await start(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await read(get('/chats/export', { method }))
    checkProblem(t, answer, { status: 405, code: 'method_not_allowed' })
    t.equal(answer.headers.get('allow'), 'GET, HEAD')
  }
  t.equal(simulator.hits(), 0)
})

t.test('a bad query is refused by name and costs no call', async t => {
  const { get, simulator } = await start(t)
  for (const [query, names] of [
    ['format=xml', ['format']],
    ['limit=5&sort=chats.createdAt', ['limit', 'sort']],
    ['format=csv&format=csv', ['format']],
    ['after=5', ['offset']],
    ['offset=-1&after=a', ['offset', 'after']]
  ] as const) {
    const answer = await read(get(`/chats/export?${query}`))
    const problem = checkProblem(t, answer, { status: 400, code: 'invalid_query' })
    t.same(
      problem.errors.map(({ code }) => code),
      names
    )
  }
  t.equal((await fetch(`${(await start(t)).url}/chats/export`)).status, 401)
  t.equal(simulator.hits(), 0)
})

t.test('what goes wrong before the first chat is an ordinary problem', async t => {
  for (const [status, code, wanted] of [
    [400, 'upstream_rejected', 400],
    [401, 'upstream_unauthorized', 502],
    [500, 'upstream_error', 502]
  ] as const) {
    const { get, simulator } = await start(t)
    simulator.faultAll({ kind: 'status', status })
    checkProblem(t, await read(get('/chats/export')), { status: wanted, code })
  }
  const slow = await start(t, { env: { UPSTREAM_TIMEOUT_SECONDS: '0.05' } })
  slow.simulator.faultAll({ kind: 'hang' })
  const late = await read(slow.get('/chats/export'))
  checkProblem(t, late, { status: 504, code: 'upstream_timeout' })

  const draining = await start(t)
  draining.service.drain()
  const refused = await read(draining.get('/chats/export'))
  checkProblem(t, refused, { status: 503, code: 'shutting_down' })
})

t.test('without a call before the deadline it is refused at once, as clients know it', async t => {
  const env = { UPSTREAM_LIMIT: '1', UPSTREAM_WINDOW_SECONDS: '60' }
  const { get } = await start(t, { env, clock: new FakeClock() })
  await read(get('/chats'))
  const headers = { prefer: 'wait=1' }
  const answer = await read(get('/chats/export', { headers }))
  checkProblem(t, answer, { status: 503, code: 'budget_exhausted' })
  const underV1 = await read(get('/v1/chats/export', { headers }))
  checkProblem(t, underV1, { status: 429, code: 'budget_exhausted' })
})

t.test('after chats that are all gone, it says that it has to begin again', async t => {
  const { get } = await start(t)
  const answer = await read(get('/chats/export?offset=300&after=1,2'))
  const { errors } = checkProblem(t, answer, { status: 400, code: 'invalid_query' })
  t.match(errors, [{ code: 'after', message: /again/ }])
})

/** What came of a body until it ended or broke. */
async function readRaw(url: string, path: string) {
  const headers = { authorization: `Bearer ${tokens.blue}` }
  const request = httpRequest(url + path, { headers }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let body = ''
  response.setEncoding('utf8')
  response.on('data', chunk => {
    body += chunk
  })
  const broke = await once(response, 'end').then(
    () => false,
    () => true
  )
  return { body, broke, complete: response.complete }
}

/** From this offset on the upstream finds the request invalid, which no waiting cures. */
function breakAt({ simulator }: Stack, offset: number): void {
  simulator.faultAll({
    kind: 'status',
    status: 400,
    match: target => Number(/offset=(\d+)/.exec(target)?.[1]) >= offset
  })
}

t.test('an export that breaks is broken off in every format, never ended', async t => {
  for (const format of ['ndjson', 'json', 'csv']) {
    const stack = await start(t, { upstream: { chats: 1000 } })
    breakAt(stack, 500)
    const { body, broke, complete } = await readRaw(stack.url, `/chats/export?format=${format}`)
    t.same({ broke, complete }, { broke: true, complete: false }, format)
    t.notMatch(body, '"complete":true')
    t.ok(body.length > 100, 'what was there was sent')
    const line = stack.lines.map(line => JSON.parse(line)).find(({ msg }) => msg === 'request')
    t.match(line, { level: 40, status: 200, cut: 'broken', error: 'upstream_rejected' })
  }
})

t.test('so it is for clients of HTTP/1.0, who see chunks as little as their end', async t => {
  const stack = await start(t, { upstream: { chats: 1000 } })
  breakAt(stack, 500)
  const socket = await dial(stack.url)
  const ended = new Promise(resolve => {
    socket
      .on('end', () => resolve('ended'))
      .on('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
  })
  socket.resume()
  const head = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\n\r\n`
  socket.write(`GET /chats/export?format=csv HTTP/1.0\r\n${head}`)
  t.equal(await ended, 'ECONNRESET')
})

t.test('broken anywhere and resumed, the parts make one whole', async t => {
  const stack = await start(t, { upstream: { chats: 1200 } })
  const whole = (await read(stack.get('/chats/export'))).body
  const wholeCsv = (await read(stack.get('/chats/export?format=csv'))).body
  for (const at of [50, 600, 1190]) {
    breakAt(stack, at)
    const first = (await readRaw(stack.url, '/chats/export')).body
    const lines = first
      .slice(0, first.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1)
    const cut = lines.slice(0, Math.max(lines.length - 7, 1))
    stack.simulator.faultAll(undefined)
    const after = `offset=${cut.length}&after=${idOf(cut.at(-1) ?? '')}`
    const rest = (await read(stack.get(`/chats/export?${after}`))).body
    t.ok(linesOf(cut) + rest === whole, `NDJSON after ${cut.length}`)
    const rows = parseCsv(wholeCsv).slice(0, cut.length + 1)
    const restCsv = (await read(stack.get(`/chats/export?format=csv&${after}`))).body
    t.ok(wholeCsv.endsWith(restCsv), 'CSV')
    t.equal(rows.length + parseCsv(restCsv).length, 1201)
  }
})

/** An export that gets three windows and then waits for the clock: nothing depends on how fast it is. */
const startHeld = (t: Test, chats: number) =>
  start(t, {
    clock: new FakeClock(),
    // The clock moves much faster than an answer comes.
    env: { UPSTREAM_LIMIT: '3', UPSTREAM_WINDOW_SECONDS: '200', UPSTREAM_TIMEOUT_SECONDS: '900' },
    upstream: { chats, enforce: false }
  })

/** Lets a held export go on, until its body is there. */
async function letGo<Value>({ clock }: Stack, body: Promise<Value>): Promise<Value> {
  let isThere = false
  const note = () => {
    isThere = true
  }
  body.then(note, note)
  await until(async () => {
    await (clock as FakeClock).advance(5000)
    return isThere
  })
  return body
}

t.test('a caller that leaves stops the walk', async t => {
  const stack = await startHeld(t, 5000)
  const controller = new AbortController()
  const response = await stack.get('/chats/export', { signal: controller.signal })
  await response.body?.getReader().read()
  await until(() => stack.simulator.hits() === 3)
  controller.abort()
  await until(() => stack.lines.some(line => line.includes('"cut":"left"')))
  t.same((await stack.service.admin.inject('/status')).json().exports, [])
  await (stack.clock as FakeClock).advance(600_000)
  await read(stack.get('/chats?limit=1'))
  t.equal(stack.simulator.hits(), 4, 'that was the only call')
})

t.test(
  'a reader that takes nothing slows the walk to a stand, and is cut after a minute',
  async t => {
    const clock = new FakeClock()
    const stack = await start(t, { clock, upstream: { chats: 60_000 } })
    const socket = await dial(stack.url)
    socket.on('error', () => {})
    socket.write(
      `GET /chats/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokens.blue}\r\n\r\n`
    )
    let hits = -1
    await until(async () => {
      const before = hits
      hits = stack.simulator.hits()
      await new Promise(resolve => setTimeout(resolve, 50))
      return hits > 0 && hits === before
    })
    t.ok(hits < 400, `${hits} of 607 calls: what the system's buffers hold`)
    await clock.advance(sendTimeoutMs * 0.7)
    t.equal((await stack.service.admin.inject('/status')).json().exports.length, 1)
    await clock.advance(sendTimeoutMs)
    await until(() => stack.lines.some(line => line.includes('"cut":"left"')))
    t.same((await stack.service.admin.inject('/status')).json().exports, [])
    t.equal(stack.simulator.hits(), hits)
    socket.destroy()
  }
)

t.test('waiting for the budget is not held against the reader', async t => {
  const stack = await startHeld(t, 500)
  const body = stack.get('/chats/export').then(response => response.text())
  await until(() => stack.simulator.hits() === 3)
  const before = stack.clock.now()
  t.ok((await letGo(stack, body)).endsWith(endLine(500)))
  t.ok(stack.clock.now() - before > 3 * sendTimeoutMs)
  t.equal(stack.simulator.hits(), 6)
})

t.test('a team may have so many exports, and another one its own', async t => {
  const { get, simulator } = await startHeld(t, 5000)
  const controller = new AbortController()
  const { signal } = controller
  const running = await Promise.all(
    Array.from({ length: mostPerTeam }, () => get('/chats/export', { signal }))
  )
  t.ok(running.every(({ status }) => status === 200))
  const refused = await read(get('/chats/export'))
  checkProblem(t, refused, { status: 429, code: 'team_rate_limited' })
  const green = { authorization: `Bearer ${tokens.green}` }
  t.equal((await get('/chats/export', { headers: green, signal })).status, 200)
  t.ok(simulator.hits() <= 3, 'they walk together')
  controller.abort()
})

t.test('operators see who exports and how far it is', async t => {
  const stack = await startHeld(t, 500)
  const exports = async () => (await stack.service.admin.inject('/status')).json().exports
  const running = stack.get('/chats/export', { headers: { 'x-request-id': 'night-job' } })
  const body = running.then(response => response.text())
  await until(async () => (await exports())[0]?.done === 298)
  const [one] = await exports()
  t.same(Object.keys(one), ['id', 'team', 'done', 'total', 'etaSeconds'])
  t.match(one, { id: 'night-job', team: 'blue', done: 298, total: 500 })
  t.ok(one.etaSeconds > 100 && one.etaSeconds < 600, `${one.etaSeconds} s`)
  t.ok((await letGo(stack, body)).endsWith(endLine(500)))
  t.same(await exports(), [])
})
