/**
 * What Prometheus is told: the same figures as the status, in both of its formats, and no more
 * series than there were at the start, whatever callers send.
 */

import { readFile } from 'node:fs/promises'
import t from 'tap'
import { parse } from 'yaml'
import { Random } from '../../simulator/random.ts'
import { routeNames } from '../../src/observe/requests.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { samplesOf } from '../support/metrics.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const openMetrics = 'application/openmetrics-text'

async function scrape({ service }: Pick<Stack, 'service'>, accept = 'text/plain') {
  const { body, headers } = await service.admin.inject({ url: '/metrics', headers: { accept } })
  return { body, headers, samples: samplesOf(body) }
}

const paths = [
  ...['/chats', '/v1/chats', '/chats/1', '/chats/100001/messages', '/chats/search', '/chats/'],
  ...['/', '/docs', '/healthz', '/readyz', '/openapi.yaml', '/webhooks/helpcrunch', '/metrics'],
  ...[
    '/v1',
    '/v1/',
    '/chats/search/',
    '/status',
    '/chats/x',
    '/%zz',
    '/%00',
    '*',
    '//',
    '/v2/chats'
  ]
]
const methods = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** A request of anybody for anything. */
function anyRequest(random: Random) {
  const word = () => Math.floor(random.next() * 36 ** 6).toString(36)
  const path = random.chance(0.5) ? random.pick(paths) : `/${word()}/${word()}`
  const query = random.pick([
    '',
    '',
    '?limit=1',
    `?offset=${100 * random.below(9)}`,
    `?${word()}=1`
  ])
  const token = random.pick([tokens.blue, tokens.blue, tokens.green, `${tokens.green}${word()}`])
  return {
    method: random.pick(methods),
    url: path + query,
    headers: {
      host: `${word()}.example`,
      ...(random.chance(0.9) && { authorization: `Bearer ${token}` }),
      ...(random.chance(0.3) && { [`x-${word()}`]: word() }),
      ...(random.chance(0.2) && { 'x-request-id': word(), 'user-agent': `${word()}\u00e9"{}` }),
      ...(random.chance(0.2) && { 'cache-control': random.pick(['no-cache', 'only-if-cached']) }),
      ...(random.chance(0.1) && { 'if-none-match': '*', prefer: 'wait=0' })
    }
  }
}

t.test('10,000 requests of anybody for anything leave as many series as 100', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, upstream: { chats: 900 } })
  const seed = Math.floor(Math.random() * 2 ** 31)
  const random = new Random(seed)
  const ask = async (count: number) => {
    for (let asked = 0; asked < count; asked += 20) {
      const requests = Array.from({ length: 20 }, () => anyRequest(random))
      const answers = requests.map(request => stack.service.app.inject(request))
      // Time passes too, so that pages become stale and the budget comes back.
      clock.stall(random.below(300))
      await Promise.all(answers)
    }
  }
  const names = async () => (await scrape(stack)).samples.map(({ series }) => series).sort()
  await ask(100)
  const early = await names()
  await ask(9900)
  t.strictSame(await names(), early, `seed ${seed}`)
  const { samples } = await scrape(stack)
  const requests = samples.filter(({ name }) => name === 'helpcrunch_proxy_requests_total')
  const counted = requests.reduce((sum, { value }) => sum + value, 0)
  t.ok(counted >= 9900, `${counted} were counted, seed ${seed}`)
  const kinds = requests.filter(({ value }) => value > 0)
  t.ok(kinds.length > 30, `of ${kinds.length} kinds, seed ${seed}`)
  t.strictSame(
    kinds.filter(({ labels }) => labels.status === 'other'),
    [],
    `all kinds of answers are known, seed ${seed}`
  )
})

t.test('the start has all series there will be', async t => {
  const stack = await startStack(t)
  const names = async () => (await scrape(stack)).samples.map(({ series }) => series)
  const before = await names()
  await (await stack.get('/chats')).text()
  await (await stack.get('/nowhere')).text()
  t.strictSame(await names(), before)
})

t.test('every route of the contract is told apart', async t => {
  const document = parse(await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8'))
  const paths = Object.keys(document.paths)
  t.ok(paths.length > 5)
  for (const path of paths) t.ok(routeNames.includes(path), path)
})

t.test('requests, hits and misses are counted where they belong', async t => {
  const stack = await startStack(t)
  for (const path of ['/chats', '/v1/chats?limit=3', '/chats?limit=0', '/nowhere']) {
    await (await stack.get(path)).text()
  }
  await (await stack.get('/healthz')).text()
  const { body } = await scrape(stack)
  const requests = (labels: string) => `helpcrunch_proxy_requests_total{${labels}} 1`
  for (const line of [
    requests('team="blue",route="/chats",status="200",cache="miss"'),
    requests('team="blue",route="/chats",status="200",cache="hit"'),
    requests('team="blue",route="/chats",status="400",cache="none"'),
    requests('team="blue",route="(none)",status="404",cache="none"'),
    'helpcrunch_proxy_hit_duration_seconds_count 1',
    'helpcrunch_proxy_miss_duration_seconds_count 1',
    'helpcrunch_proxy_calls_total{team="blue"} 1',
    'helpcrunch_proxy_saved_calls_total{team="blue"} 1',
    'helpcrunch_proxy_upstream_calls_total{status="200"} 1',
    'helpcrunch_proxy_queue_wait_seconds_count{class="interactive"} 1'
  ]) {
    t.ok(body.split('\n').includes(line), line)
  }
})

t.test('OpenMetrics is spoken to who asks for it, and ends as it has to', async t => {
  const stack = await startStack(t)
  const prometheus =
    `${openMetrics};version=1.0.0;escaping=allow-utf-8;q=0.6,` +
    `${openMetrics};version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,*/*;q=0.2`
  const rows: [accept: string, type: string][] = [
    [prometheus, openMetrics],
    [openMetrics, openMetrics],
    ['text/plain;version=0.0.4', 'text/plain'],
    [`${openMetrics};q=0.1,text/plain;q=0.2`, 'text/plain'],
    ['*/*', 'text/plain'],
    ['', 'text/plain'],
    ['image/png', 'text/plain']
  ]
  for (const [accept, type] of rows) {
    const { body, headers } = await scrape(stack, accept)
    t.match(headers['content-type'], new RegExp(`^${type}; version=`), accept)
    t.equal(body.endsWith('\n# EOF\n'), type === openMetrics, accept)
    t.match(body, /^process_cpu_seconds_total \d/m)
    t.notMatch(body, /NaN/i)
  }
})

t.test('both formats tell the same series', async t => {
  const stack = await startStack(t)
  const [old, young] = [await scrape(stack), await scrape(stack, openMetrics)]
  const names = ({ samples }: typeof old) => samples.map(({ series }) => series)
  t.strictSame(names(old), names(young))
  t.ok(old.samples.length > 300)
})

t.test('a histogram counts upwards, and ends at its count', async t => {
  const stack = await startStack(t)
  for (let asked = 0; asked < 9; asked++) await (await stack.get('/chats')).text()
  const { samples } = await scrape(stack)
  const buckets = samples.filter(
    ({ name }) => name === 'helpcrunch_proxy_hit_duration_seconds_bucket'
  )
  const values = buckets.map(({ value }) => value)
  t.strictSame(
    values,
    values.toSorted((a, b) => a - b)
  )
  t.match(buckets.at(-1), { labels: { le: '+Inf' }, value: 8 })
})
