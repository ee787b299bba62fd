/**
 * HTTP caching as data: each case of `caching-cases.ts` over a real socket, in front of a service
 * whose clock is moved by hand. And what no table can say: all headers of an answer, a wall clock
 * that jumps, and wishes one after the other.
 */

import t, { type Test } from 'tap'
import { FakeClock } from '../support/fake-clock.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'
import { type Case, cases, lasting, type Wanted } from './caching-cases.ts'

/** One request with exactly these headers. */
async function ask(
  { url }: Stack,
  headers: readonly string[] = [],
  method: 'GET' | 'HEAD' = 'GET'
): Promise<Answer> {
  const lines = ['Host: x', `Authorization: Bearer ${tokens.blue}`, 'Connection: close', ...headers]
  const request = `${method} /chats?limit=3 HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
  const { answers, rest } = await converse(url, request, { method })
  const [answer] = answers
  if (!answer || rest !== '') throw new Error(`no answer, or more than one: ${rest}`)
  return answer
}

/** Waits for the calls that run behind an answer; that there are no more is asked afterwards. */
async function callsOf({ simulator, url }: Stack, before: number, wanted: number) {
  for (let tries = 0; simulator.hits() - before < wanted && tries < 500; tries++) {
    await (await fetch(`${url}/healthz`)).text()
  }
  await (await fetch(`${url}/healthz`)).text()
  return simulator.hits() - before
}

function checkHeaders(t: Test, { headers }: Answer, wanted: Wanted, tag: string): void {
  const { age, cache, maxAge } = wanted
  if (cache !== undefined) t.equal(headers.get('cache-status'), `helpcrunch-proxy; ${cache}`)
  if (age !== undefined) t.equal(headers.get('age'), `${age}`)
  if (maxAge !== undefined) t.equal(headers.get('cache-control'), `private, max-age=${maxAge}`)
  if (wanted.tag !== undefined) t.equal(headers.get('etag') === tag, wanted.tag === 'same', 'tag')
}

async function run(t: Test, { age, headers, method, upstream, wanted }: Case): Promise<void> {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: lasting })
  const stored = age === undefined ? undefined : await ask(stack)
  await clock.advance((age ?? 0) * 1000)
  if (upstream === 'failing') stack.simulator.faultAll({ kind: 'status', status: 500 })
  if (upstream === 'changed') stack.simulator.store.create()
  const before = stack.simulator.hits()
  const tag = stored?.headers.get('etag') ?? ''
  const answer = await ask(
    stack,
    headers?.map(line => line.replace('<tag>', tag).replace('<bare tag>', tag.slice(1, -1))),
    method
  )
  t.equal(answer.status, wanted.status)
  t.equal(answer.body === '', wanted.status === 304 || method === 'HEAD', 'body')
  if (method === 'HEAD' && answer.status === 200 && stored)
    t.equal(answer.headers.get('content-length'), `${Buffer.byteLength(stored.body)}`)
  checkHeaders(t, answer, wanted, tag)
  t.equal(await callsOf(stack, before, wanted.calls), wanted.calls, 'calls')
}

for (const [what, rows] of Object.entries(cases)) {
  t.test(what, async t => {
    for (const row of rows) {
      await t.test(`${row.name} (${row.section})`, t => run(t, row))
    }
  })
}

t.test('an answer is as old as its call: nobody knows of which moment it is', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: lasting })
  const isSlow = () => {
    clock.stall(7000)
    return false
  }
  stack.simulator.fault({ kind: 'hang', match: isSlow })
  const told = async () => {
    const { headers } = await ask(stack)
    return ['age', 'cache-control', 'cache-status'].map(name => headers.get(name))
  }
  const lifetime = 'private, max-age=30'
  const fetched = 'helpcrunch-proxy; fwd=uri-miss; fwd-status=200; stored'
  t.same(await told(), ['7', lifetime, fetched])
  await clock.advance(3000)
  t.same(await told(), ['10', lifetime, 'helpcrunch-proxy; hit; ttl=20'])
})

const promised = [
  ...['age', 'cache-control', 'cache-status', 'etag', 'link', 'ratelimit', 'ratelimit-policy'],
  ...['vary', 'x-content-type-options', 'x-request-id', 'x-total-count']
]
/** Of the protocol, and of the connection of these tests. */
const ordinary = ['connection', 'date']
const ofContent = ['content-length', 'content-type']

const names = ({ headers }: Answer) => [...headers.keys()].sort()

t.test('an answer has the promised headers and no others', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: lasting })
  const miss = await ask(stack)
  const hit = await ask(stack)
  const head = await ask(stack, [], 'HEAD')
  const unmodified = await ask(stack, ['If-None-Match: *'])
  const all = [...promised, ...ordinary]
  t.same(names(miss), [...all, ...ofContent, 'server-timing'].sort())
  t.same(names(hit), [...all, ...ofContent].sort())
  t.same(names(head), names(hit))
  t.same(names(unmodified), all.sort())
  for (const { headers } of [miss, hit, head, unmodified])
    t.match(headers.get('vary'), /\baccept-encoding\b/i)
})

class JumpyClock extends FakeClock {
  jumpedMs = 0

  override wall(): number {
    return super.wall() + this.jumpedMs
  }
}

t.test('Age is never negative and never jumps, whatever the wall clock does', async t => {
  const clock = new JumpyClock()
  const stack = await startStack(t, { clock, env: lasting })
  await ask(stack)
  const tenYears = 10 * 365 * 86_400_000
  for (const [seconds, jumpedMs] of [3_600_000, -3_600_000, tenYears, -tenYears].entries()) {
    clock.jumpedMs = jumpedMs
    const { headers } = await ask(stack)
    t.equal(headers.get('age'), `${seconds}`)
    t.equal(headers.get('cache-status'), `helpcrunch-proxy; hit; ttl=${30 - seconds}`)
    await clock.advance(1000)
  }
  t.equal(stack.simulator.hits(), 1)
})

t.test('wishes force one call per page in five seconds, whoever has them', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: lasting })
  await ask(stack)
  await clock.advance(1000)
  for (const wish of ['no-cache', 'max-age=0', 'min-fresh=30', 'no-cache']) {
    await ask(stack, [`Cache-Control: ${wish}`])
    await clock.advance(1600)
  }
  t.equal(stack.simulator.hits(), 2)
  await clock.advance(200)
  const { headers } = await ask(stack, ['Cache-Control: no-cache'])
  t.equal(headers.get('cache-status'), 'helpcrunch-proxy; fwd=request; fwd-status=200; stored')
})

t.test('a stale page is told as one to everybody until it is refreshed', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: lasting })
  await ask(stack)
  await clock.advance(100_000)
  stack.simulator.faultAll({ kind: 'status', status: 500 })
  for (const age of [100, 101, 103, 104]) {
    const { headers } = await ask(stack)
    t.match(headers.get('cache-status'), `hit; ttl=${30 - age}`)
    t.equal(headers.get('age'), `${age}`)
    const maxAge = Number(/max-age=(\d+)/.exec(headers.get('cache-control') ?? '')?.[1])
    t.ok(maxAge <= age, `max-age ${maxAge} at age ${age}`)
    await clock.advance(age === 101 ? 2000 : 1000)
  }
})
