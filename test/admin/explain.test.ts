/** `GET /explain`: what it says is what callers are then told, and its own mistakes are problems. */

import t from 'tap'
import type { Explanation } from '../../src/explanation.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Stack, startStack } from '../support/stack.ts'

async function explain({ service }: Stack, path: string, team = 'blue'): Promise<Explanation> {
  const url = `/explain?path=${encodeURIComponent(path)}&team=${team}`
  const answer = await service.admin.inject(url)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json()
}

t.test(
  'a page is explained before it is there, while it is fresh and when it is stale',
  async t => {
    const clock = new FakeClock()
    const stack = await startStack(t, { clock })
    const before = await explain(stack, '/v1/chats?limit=5&order=DESC')
    t.match(before, {
      ...{ team: 'blue', route: '/chats', canonical: '/chats?order=desc&offset=0&limit=5' },
      ...{ calls: 1, isWhole: true, refusedBy: null },
      answer: { status: 200, cache: 'miss', dependsOnUpstream: true }
    })
    t.match(before.pages, [
      {
        ...{ key: '/chats?order=desc&offset=0&limit=100', freshness: 'absent', from: 'call' },
        ...{ ageSeconds: null, ttlSeconds: null, refusal: null },
        call: { position: 0, sentInSeconds: 0 }
      }
    ])
    await read(stack.get('/chats?limit=5&order=desc'))
    await clock.advance(10_000)
    const fresh = await explain(stack, '/chats?limit=7&order=desc', 'green')
    t.match(fresh, { calls: 0, answer: { status: 200, cache: 'hit', dependsOnUpstream: false } })
    t.match(fresh.pages, [
      { freshness: 'fresh', from: 'store', isRefreshedBehind: false, call: null }
    ])
    t.equal(Math.round(fresh.pages[0]!.ageSeconds!), 10)
    t.equal(Math.round(fresh.pages[0]!.ttlSeconds!), 20)
    await clock.advance(30_000)
    const stale = await explain(stack, '/chats?order=desc')
    t.match(stale, { calls: 0, answer: { status: 200, cache: 'stale' } })
    t.match(stale.pages, [{ freshness: 'stale-while-revalidate', isRefreshedBehind: true }])
  }
)

t.test('what a target is answered with is explained in the same words', async t => {
  const stack = await startStack(t)
  const targets = [
    ...['/chats', '/chats/', '/v1/chats', '/v1/chats/?limit=1', '/chats?', '/%63hats'],
    ...['/chats?limit=0', '/chats?limit=x&offset=-1', '/chats?sort=x&sort=y', '/v1/chats?Limit=1'],
    ...['/chats/100001', '/chats/00100001', '/chats/9999999', '/chats/100001?x=1', '/chats/%31'],
    ...[
      '/chats/100001/messages',
      '/chats/100001/messages/?limit=3',
      '/chats/100001/messages?sort=a'
    ],
    ...['/nowhere', '/chats/x', '/chats/1/2', '/v1/v1/chats', '//chats', '/chats/search', '/CHATS'],
    ...['/%zz', '/chats?limit=%', '/chats%00', `/chats?x=${'y'.repeat(8000)}`, '/chats?%00=1'],
    ...[`/chats/${'1'.repeat(31)}`, '/chats/1;x=1', '/chats?limit=1&limit=1', '/chats?offset=5000']
  ]
  for (const target of targets) {
    const said = await explain(stack, target)
    const { body, status } = await read(stack.get(target))
    const name = target.slice(0, 60)
    if (said.answer.dependsOnUpstream) t.ok(status === 200 || status === 404, name)
    else t.equal(said.answer.status, status, name)
    if (said.refusedBy) {
      const { code, errors } = JSON.parse(body)
      t.same({ code, errors }, { code: said.answer.code, errors: said.answer.errors }, name)
    }
    const again = await explain(stack, target)
    t.equal(again.answer.status, status, `${name}, once it is known`)
  }
})

