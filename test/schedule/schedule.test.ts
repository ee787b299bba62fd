/**
 * What the schedule does for callers: sends at once, waits, refuses, forgets who left, tries again,
 * and shares fairly. Virtual time throughout; the numbers are those of the issue and the contract.
 */

import t from 'tap'
import { type Contact, type ErrorCode, type ErrorOptions, ServiceError } from '../../src/errors.ts'
import type { Place } from '../../src/ports.ts'
import { guardMs } from '../../src/schedule/ledger.ts'
import { settled } from '../support/fake-clock.ts'
import { callTo } from '../support/pages.ts'
import { type Rig, rig } from '../support/schedule.ts'

const broken = (code: ErrorCode, contact: Contact, options: ErrorOptions = {}) =>
  new ServiceError(code, 'for the test', { contact, ...options })

const many = (count: number, name: string) =>
  Array.from({ length: count }, (_, at) => `${name}${at}`)

const codesOf = ({ outcomes }: Rig) => [...outcomes.values()].map(({ code }) => code)

t.test(
  'a call goes out at once while a slot is free, and the next one window after an answer',
  async t => {
    const { ask, arrived, clock } = rig({ limit: 2, latencyMs: 100 })
    for (const target of ['a', 'b', 'c']) ask(target)
    await clock.advance(60_100 + guardMs - 1)
    t.equal(arrived.length, 2)
    await clock.advance(1)
    t.strictSame(
      arrived.map(({ target }) => target),
      ['a', 'b', 'c']
    )
  }
)

t.test(
  'who could not be sent before its deadline is refused on arrival, with the estimate',
  async t => {
    const { ask, clock, outcomes, arrived } = rig({ limit: 1, latencyMs: 0 })
    ask('first')
    await clock.advance(10_000)
    ask('second', { waitMs: 8000 })
    await settled()
    const { code, retryAfterMs = 0 } = outcomes.get('second') ?? {}
    t.equal(code, 'budget_exhausted')
    t.equal(retryAfterMs, 50_000 + guardMs)
    await clock.advance(retryAfterMs)
    ask('third', { waitMs: 0 })
    await clock.advance(0)
    t.equal(outcomes.get('third')?.code, 'ok', 'Retry-After honoured is served')
    t.equal(arrived.length, 2, 'a refusal spends no call')
  }
)

t.test(
  'somebody admitted and then overtaken is refused at the deadline, and no call is spent',
  async t => {
    const { ask, clock, outcomes, arrived } = rig({
      limit: 1,
      latencyMs: 0,
      weights: new Map([
        ['blue', 1],
        ['green', 1000]
      ])
    })
    ask('first')
    ask('overtaken', { waitMs: 61_000 })
    ask('overtaking', { team: 'green', waitMs: 61_000 })
    await clock.advance(60_999)
    t.notOk(outcomes.has('overtaken'))
    await clock.advance(1)
    t.equal(outcomes.get('overtaken')?.code, 'budget_exhausted')
    await clock.advance(200_000)
    t.notOk(arrived.some(({ target }) => target === 'overtaken'))
  }
)

t.test('1,000 callers that leave cost nothing, and the next one is served at once', async t => {
  const { ask, clock, arrived, outcomes } = rig({ limit: 5, latencyMs: 50, maxLength: 2000 })
  for (const target of many(5, 'sent')) ask(target)
  await clock.advance(1000)
  const timersBefore = clock.pending
  const callers = many(1000, 'leaving').map(target => ask(target))
  for (const caller of callers) caller.abort(new Error('left'))
  await settled()
  t.equal(clock.pending, timersBefore, 'no timer is left behind')
  await clock.advance(60_000)
  ask('next')
  await clock.advance(50)
  t.equal(outcomes.get('next')?.code, 'ok')
  t.equal(arrived.length, 6)
})

t.test('a newcomer goes out at once from the reserve while another team floods', async t => {
  const weights = new Map([
    ['blue', 1],
    ['green', 1]
  ])
  const { ask, clock, arrived } = rig({ limit: 120, latencyMs: 100, weights })
  for (const target of many(500, 'flood')) ask(target)
  await clock.advance(5000)
  t.equal(arrived.length, 110, 'the last twelfth is kept')
  for (const target of many(10, 'newcomer')) ask(target, { team: 'green' })
  await settled()
  t.equal(arrived.length, 120)
  ask('late', { team: 'green' })
  await clock.advance(60_000)
  const after = arrived.slice(120).findIndex(({ target }) => target === 'late')
  t.ok(after >= 0 && after < 2, 'with the reserve spent it is among the next two')
})

