/**
 * Group D: whatever goes wrong upstream, in front of every state of a page. Nothing stored: our own
 * problem, whose fault it is, and when to come back if that is known. Fresh: nothing is noticed.
 * Stale: the old answer at once, or, once it is too old for that, marked with what went wrong. A
 * fault is never stored, is the same for all who wait, and leaves nothing behind.
 */

import t, { type Test } from 'tap'
import { startSimulator } from '../../simulator/upstream.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import type { Answer } from '../support/raw-socket.ts'
import { apiKey, type Stack, startStack } from '../support/stack.ts'
import {
  bodies,
  dated,
  limited,
  limits,
  statuses,
  type UpstreamFault,
  wires
} from '../support/upstream-faults.ts'

class Scene {
  readonly #stack: Stack
  readonly #clock: FakeClock
  readonly #row: UpstreamFault
  #storedAt = 0

  constructor(stack: Stack, clock: FakeClock, row: UpstreamFault) {
    this.#stack = stack
    this.#clock = clock
    this.#row = row
  }

  get calls(): number {
    return this.#stack.simulator.hits()
  }

  break(): void {
    this.#stack.simulator.faultAll(this.#row.fault(this.#clock.wall()))
  }

  /** Well again, and changed, so that an old answer can be told from a new one. */
  mend(): void {
    this.#stack.simulator.faultAll(undefined)
    this.#stack.simulator.store.create()
  }

  async pass(seconds: number): Promise<void> {
    await this.#clock.advance(seconds * 1000)
  }

  /** Asks, and remembers when it was answered. */
  async store(): Promise<Answer> {
    const [answer] = await this.ask()
    this.#storedAt = this.#clock.now()
    return answer as Answer
  }