t.test('looking changes nothing that can be seen', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock })
  await read(stack.get('/chats'))
  await read(stack.get('/healthz'))
  const figures = async () => {
    const { body } = await stack.service.admin.inject('/metrics')
    return body.split('\n').filter(line => line.startsWith('helpcrunch'))
  }
  const before = await figures()
  const limit = (await stack.get('/healthz')).headers.get('ratelimit')
  for (const path of ['/chats', '/chats?offset=100', '/nowhere', '/chats/1', '/chats?limit=0']) {
    await explain(stack, path)
  }
  await clock.advance(100)
  t.equal((await stack.get('/healthz')).headers.get('ratelimit'), limit)
  t.equal(stack.simulator.hits(), 1)
  const after = await figures()
  const isHealth = (line: string) => line.includes('route="/healthz"')
  t.same(
    after.filter(line => !isHealth(line)),
    before.filter(line => !isHealth(line))
  )
})

t.test('the team limit, the budget and the queue refuse, each by its name', async t => {
  const env = { UPSTREAM_LIMIT: '1', QUEUE_MAX_WAIT_SECONDS: '5', TEAM_RATE_LIMIT: '3' }
  const stack = await startStack(t, { clock: new FakeClock(), env })
  await read(stack.get('/chats'))
  const late = await explain(stack, '/chats?offset=100')
  t.match(late, { refusedBy: 'deadline', calls: 0 })
  t.match(late.answer, { status: 503, code: 'budget_exhausted', retryAfterSeconds: Number })
  t.match(late.pages, [{ call: null, refusal: { rule: 'deadline', detail: /No call/ } }])
  const forClients = await explain(stack, '/v1/chats?offset=100')
  t.equal(forClients.answer.status, 429)
  t.equal((await read(stack.get('/v1/chats?offset=100'))).status, 429)
  t.equal((await read(stack.get('/chats?offset=100'))).status, 503)
  const limited = await explain(stack, '/chats')
  t.match(limited, { refusedBy: 'team-limit', answer: { status: 429, code: 'team_rate_limited' } })
  const told = checkProblem(t, await read(stack.get('/chats')), {
    ...{ status: 429, code: 'team_rate_limited' }
  })
  t.equal(limited.answer.retryAfterSeconds, told.retryAfter)
  t.match(await explain(stack, '/chats', 'green'), { refusedBy: null, answer: { cache: 'hit' } })
})

t.test('the brake and the end of the service refuse, each by its name', async t => {
  const stack = await startStack(t, { clock: new FakeClock() })
  stack.simulator.fault({ kind: 'status', status: 401 })
  await read(stack.get('/chats'))
  const braked = await explain(stack, '/chats')
  t.match(braked, { refusedBy: 'brake', answer: { status: 502, code: 'upstream_unauthorized' } })
  stack.service.drain()
  const ending = await explain(stack, '/chats')
  t.match(ending, { refusedBy: 'shutting-down', answer: { status: 503, code: 'shutting_down' } })
})

t.test('secrets that strayed into a path are not repeated', async t => {
  const stack = await startStack(t)
  const said = await explain(stack, '/chats?token=TEAMTOKEN-canary-blue-0123456789')
  t.notMatch(JSON.stringify(said), /canary/)
})

t.test('its own mistakes are problems that name the parameter', async t => {
  const { service } = await startStack(t)
  const rows: [query: string, names: string[]][] = [
    ['', ['path', 'team']],
    ['?path=chats&team=blue', ['path']],
    ['?path=%2Fchats&team=red', ['team']],
    ['?path=%2Fchats', ['team']],
    ['?path=/chats?limit=1&offset=5&team=blue', ['offset']],
    ['?path=/chats&path=/chats&team=blue&team=green', ['path', 'team']],
    ['?path=%2Fhealthz&team=blue', ['path']],
    ['?path=%2Fchats%2Fexport&team=blue', ['path']],
    ['?path=/&team=blue', ['path']],
    ['?path=%zz&team=%E9', ['path', 'team']]
  ]
  for (const [query, names] of rows) {
    const { body, headers, statusCode: status } = await service.admin.inject(`/explain${query}`)
    const answer = { status, body, headers: new Headers(headers as Record<string, string>) }
    const problem = checkProblem(t, answer, { status: 400, code: 'invalid_query' }, query)
    t.same(
      problem.errors.map(({ code }) => code),
      names,
      query
    )
  }
})

t.test('who is the only team need not be named', async t => {
  const { service } = await startStack(t, { env: { TEAM_TOKENS: '' } })
  const said = (await service.admin.inject('/explain?path=%2Fchats')).json()
  t.match(said, { team: 'anonymous', answer: { cache: 'miss' } })
})