t.test('one team alone gets everything, as do several that are not configured', async t => {
  const { ask, clock, arrived } = rig({ limit: 120, latencyMs: 100 })
  for (const target of many(200, 'call')) ask(target)
  await clock.advance(1000)
  t.equal(arrived.length, 120)
})

t.test('two backlogged teams of weight 1:2 are served 1:2 over one window', async t => {
  const weights = new Map([
    ['blue', 1],
    ['green', 2]
  ])
  const { ask, clock, arrived } = rig({ limit: 120, latencyMs: 100, weights, concurrency: 8 })
  for (const target of many(400, 'blue')) ask(target)
  for (const target of many(400, 'green')) ask(target, { team: 'green' })
  await clock.advance(62_000)
  const counted = arrived.length
  await clock.advance(60_000)
  const window = arrived.slice(counted)
  const blue = window.filter(({ target }) => target.startsWith('blue')).length
  t.ok(Math.abs(blue / window.length - 1 / 3) <= 0.05 / 3, `${blue} of ${window.length}`)
})

t.test('a full bulk backlog never delays an interactive call', async t => {
  const { ask, clock, arrived, outcomes } = rig({ limit: 120, latencyMs: 200, concurrency: 8 })
  for (const target of many(500, 'bulk')) ask(target, { priority: 'bulk' })
  for (const [at, target] of many(15, 'miss').entries()) {
    await clock.advance(4000)
    const asked = clock.now()
    ask(target)
    await settled()
    t.equal(arrived.findLast(call => call.target === target)?.at, asked, `miss ${at}`)
  }
  await clock.advance(1000)
  t.ok(many(15, 'miss').every(target => outcomes.get(target)?.code === 'ok'))
})

t.test('each waiting class gets one send in twenty', async t => {
  const { ask, clock, arrived } = rig({ limit: 40, windowMs: 1000, latencyMs: 0 })
  for (const target of many(400, 'now')) ask(target)
  for (const target of many(20, 'refresh')) ask(target, { priority: 'refresh' })
  for (const target of many(20, 'bulk')) ask(target, { priority: 'bulk' })
  await clock.advance(5000)
  for (let from = 40; from + 20 <= 200; from += 20) {
    const block = arrived.slice(from, from + 20).map(({ target }) => target.replace(/\d+/, ''))
    t.equal(block.filter(name => name === 'bulk').length, 1)
    t.equal(block.filter(name => name === 'refresh').length, 1)
  }
})

t.test('a team never takes the last ten places of another', async t => {
  const weights = new Map([
    ['blue', 1],
    ['green', 1]
  ])
  const { ask, clock, outcomes } = rig({ limit: 1, maxLength: 30, latencyMs: 10, weights })
  for (const target of many(40, 'blue')) ask(target)
  await clock.advance(100)
  t.equal(codesOf({ outcomes } as Rig).filter(code => code === 'budget_exhausted').length, 19)
  for (const target of many(11, 'green')) ask(target, { team: 'green' })
  await clock.advance(1)
  t.equal(outcomes.get('green9')?.code, undefined)
  t.equal(outcomes.get('green10')?.code, 'budget_exhausted')
})

t.test(
  'one 429 pauses the whole key for its Retry-After; calls wait and are then served',
  async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
    ask('refused')
    await settled()
    arrived[0]?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs: 3000 }))
    await settled()
    ask('other')
    await clock.advance(2999)
    t.equal(arrived.length, 1)
    await clock.advance(1)
    t.equal(arrived.length, 2, 'one call goes first')
    t.equal(arrived[1]?.target, 'refused', 'the refused one, by its age')
    arrived[1]?.answer()
    await clock.advance(1000)
    arrived[2]?.answer()
    await settled()
    t.strictSame([...outcomes.keys()], ['refused', 'other'])
    t.strictSame(codesOf({ outcomes } as Rig), ['ok', 'ok'])
  }
)

