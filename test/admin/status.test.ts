/**
 * The operators' listener: what it tells, and whom it tells it.
 */

import t from 'tap'
import type { Status, TeamReport } from '../../src/observe/status.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startOperators } from '../support/operators.ts'
import { recordedStatus } from '../support/recorded-status.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

t.test('the status tells what the budget did', async t => {
  const { get, service } = await startStack(t, { env: { UPSTREAM_LIMIT: '3' } })
  for (const offset of [0, 100]) await get(`/chats?offset=${offset}`)
  const { budget, queue } = (await service.admin.inject('/status')).json()
  t.match(budget, { limit: 3, used: 2, maxInAnyWindow: 2, windowSeconds: 60, mode: 'open' })
  t.match(budget, { pausedUntil: null, journalProblem: null })
  t.match(queue, { length: 0, byClass: { interactive: 0, refresh: 0, bulk: 0 } })
})

/** The status, once the lines of all requests before it have been written. */
async function statusOf({ get, service }: Stack): Promise<Status> {
  await read(get('/healthz'))
  return (await service.admin.inject('/status')).json()
}

t.test('the status tells who it is', async t => {
  const stack = await startStack(t)
  const { service } = await statusOf(stack)
  t.match(service, { name: 'helpcrunch-proxy', version: /^\d/, instance: /./ })
  t.equal(new Date(service.startedAt).toISOString(), service.startedAt)
  t.ok(service.uptimeSeconds >= 0 && service.uptimeSeconds < 60)
})

t.test(
  'before the first request all figures are there, and none is null that has a value',
  async t => {
    const { cache, exports, replicas, teams, upstream } = await statusOf(await startStack(t))
    t.strictSame(cache, {
      ...{ entries: 0, bytes: 0, maxBytes: 128 * 1024 * 1024 },
      ...{ hits: 0, misses: 0, stale: 0, collapsed: 0, hitRatio: 0 },
      evictions: { room: 0, 'too-large': 0 }
    })
    t.strictSame(upstream, {
      ...{ calls: 0, byStatus: {}, latencyP50: null, latencyP99: null },
      ...{ lastError: null, recentErrors: [] }
    })
    const nothing = { requests: 0, calls: 0, saved: 0, refused: 0, waiting: 0 }
    t.strictSame(teams, { blue: nothing, green: nothing })
    t.strictSame(replicas, { mode: 'single', members: [] })
    t.strictSame(exports, [])
  }
)

t.test('the cache is told by what the answers were, and the teams by what they cost', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock })
  const { get } = stack
  const asGreen = { headers: { authorization: `Bearer ${tokens.green}` } }
  await Promise.all([read(get('/chats')), read(get('/v1/chats', asGreen)), read(get('/chats'))])
  await read(get('/chats?limit=5', asGreen))
  await clock.advance(31_000)
  await read(get('/chats?limit=5'))
  const { cache, teams, upstream } = await statusOf(stack)
  t.match(cache, { hits: 1, misses: 1, stale: 1, collapsed: 2, hitRatio: 0.8 })
  t.ok(cache.entries > 0 && cache.bytes > 0)
  const { blue, green } = teams as { blue: TeamReport; green: TeamReport }
  t.match([blue.requests, green.requests], [3, 2])
  t.equal(blue.saved + green.saved, 4)
  // One for all who asked at the same time, and the refresh behind the stale answer.
  t.equal(blue.calls + green.calls, 2)
  t.match(upstream, { calls: 2, byStatus: { 200: 2 }, latencyP50: Number, latencyP99: Number })
})

t.test('failures of the upstream are told by status, and the last ones in words', async t => {
  const stack = await startStack(t)
  const { get, simulator } = stack
  simulator.fault({ kind: 'status', status: 500 })
  await read(get('/chats'))
  simulator.fault({ kind: 'invalidJson' })
  await read(get('/chats'))
  simulator.fault({ kind: 'status', status: 401 })
  await read(get('/chats'))
  const { upstream } = await statusOf(stack)
  t.match(upstream, { calls: 3, byStatus: { 401: 1, 500: 1, invalid: 1 } })
  t.strictSame(
    upstream.recentErrors.map(({ code }) => code),
    ['upstream_unauthorized', 'upstream_invalid_response', 'upstream_error']
  )
  t.strictSame(upstream.lastError, upstream.recentErrors[0])
  for (const { at, detail } of upstream.recentErrors) {
    t.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at)
    t.match(detail, /^HelpCrunch .*\.$/)
  }
})