  /** Asks, and checks that all are answered with what is stored. */
  async askOld(t: Test, old: Answer, { detail = '', count = 2 } = {}): Promise<void> {
    const age = () => Math.floor((this.#clock.now() - this.#storedAt) / 1000)
    const least = age()
    const answers = await this.ask(count)
    // It was stored a moment before it was answered.
    const told = answers.filter(answer => checkOld(t, answer, old, [least, age() + 1]) === detail)
    // Whoever comes right after the failure is not made to wait for another.
    t.ok(told.length >= (detail ? 1 : count), `${told.length} of ${count} are told "${detail}"`)
  }

  /** Asks so often at once, and lets pass what has to until all are answered. */
  async ask(count = 1): Promise<Answer[]> {
    const asked = Array.from({ length: count }, () => read(this.#stack.get('/chats?limit=3')))
    let done = false
    const all = Promise.all(asked).finally(() => {
      done = true
    })
    while (this.#row.takes && !done) {
      await this.#roundTrip()
      await this.#clock.advance(50)
    }
    return all
  }

  /** Until the call that runs behind an answer was made and has failed. */
  async settle(callsBefore: number): Promise<void> {
    for (let tries = 0; this.calls === callsBefore && tries < 500; tries++) await this.#roundTrip()
    if (this.#row.takes === 'the time limit') await this.#clock.advance(11_000)
    for (let turn = 0; turn < 5; turn++) await this.#roundTrip()
  }

  async #roundTrip(): Promise<void> {
    await (await fetch(`${this.#stack.url}/healthz`)).text()
  }
}

type Span = readonly [least: number, most: number]

const field = ({ headers }: Answer, name: string) => headers.get(name) ?? ''

/** An answer from what was stored, and as old as it says. @returns what else Cache-Status says */
function checkOld(t: Test, answer: Answer, old: Answer, seconds: Span): string {
  t.same([answer.status, answer.body], [200, old.body])
  t.equal(field(answer, 'etag'), field(old, 'etag'))
  const status = /^helpcrunch-proxy; hit; ttl=(-?\d+)(.*)$/.exec(field(answer, 'cache-status'))
  const [, ttl, what = ''] = status ?? []
  const age = Number(field(answer, 'age'))
  const [least, most] = seconds
  t.ok(age >= least && age <= most, `Age ${age} after ${least} to ${most} s`)
  // What is left is rounded down, what has passed is too.
  t.ok([29, 30].includes(Number(ttl) + age), `ttl ${ttl} at Age ${age}`)
  return what
}

async function play(t: Test, row: UpstreamFault): Promise<void> {
  const clock = new FakeClock()
  const stack = await startStack(t, {
    clock,
    env: {
      UPSTREAM_TIMEOUT_SECONDS: row.takes === 'the time limit' ? '10' : '36000',
      UPSTREAM_MAX_BODY_MB: '2',
      CACHE_REFRESH_AHEAD: 'false',
      CACHE_READ_AHEAD: 'false',
      CACHE_ADAPTIVE: 'false'
    }
  })
  const scene = new Scene(stack, clock, row)

  // Nothing is stored.
  scene.break()
  const answers = await scene.ask()
  for (const answer of answers) {
    const { retryAfter = 0 } = checkProblem(
      t,
      answer,
      { status: row.status, code: row.code },
      row.name
    )
    const [least, most] = row.retryAfter ?? [0, Infinity]
    t.ok(retryAfter >= least && retryAfter <= most, `${retryAfter} s`)
  }
  t.ok(
    row.code === limited.code ? scene.calls >= 1 : scene.calls === (row.calls ?? 1),
    `${scene.calls} calls`
  )

  // It was not stored, and leaves nothing behind.
  scene.mend()
  await scene.pass(600)
  const fresh = await scene.store()
  t.match(field(fresh, 'cache-status'), 'fwd=uri-miss; fwd-status=200; stored')
  t.equal(JSON.parse(fresh.body).data.length, 3)

  // Fresh: nobody notices.
  scene.break()
  const calls = scene.calls
  await scene.pass(10)
  await scene.askOld(t, fresh)
  t.equal(scene.calls, calls)

  // Stale: at once, and the refresh behind it hurts nobody.
  await scene.pass(35)
  await scene.askOld(t, fresh)
  await scene.settle(calls)
  t.ok(scene.calls > calls, 'it was tried')

  // Too old for that: tried, and marked with what went wrong.
  await scene.pass(400)
  scene.break()
  await scene.askOld(t, fresh, { detail: `; detail=${row.code}`, count: 5 })

  scene.mend()
  await scene.pass(600)
  const young = await scene.store()
  t.match(field(young, 'cache-status'), 'fwd=stale; fwd-status=200; stored')
  t.not(young.body, fresh.body)
}

for (const [what, rows] of Object.entries({
  wires,
  bodies,
  statuses,
  limits: [...limits, dated]
})) {
  t.test(what, async t => {
    for (const row of rows) await t.test(row.name, t => play(t, row))
  })
}

/** D8: an answer, not a failure. */
t.test('a rejection is passed on whatever is stored, is not kept, and removes nothing', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const rejected = { status: 400, code: 'upstream_rejected' }
  const text = '{"errors":[{"code":"customer","message":"numeric"}]}'
  const reject = () => simulator.faultAll({ kind: 'status', status: 400, body: text })
  reject()
  const cold = checkProblem(t, await read(get('/chats?limit=3')), rejected, 'cold')
  t.same(cold.errors, [{ code: 'customer', message: 'numeric' }])
  simulator.faultAll(undefined)
  const stored = await read(get('/chats?limit=3'))
  t.equal(stored.status, 200)
  reject()
  t.equal((await read(get('/chats?limit=3'))).body, stored.body, 'fresh')
  await clock.advance(100_000)
  checkProblem(t, await read(get('/chats?limit=3')), rejected, 'stale')
  const kept = { headers: { 'cache-control': 'only-if-cached' } }
  t.equal((await read(get('/chats?limit=3', kept))).body, stored.body)
})

/** D1, D15: nobody listens, and then somebody does again. */
t.test('a refused connection costs a caller nothing that is stored, and is got over', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const fresh = await read(get('/chats?limit=3'))
  await simulator.close()
  await clock.advance(10_000)
  t.equal((await read(get('/chats?limit=3'))).body, fresh.body)
  await clock.advance(90_000)
  const old = await read(get('/chats?limit=3'))
  t.equal(old.body, fresh.body)
  t.match(field(old, 'cache-status'), 'hit; ttl=-70; detail=upstream_unreachable')
  const again = await startSimulator({ apiKey, port: simulator.port, chats: 100 })
  t.teardown(() => again.close())
  await clock.advance(10_000)
  const young = await read(get('/chats?limit=3'))
  t.match(field(young, 'cache-status'), 'fwd=stale; fwd-status=200; stored')
  t.equal(young.headers.get('x-total-count'), '100')
})

/** D11: the caller need not know. */
t.test('one 429 is waited out, paused for as long as it says, and for everybody', async t => {
  const clock = new FakeClock()
  const env = { UPSTREAM_TIMEOUT_SECONDS: '36000' }
  const stack = await startStack(t, { clock, env })
  const { simulator } = stack
  simulator.fault({ kind: 'status', status: 429, headers: { 'retry-after': '3' } })
  const asked = ['/chats?limit=1', '/chats?offset=100'].map(path => read(stack.get(path)))
  const started = clock.now()
  let done = false
  const answers = Promise.all(asked).finally(() => {
    done = true
  })
  let callsWithin = 0
  while (!done) {
    await (await fetch(`${stack.url}/healthz`)).text()
    if (clock.now() - started < 2900) callsWithin = simulator.hits()
    await clock.advance(50)
  }
  t.same(
    (await answers).map(({ status }) => status),
    [200, 200]
  )
  t.ok(clock.now() - started >= 3000, `${clock.now() - started} ms`)
  t.ok(callsWithin <= 2, `${callsWithin} calls in its time`)
})

/** D21 */
t.test('fifty who wait for a slow answer get the same bytes from one call', async t => {
  const { get, simulator } = await startStack(t, { upstream: { latencyMs: 300 } })
  const answers = await Promise.all(Array.from({ length: 50 }, () => read(get('/chats'))))
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(new Set(answers.map(({ body }) => body)).size, 1)
  t.equal(simulator.hits(), 1)
})

/** D23 */
t.test('what the upstream says of its own clock and caches is not believed', async t => {
  const clock = new FakeClock()
  const { get, simulator } = await startStack(t, { clock })
  const odd: readonly Record<string, string>[] = [
    { date: 'Thu, 01 Jan 1970 00:00:00 GMT', age: '99999999' },
    { date: 'Fri, 31 Dec 9999 23:59:59 GMT', age: '-5' },
    { date: 'junk', age: 'junk', expires: '0', 'cache-control': 'no-store, max-age=0' },
    { 'cache-control': 'public, max-age=31536000, immutable', etag: '"theirs"', vary: '*' }
  ]
  for (const [index, headers] of odd.entries()) {
    simulator.fault({ kind: 'headers', headers })
    const path = `/chats?offset=${100 * index}`
    await read(get(path))
    await clock.advance(7000)
    const answer = await read(get(path))
    t.match(field(answer, 'cache-status'), /^helpcrunch-proxy; hit; ttl=2[0-3]$/)
    t.equal(field(answer, 'age'), '7')
    t.not(field(answer, 'etag'), '"theirs"')
    const [, maxAge] = /^private, max-age=(\d+)$/.exec(field(answer, 'cache-control')) ?? []
    t.ok(Number(maxAge) >= 27 && Number(maxAge) <= 30, `max-age ${maxAge}`)
  }
})