t.test('a 429 that cannot be absorbed before the deadline is said at once', async t => {
  const { ask, arrived, outcomes } = rig({ limit: 120 })
  ask('refused', { waitMs: 2000 })
  await settled()
  arrived[0]?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs: 30_000 }))
  await settled()
  ask('other', { waitMs: 2000 })
  await settled()
  t.strictSame(codesOf({ outcomes } as Rig), ['upstream_rate_limited', 'upstream_rate_limited'])
  t.ok((outcomes.get('other')?.retryAfterMs ?? 0) >= 30_000)
})

t.test('a Retry-After that does not help is not believed again', async t => {
  const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
  ask('refused', { waitMs: 100_000 })
  // 0, a date gone by, and one too short.
  for (const [retryAfterMs, pauseMs] of [
    [0, 500],
    [0, 2000],
    [0, 4000],
    [3000, 8000],
    [20_000, 20_000]
  ] as const) {
    await settled()
    const calls = arrived.length
    arrived.at(-1)?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs }))
    await clock.advance(pauseMs - 1)
    t.equal(arrived.length, calls)
    await clock.advance(1)
    t.equal(arrived.length, calls + 1, `after ${pauseMs} ms`)
  }
  arrived.at(-1)?.answer()
  await settled()
  t.equal(outcomes.get('refused')?.code, 'ok')
})

t.test('whoever met nothing but 429 until its deadline hears of that', async t => {
  const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
  ask('other')
  ask('refused', { waitMs: 3000 })
  await settled()
  const limited = () => broken('upstream_rate_limited', 'answered', { retryAfterMs: 1000 })
  for (const call of [...arrived]) call.fail(limited())
  await clock.advance(1000)
  t.strictSame(
    arrived.slice(2).map(({ target }) => target),
    ['other'],
    'one goes first, and nobody else until it is answered'
  )
  await clock.advance(2000)
  const { at, code, retryAfterMs } = outcomes.get('refused') ?? {}
  t.same([at, code], [clock.now(), 'upstream_rate_limited'])
  t.type(retryAfterMs, 'number')
})

t.test('after a 429 the line is let loose gradually', async t => {
  const { ask, clock, arrived } = rig({ limit: 120, latencyMs: 10 })
  for (const target of many(119, 'own')) ask(target)
  await clock.advance(1000)
  ask('refused')
  await settled()
  arrived.at(-1)?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs: 61_000 }))
  for (const target of many(50, 'waiting')) ask(target)
  await clock.advance(61_000)
  const released = arrived.length
  await clock.advance(100)
  t.equal(arrived.length, released, 'not a herd')
  await clock.advance(3000)
  t.ok(arrived.length > released + 5, 'but soon at full pace')
})

t.test(
  'a 429 although the ledger had room lowers the limit by what was stolen, which recovers',
  async t => {
    const { ask, clock, arrived } = rig({ limit: 100, latencyMs: 10 })
    for (const target of many(39, 'own')) ask(target)
    await clock.advance(1000)
    ask('refused')
    await settled()
    arrived.at(-1)?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs: 0 }))
    await settled()
    for (const target of many(100, 'waiting')) ask(target)
    await clock.advance(10_000)
    t.ok(arrived.length < 55, `${arrived.length} held of 100 after the theft`)
    await clock.advance(240_000)
    t.ok(arrived.length >= 139, 'everyone is served in the end')
  }
)

t.test(
  'while the key is refused only a probe goes out now and then, until it works again',
  async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
    ask('first')
    await settled()
    arrived[0]?.fail(broken('upstream_unauthorized', 'answered'))
    await settled()
    for (const target of many(20, 'early')) ask(target)
    await settled()
    t.equal(arrived.length, 1)
    t.equal(outcomes.get('early3')?.code, 'upstream_unauthorized')
    await clock.advance(5000)
    for (const target of many(20, 'probe')) ask(target)
    await settled()
    t.equal(arrived.length, 2, 'one probe')
    arrived[1]?.answer()
    await settled()
    ask('after')
    await settled()
    t.equal(arrived.length, 3)
  }
)

for (const [code, contact, options] of [
  ['upstream_unreachable', 'unsent', {}],
  ['upstream_unreachable', 'unanswered', {}],
  ['upstream_error', 'answered', { upstreamStatus: 503 }]
] as const) {
  t.test(`${code} (${contact}) is tried once more, through the line`, async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
    ask('call')
    await settled()
    arrived[0]?.fail(broken(code, contact, options))
    await clock.advance(200)
    t.equal(arrived.length, 2)
    arrived[1]?.fail(broken(code, contact, options))
    await clock.advance(1000)
    t.equal(arrived.length, 2)
    t.equal(outcomes.get('call')?.code, code)
  })
}

