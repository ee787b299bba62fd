/**
 * Exports as a whole, on a clock that is moved by hand: whom they ask, how patient they are, how they
 * end, and what they say of themselves.
 */

import t from 'tap'
import { type Export, Exports, mostPerTeam } from '../../../src/chats/export/exports.ts'
import type { BulkSupply } from '../../../src/chats/export/plan.ts'
import { parseExportQuery } from '../../../src/chats/export/query.ts'
import { mostAtOnce } from '../../../src/chats/export/read-ahead.ts'
import { leastPatienceMs as patienceMs } from '../../../src/chats/export/reading.ts'
import { type ErrorCode, ServiceError } from '../../../src/errors.ts'
import type { Call, Need, Send } from '../../../src/ports.ts'
import { ChangingList } from '../../support/changing-list.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { needOf } from '../../support/needs.ts'

const latencyMs = 100
const supply: BulkSupply = { slots: 100, free: 100, heldMs: 0 }
const windowMs = 60_000

interface Rig {
  readonly clock: FakeClock
  readonly exports: Exports
  readonly calls: { readonly call: Call; readonly need: Need; readonly at: number }[]
  /** The next calls for the window at this offset fail with these. */
  fail(offset: number, ...errors: Error[]): void
  open(query?: string, need?: Partial<Need>): Promise<Export>
}

function rig(list: ChangingList): Rig {
  const clock = new FakeClock()
  const calls: Rig['calls'] = []
  const failures = new Map<number, Error[]>()
  const fail = (offset: number, ...errors: Error[]) => {
    failures.set(offset, [...(failures.get(offset) ?? []), ...errors])
  }
  const send: Send = async (call, need) => {
    calls.push({ call, need, at: clock.now() })
    await pause(clock, latencyMs)
    const failure = failures.get(call.offset)?.shift()
    if (failure) throw failure
    return { page: list.read(call.offset), timing: { queueMs: 0, upstreamMs: latencyMs } }
  }
  const exports = new Exports({ clock, send, random: () => 1, windowMs, supply: () => supply })
  const open = (query = '', need: Partial<Need> = {}) =>
    exports.open('id', parseExportQuery(query), needOf({ deadline: clock.now() + 5000, ...need }))
  return { clock, exports, calls, fail, open }
}

const pause = (clock: FakeClock, ms: number) =>
  new Promise<void>(resolve => void clock.after(ms, resolve))

/** Lets the clock run until the promise is settled. */
async function settle<Value>(clock: FakeClock, promise: Promise<Value>): Promise<Value> {
  let isSettled = false
  const note = () => {
    isSettled = true
  }
  promise.then(note, note)
  while (!isSettled) await clock.advance(50)
  return promise
}

async function drainTexts(one: Export, texts: string[] = []): Promise<string[]> {
  for (let chats = await one.next(); chats; chats = await one.next())
    texts.push(...chats.map(chat => chat.toString()))
  return texts
}

const failure = (code: ErrorCode, retryAfterMs?: number) =>
  new ServiceError(code, code, retryAfterMs === undefined ? {} : { retryAfterMs })

t.test('the list is walked in bulk, in the one order that only grows at its end', async t => {
  const { calls, clock, open } = rig(new ChangingList(250))
  const one = await settle(clock, open())
  t.equal((await settle(clock, drainTexts(one))).length, 250)
  t.same(
    calls.map(({ call }) => call.target),
    [0, 99, 198].map(offset => `/chats?sort=chats.createdAt&order=asc&offset=${offset}&limit=100`)
  )
  t.ok(calls.every(({ need }) => need.priority === 'bulk' && need.team === 'blue'))
  t.same(one.summary, { count: 250, total: 250, complete: true })
})

t.test('a call of exports that walk together is wanted by all their teams', async t => {
  const { calls, clock, open } = rig(new ChangingList(2000))
  const both = Promise.all([open('', { team: 'blue' }), open('format=csv', { team: 'green' })])
  const [blue, green] = await settle(clock, both)
  const [one, other] = await settle(clock, Promise.all([drainTexts(blue), drainTexts(green)]))
  t.equal(calls.length, 21)
  t.same(one, other)
  t.same([...(calls[5]?.need.teams ?? [])].sort(), ['blue', 'green'])
})