t.test('who is told to come back later is counted as refused', async t => {
  const stack = await startStack(t, {
    env: { UPSTREAM_LIMIT: '1', QUEUE_MAX_WAIT_SECONDS: '0', TEAM_RATE_LIMIT: '3' }
  })
  const statuses: number[] = []
  for (const path of ['/chats', '/chats?offset=100', '/v1/chats?offset=200', '/chats']) {
    statuses.push((await read(stack.get(path))).status)
  }
  t.strictSame(statuses, [200, 503, 429, 429])
  const { teams } = await statusOf(stack)
  t.strictSame(teams.blue, { requests: 4, calls: 1, saved: 0, refused: 3, waiting: 0 })
})

t.test('where no token is asked for, everybody is the one team', async t => {
  const stack = await startStack(t, { env: { TEAM_TOKENS: '' } })
  await read(fetch(`${stack.url}/chats`))
  const { teams } = await statusOf(stack)
  t.match(teams, { anonymous: { requests: 1, calls: 1, saved: 0 } })
  t.equal(Object.keys(teams).length, 1)
})

t.test('a pause and a theft of the key are counted', async t => {
  const clock = new FakeClock()
  const { get, lines, service, simulator } = await startStack(t, {
    ...{ clock, env: { UPSTREAM_LIMIT: '12' } }
  })
  simulator.fault({ kind: 'status', status: 429, headers: { 'retry-after': '30' } })
  await read(get('/chats', { headers: { prefer: 'wait=1' } }))
  const { budget } = (await service.admin.inject('/status')).json()
  t.match(budget, { mode: 'paused', pausedUntil: String, workingLimit: 2 })
  const { body } = await service.admin.inject('/metrics')
  t.match(body, /^helpcrunch_proxy_pauses_total\{reason="paused"\} 1$/m)
  t.match(body, /^helpcrunch_proxy_thefts_total 1$/m)
  t.match(body, /^helpcrunch_proxy_mode\{mode="paused"\} 1$/m)
  t.match(body, /^helpcrunch_proxy_mode\{mode="open"\} 0$/m)
  const warnings = lines.map(line => JSON.parse(line)).filter(({ level }) => level === 40)
  t.match(
    warnings.filter(({ msg }) => msg !== 'request'),
    [
      { mode: 'paused', msg: /429/ },
      { calls: 10, msg: /somebody else/ }
    ]
  )
})

t.test('the metrics have the same figures', async t => {
  const { get, service } = await startStack(t)
  await get('/chats')
  const { body, headers } = await service.admin.inject('/metrics')
  t.match(headers['content-type'], 'text/plain')
  t.match(body, /^helpcrunch_proxy_budget_max_in_any_window 1$/m)
})