const busy = (retryAfterMs: number) =>
  broken('upstream_error', 'answered', { upstreamStatus: 503, retryAfterMs })

t.test(
  'a retry comes no sooner than a Retry-After, and not at all if that is too late',
  async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 120, random: () => 0.5 })
    ask('patient', { waitMs: 8000 })
    ask('hasty', { waitMs: 2000 })
    await settled()
    for (const call of [...arrived]) call.fail(busy(5000))
    await settled()
    t.match(outcomes.get('hasty'), { code: 'upstream_error', retryAfterMs: 5000 }, 'said at once')
    await clock.advance(5099)
    t.equal(arrived.length, 2)
    await clock.advance(1)
    t.equal(arrived.length, 3)
    arrived[2]?.fail(busy(7000))
    await settled()
    t.match(outcomes.get('patient'), { code: 'upstream_error', retryAfterMs: 7000 })
  }
)

t.test('whoever rests before a retry leaves, or is drained, at once', async t => {
  const { ask, clock, arrived, outcomes, schedule } = rig({ limit: 120 })
  const before = clock.pending
  const leaving = ask('leaving')
  ask('drained')
  await settled()
  for (const call of [...arrived]) call.fail(busy(5000))
  await settled()
  leaving.abort(new Error('left'))
  schedule.drain(1000)
  await settled()
  t.equal(outcomes.get('leaving')?.code, 'left')
  t.equal(outcomes.get('drained')?.code, 'shutting_down')
  t.equal(clock.pending, before)
})

for (const [code, contact, options] of [
  ['upstream_timeout', 'unanswered', {}],
  ['upstream_error', 'answered', { upstreamStatus: 500 }],
  ['upstream_rejected', 'answered', {}],
  ['upstream_invalid_response', 'answered', {}]
] as const) {
  t.test(`${code} is not tried again`, async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
    ask('call')
    await settled()
    arrived[0]?.fail(broken(code, contact, options))
    await clock.advance(1000)
    t.equal(arrived.length, 1)
    t.equal(outcomes.get('call')?.code, code)
  })
}

t.test(
  'after 20 failures in a row calls go out one at a time, at most one a second, until one succeeds',
  async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 120 })
    for (let failure = 0; failure < 20; failure++) {
      ask(`failing${failure}`)
      await settled()
      arrived.at(-1)?.fail(broken('upstream_error', 'answered', { upstreamStatus: 500 }))
      await settled()
    }
    for (const target of many(5, 'waiting')) ask(target, { waitMs: 3500 })
    await clock.advance(1000)
    t.equal(arrived.length, 21)
    t.equal(
      outcomes.get('waiting4')?.code,
      'upstream_error',
      'who cannot make it hears the last error'
    )
    arrived.at(-1)?.answer()
    await clock.advance(1)
    t.equal(arrived.length, 23, 'one success ends it')
  }
)

t.test('draining refuses what waits and lets calls in flight finish', async t => {
  const { ask, arrived, outcomes, schedule } = rig({ limit: 1 })
  ask('flying')
  ask('waiting')
  schedule.drain(5000)
  ask('late')
  await settled()
  t.equal(outcomes.get('waiting')?.code, 'shutting_down')
  t.equal(outcomes.get('late')?.retryAfterMs, 5000)
  arrived[0]?.answer()
  await settled()
  t.equal(outcomes.get('flying')?.code, 'ok')
})

t.test(
  'after a stall of the event loop nothing is sent past its deadline, and nothing bursts',
  async t => {
    const { ask, clock, arrived, outcomes } = rig({ limit: 2, latencyMs: 10 })
    for (const target of ['a', 'b']) ask(target)
    await clock.advance(100)
    for (const target of ['c', 'd', 'e']) ask(target, { waitMs: 61_000 })
    clock.stall(90_000)
    await clock.advance(0)
    t.equal(arrived.length, 2)
    t.equal(outcomes.get('c')?.code, 'budget_exhausted')
  }
)