t.test('different ranges do not walk together', async t => {
  const { calls, clock, open } = rig(new ChangingList(300))
  const three = [open(), open('offset=100'), open('offset=100&after=100')]
  const texts = (await settle(clock, Promise.all(three))).map(one => drainTexts(one))
  t.same(
    (await settle(clock, Promise.all(texts))).map(({ length }) => length),
    [300, 200, 200]
  )
  t.equal(calls.length, 4 + 3 + 3)
})

t.test('what goes wrong before the first chat is said at once', async t => {
  for (const code of ['upstream_error', 'budget_exhausted', 'upstream_timeout'] as const) {
    const { calls, clock, exports, fail, open } = rig(new ChangingList(300))
    fail(0, failure(code))
    await t.rejects(settle(clock, open()), { code })
    t.equal(calls.length, 1)
    t.equal((calls[0]?.need.deadline ?? 0) - (calls[0]?.at ?? 0), 5000, "the caller's patience")
    t.same(exports.report(), [])
  }
})

t.test('what passes is waited for once the export has begun', async t => {
  const { calls, clock, fail, open } = rig(new ChangingList(450))
  const one = await settle(clock, open())
  // Guesses fail as well, and are not repeated until they are wanted.
  fail(99, failure('upstream_timeout'))
  fail(198, failure('upstream_error'), failure('upstream_rate_limited', 20_000))
  fail(198, failure('upstream_unreachable'), failure('budget_exhausted', 1000))
  t.equal((await settle(clock, drainTexts(one))).length, 450)
  const tries = (offset: number) => calls.filter(({ call }) => call.offset === offset)
  const pauses = (offset: number) =>
    tries(offset).map(({ at }, index, all) => at - (all[index - 1]?.at ?? at))
  t.same(pauses(99), [0, 1100])
  t.same(pauses(198), [0, 1200, 20_100, 2100, 4100], 'longer each time, or as told')
  t.same(pauses(297), [0])
  const deadlines = tries(198).map(({ need }) => need.deadline)
  t.equal(deadlines[1], (tries(198)[1]?.at ?? 0) + patienceMs)
  t.equal(new Set(deadlines.slice(1)).size, 1, 'a window has one patience')
})

t.test(
  'an upstream that stays away breaks the export off, and no sooner than promised',
  async t => {
    const { calls, clock, exports, fail, open } = rig(new ChangingList(450))
    const one = await settle(clock, open())
    for (let count = 0; count < 100; count++) fail(99, failure('upstream_error'))
    const startedAt = clock.now()
    await t.rejects(settle(clock, drainTexts(one)), { code: 'upstream_error' })
    t.ok(clock.now() - startedAt > patienceMs - 31_000)
    t.ok(clock.now() - startedAt < patienceMs + 1000)
    t.ok(calls.length < 20, `${calls.length} calls`)
    one.close(new Error('done'))
    t.same(exports.report(), [])
  }
)

t.test('what no waiting cures breaks it off at once', async t => {
  for (const error of [
    failure('upstream_rejected'),
    failure('shutting_down'),
    new TypeError('bug')
  ]) {
    const { calls, clock, fail, open } = rig(new ChangingList(450))
    const one = await settle(clock, open())
    fail(99, error)
    await t.rejects(settle(clock, drainTexts(one)), { message: error.message })
    t.ok(calls.length <= 1 + mostAtOnce)
    t.equal(new Set(calls.map(({ call }) => call.offset)).size, calls.length, 'none again')
  }
})

t.test('a window that is no window is asked for again, never taken for the end', async t => {
  const list = new ChangingList(450)
  const clock = new FakeClock()
  let most = 100
  const exports = new Exports({
    ...{ clock, random: () => 1, windowMs, supply: () => supply },
    send: async call => ({
      page: list.read(call.offset, most),
      timing: { queueMs: 0, upstreamMs: 1 }
    })
  })
  const one = await exports.open('id', parseExportQuery(''), needOf())
  most = 1
  const texts = drainTexts(one)
  await clock.advance(10_000)
  most = 40
  t.equal((await settle(clock, texts)).length, 450)
})