t.test('foreign host names and other sites are refused, IP literals are not', async t => {
  const { service } = await startStack(t, { env: { ADMIN_ALLOWED_HOSTS: 'proxy.example' } })
  const statusFor = async (headers: Record<string, string>) =>
    (await service.admin.inject({ url: '/status', headers })).statusCode
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io']) {
    t.equal(await statusFor({ host }), 403, host)
  }
  for (const host of ['localhost:8081', '127.0.0.1', '[::1]:8081', 'proxy.example']) {
    t.equal(await statusFor({ host }), 200, host)
  }
  t.equal(await statusFor({ host: 'localhost', 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await statusFor({ host: 'localhost', origin: 'https://evil.example' }), 403)
  t.equal(await statusFor({ host: 'localhost', 'sec-fetch-site': 'same-origin' }), 200)
})

t.test('ADMIN_TOKEN is asked for, as bearer or as the password of Basic', async t => {
  const { service } = await startStack(t, { env: { ADMIN_TOKEN: 'operators:secret' } })
  const ask = (authorization?: string) =>
    service.admin.inject({ url: '/status', headers: authorization ? { authorization } : {} })
  const basic = (password: string) => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`
  for (const wrong of [
    undefined,
    'Bearer wrong',
    basic('wrong'),
    `Bearer ${tokens.blue}`,
    'Basic !'
  ]) {
    const answer = await ask(wrong)
    t.equal(answer.statusCode, 401)
    t.match(answer.headers['www-authenticate'], /^Basic/)
  }
  t.equal((await ask('Bearer operators:secret')).statusCode, 200)
  t.equal((await ask(basic('operators:secret'))).statusCode, 200)
})

t.test('what is not there is a problem, and holds nothing of teams', async t => {
  const { service } = await startStack(t)
  const answer = await service.admin.inject('/chats')
  t.equal(answer.statusCode, 404)
  t.match(answer.json(), { code: 'not_found' })
  const garbled = await service.admin.inject('/%zz')
  t.equal(garbled.statusCode, 400)
  t.match(garbled.json(), { code: 'bad_request' })
  t.equal(garbled.headers['x-content-type-options'], 'nosniff')
  t.notMatch((await service.admin.inject('/status')).body, /canary/)
})

t.test('a query that was meant to make less stale is refused, and makes nothing stale', async t => {
  const { app, invalidations } = await startOperators(t, { status: recordedStatus })
  const rows = { '?tag=x': ['tag'], '?tag=x&chat=7&tag=y': ['tag', 'chat'], '?team': ['team'] }
  for (const [query, names] of Object.entries(rows)) {
    const { body, headers, statusCode } = await app.inject({
      ...{ method: 'DELETE', url: `/cache${query}` }
    })
    const answer = { body, headers: new Headers(headers as object), status: statusCode }
    const { errors } = checkProblem(t, answer, { status: 400, code: 'invalid_query' }, query)
    t.same(
      errors.map(({ code }) => code),
      names,
      query
    )
  }
  t.equal(invalidations(), 0)
  for (const url of ['/cache', '/cache?']) await app.inject({ method: 'DELETE', url })
  t.equal(invalidations(), 2)
})

t.test('a wrong method is told which ones are right, after the guards', async t => {
  const { service } = await startStack(t, { env: { ADMIN_TOKEN: 'operators:secret' } })
  const ask = async (method: 'PUT', url: string, headers: Record<string, string>) => {
    const {
      statusCode: status,
      body,
      ...answer
    } = await service.admin.inject({
      ...{ method, url, headers },
      // Too large for every route: a body does not decide.
      payload: '{'.repeat(2_000)
    })
    return { status, body, headers: new Headers(answer.headers as Record<string, string>) }
  }
  const rows = {
    ...{ 'POST /status': 'GET, HEAD', 'PUT /metrics': 'GET, HEAD', 'DELETE /explain': 'GET, HEAD' },
    ...{ 'POST /': 'GET, HEAD', 'DELETE /page/main.js': 'GET, HEAD', 'POST /events': 'GET' },
    ...{ 'POST /cache?x=1': 'DELETE', 'PUT /cache': 'DELETE', 'OPTIONS /cache': 'DELETE' }
  }
  const authorization = 'Bearer operators:secret'
  for (const [name, allow] of Object.entries(rows)) {
    const [method, url = ''] = name.split(' ') as ['PUT', string]
    const answer = await ask(method, url, { authorization })
    checkProblem(t, answer, { status: 405, code: 'method_not_allowed' }, name)
    t.equal(answer.headers.get('allow'), allow, name)
    const stranger = await ask(method, url, {})
    checkProblem(t, stranger, { status: 401, code: 'unauthenticated' }, name)
    t.equal((await ask(method, url, { authorization, host: 'evil.example' })).status, 403, name)
  }
  const nowhere = await ask('PUT', '/chats', { authorization })
  checkProblem(t, nowhere, { status: 404, code: 'not_found' })
})