t.test('late successes of calls sent before a 429 do not let the line loose', async t => {
  const { ask, clock, arrived } = rig({ limit: 120 })
  for (const target of many(8, 'flying')) ask(target)
  await settled()
  arrived[0]?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs: 2000 }))
  await settled()
  for (const call of arrived.slice(1)) call.answer()
  for (const target of many(20, 'waiting')) ask(target)
  await clock.advance(2000)
  t.equal(arrived.length, 9, 'one call goes first all the same')
})

t.test('a late success does not make a refused key work again', async t => {
  const { ask, arrived, outcomes } = rig({ limit: 120 })
  for (const target of ['early', 'late']) ask(target)
  await settled()
  arrived[0]?.fail(broken('upstream_unauthorized', 'answered'))
  await settled()
  arrived[1]?.answer()
  await settled()
  ask('next')
  await settled()
  t.equal(outcomes.get('next')?.code, 'upstream_unauthorized')
  t.equal(arrived.length, 2)
})

t.test('while sending recovers from a 429 nobody is refused who would be served', async t => {
  const { ask, clock, arrived, outcomes } = rig({ limit: 120, latencyMs: 20 })
  for (const target of many(119, 'own')) ask(target)
  await clock.advance(1000)
  ask('refused')
  await settled()
  arrived.at(-1)?.fail(broken('upstream_rate_limited', 'answered', { retryAfterMs: 61_000 }))
  await clock.advance(61_000)
  for (const target of many(20, 'call')) ask(target, { waitMs: 8000 })
  await clock.advance(8000)
  t.ok(many(20, 'call').every(target => outcomes.get(target)?.code === 'ok'))
})

t.test("a call that another team comes to want goes in that team's turn", async t => {
  const weights = new Map([
    ['blue', 1],
    ['green', 1]
  ])
  const { ask, clock, arrived, schedule } = rig({ limit: 24, latencyMs: 100, weights })
  for (const target of many(100, 'flood')) ask(target)
  await clock.advance(1000)
  t.equal(arrived.length, 22, 'the reserve is left')
  const teams = new Set(['blue'])
  let place: Place | undefined
  const need = {
    ...{ team: 'blue', teams, priority: 'interactive' as const, deadline: 1e9 },
    signal: new AbortController().signal,
    onQueued: (its: Place) => {
      place = its
    }
  }
  void schedule.send(callTo('shared'), need)
  teams.add('green')
  place?.join('green')
  ask('own', { team: 'green' })
  await settled()
  t.strictSame(
    arrived.slice(22).map(({ target }) => target),
    ['shared', 'own']
  )
})

t.test('a floor is owed to who waits, not to who waited once', async t => {
  const { ask, clock, arrived } = rig({ limit: 120, latencyMs: 10 })
  for (const target of many(110, 'before')) ask(target)
  await clock.advance(1000)
  const gone = ask('gone', { priority: 'bulk' })
  for (const target of many(9, 'now')) ask(target)
  gone.abort(new Error('left'))
  for (const target of many(30, 'later')) ask(target)
  ask('bulk', { priority: 'bulk' })
  await clock.advance(60_500)
  const at = arrived.findIndex(({ target }) => target === 'bulk')
  t.ok(at < 0 || at > 120 + 15, `bulk was number ${at}`)
})

t.test(
  'without Retry-After a full ledger waits for its next slot, one with room tries soon',
  async t => {
    const full = rig({ limit: 10, latencyMs: 10 })
    for (const target of many(9, 'own')) full.ask(target)
    await full.clock.advance(30_000)
    full.ask('refused')
    await settled()
    full.arrived[9]?.fail(broken('upstream_rate_limited', 'answered'))
    await full.clock.advance(30_000)
    t.equal(full.arrived.length, 10)
    await full.clock.advance(1000)
    t.equal(full.outcomes.get('refused')?.code, 'ok')

    const roomy = rig({ limit: 120 })
    roomy.ask('refused')
    for (const pauseMs of [1000, 2000, 4000, 8000]) {
      await settled()
      const calls = roomy.arrived.length
      roomy.arrived.at(-1)?.fail(broken('upstream_rate_limited', 'answered'))
      await roomy.clock.advance(pauseMs - 1)
      t.equal(roomy.arrived.length, calls)
      await roomy.clock.advance(1)
      t.equal(roomy.arrived.length, calls + 1, `after ${pauseMs} ms`)
    }
  }
)