t.test('a caller that leaves stops its walk within one call, wherever it is', async t => {
  for (const afterMs of [0, 50, 100, 150, 1000, 1250, 1350]) {
    const { calls, clock, exports, fail, open } = rig(new ChangingList(5000))
    // At 1000 it waits for the second try, at 1350 it is under way again.
    fail(99, failure('upstream_error'))
    const caller = new AbortController()
    const reading = open('', { signal: caller.signal }).then(one => drainTexts(one))
    reading.catch(() => {})
    await clock.advance(afterMs)
    const { length } = calls
    caller.abort(new Error('left'))
    await clock.advance(60_000)
    await t.rejects(reading, { message: 'left' }, `after ${afterMs} ms`)
    t.equal(calls.length, length, `after ${afterMs} ms`)
    t.same(exports.report(), [])
  }
})

t.test('one that leaves takes nothing from another that walks with it', async t => {
  const { clock, open } = rig(new ChangingList(1000))
  const caller = new AbortController()
  const both = Promise.all([open('', { signal: caller.signal }), open()])
  const [leaving, staying] = await settle(clock, both)
  await settle(clock, leaving.next())
  caller.abort(new Error('left'))
  t.equal((await settle(clock, drainTexts(staying))).length, 1000)
})

t.test('shutting down breaks off what is not complete, and lets end what is', async t => {
  const { clock, exports, open } = rig(new ChangingList(150))
  const complete = await settle(clock, open())
  await settle(clock, complete.next())
  await clock.advance(1000)
  const { clock: otherClock, exports: others, open: openOther } = rig(new ChangingList(1000))
  const broken = await settle(otherClock, openOther())
  exports.drain(3000)
  others.drain(3000)
  t.equal((await settle(clock, drainTexts(complete))).length, 50)
  await t.rejects(settle(otherClock, drainTexts(broken)), { code: 'shutting_down' })
})

t.test('a team has a bounded number of exports, and is told when one will have ended', async t => {
  const { clock, open } = rig(new ChangingList(20_000))
  const running = await settle(
    clock,
    Promise.all(Array.from({ length: mostPerTeam }, () => open()))
  )
  await t.rejects(open(), { code: 'team_rate_limited', retryAfterMs: 62_000 })
  await t.resolves(settle(clock, open('', { team: 'green' })))
  running[0]?.close(new Error('done'))
  await t.resolves(settle(clock, open()))
})

t.test('the plan counts calls, and time at the rate that is open to bulk', async t => {
  const plans: [size: number, query: string, calls: number, seconds: number][] = [
    [0, '', 1, 0],
    [100, '', 1, 0],
    [101, '', 2, 0.1],
    [5000, '', 51, 1.25],
    // 100 calls at once, the other 910 as slots come back: nine windows and a bit.
    [100_000, '', 1011, 547],
    [5000, 'offset=4900&after=4900', 2, 0.1],
    [5000, 'offset=4900', 1, 0]
  ]
  for (const [size, query, calls, seconds] of plans) {
    const { clock, open } = rig(new ChangingList(size))
    const one = await settle(clock, open(query))
    const { estimateMs, ...plan } = one.plan
    t.same(plan, { total: size, calls }, `${size} ${query}`)
    t.ok(Math.abs(estimateMs - seconds * 1000) <= 500, `${size} ${query}: ${estimateMs}`)
    one.close(new Error('done'))
  }
})

t.test('the report tells how far each export is, and its end by plan or pace', async t => {
  const { clock, exports, open } = rig(new ChangingList(10_000))
  const one = await settle(clock, open('offset=1000&after=1000', { team: 'green' }))
  const seen = () => exports.report().map(report => ({ ...report }))
  t.match(seen(), [{ id: 'id', team: 'green', done: 1000, total: 10_000, etaSeconds: 3 }])
  for (let windows = 0; windows < 10; windows++) await settle(clock, one.next())
  t.match(seen(), [{ done: 1990, etaSeconds: 5 }])
  await clock.advance(99_000)
  t.match(seen(), [{ done: 1990, etaSeconds: 806 }], 'a slow reader sets the pace')
})
