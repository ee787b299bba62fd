/**
 * Any number of callers, one page, and everything that may happen to their flight, in any order:
 * callers leave, the leader first or all of them, the upstream hangs, breaks off, fails, limits the
 * rate, and an event makes the page stale meanwhile. One call, or the one retry, for all of them;
 * everybody settled once, in the designed way.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { Chats } from '../../src/chats/chats.ts'
import { parseConfig } from '../../src/config.ts'
import { ServiceError } from '../../src/errors.ts'
import type { Page } from '../../src/page.ts'
import type {} from '../../src/ports.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { joinRooms } from '../../src/service.ts'
import { type OpenAnswer, openList } from '../support/chats.ts'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { needOf } from '../support/needs.ts'
import { pageOf } from '../support/pages.ts'
import { holds } from '../support/property.ts'

type Fate = 'lands' | 'hangs' | 'reset' | '503' | '500' | '429'

interface Plan {
  readonly waiters: number
  /** Which of them leave at some time. */
  readonly leaving: 'nobody' | 'the leader' | 'every other' | 'everybody'
  /** What becomes of the calls in turn; of further ones, that they land. */
  readonly fates: readonly Fate[]
  /** Whether an old page may be served instead. */
  readonly hasStale: boolean
  /** Whether the only connection is taken until some time. */
  readonly isBusy: boolean
  readonly isInvalidated: boolean
}

const waitMs = 8000
const left = new Error('the caller has left')

const failures = {
  hangs: () => new ServiceError('upstream_timeout', 'slow', { contact: 'unanswered' }),
  reset: () => new ServiceError('upstream_unreachable', 'reset', { contact: 'unanswered' }),
  503: () =>
    new ServiceError('upstream_error', 'broken', { contact: 'answered', upstreamStatus: 503 }),
  500: () =>
    new ServiceError('upstream_error', 'broken', { contact: 'answered', upstreamStatus: 500 }),
  429: () =>
    new ServiceError('upstream_rate_limited', 'many', { contact: 'answered', retryAfterMs: 1000 })
}

/** Instants of a history are places in one sequence: no two things happen at once. */
interface Caller {
  askedAt: number
  /** In milliseconds. */
  deadline: number
  leftAt: number
  readonly settledAt: number[]
  outcome: OpenAnswer | ServiceError | 'left' | undefined
}

interface Attempt {
  readonly number: number
  readonly fate: Fate
  readonly sentAt: number
  endedAt: number
  endedAtMs: number
}

interface History {
  readonly callers: readonly Caller[]
  readonly attempts: readonly Attempt[]
  readonly invalidatedAt: number
}

/** The total of each page tells which attempt brought it; the stale page's is 0. */
const pageNumber = (attempt: number): Page =>
  pageOf([], 0, { after: `],"meta":{"total":0},"attempt":${attempt}}` })

const attemptOf = ({ body }: OpenAnswer): number => JSON.parse(body.toString()).attempt

class House {
  readonly clock = new FakeClock()
  readonly attempts: Attempt[] = []
  readonly callers: Caller[] = []
  readonly #plan: Plan
  readonly #scheduler: fc.Scheduler
  readonly #chats: Chats
  readonly #invalidate: (tags: readonly string[]) => void
  #moment = 0
  #invalidatedAt = Infinity
  #isOpen = false

  constructor(scheduler: fc.Scheduler, plan: Plan) {
    this.#plan = plan
    this.#scheduler = scheduler
    const config = parseConfig({
      HELPCRUNCH_API_KEY: 'simulated',
      TEAM_TOKENS: 'blue=0123456789abcdef-blue,green=0123456789abcdef-green',
      UPSTREAM_CONCURRENCY: '1',
      CACHE_READ_AHEAD: 'false',
      CACHE_REFRESH_AHEAD: 'false'
    })
    const { chats, invalidate } = joinRooms({
      config,
      clock: this.clock,
      journal: noJournal,
      attempt: ({ list }) => (list.name === '/chats?' ? this.#attempt() : this.#elsewhere()),
      random: () => 0.5
    })
    this.#chats = chats
    this.#invalidate = invalidate
  }

  async live(): Promise<History> {
    const { hasStale, isBusy, isInvalidated, waiters } = this.#plan
    if (hasStale) await this.#store()
    this.#isOpen = true
    if (isBusy) void openList(this.#chats, { sort: 'chats.closedAt', ...page }, needOf())
    const all = Array.from({ length: waiters }, (_, index) => this.#call(index))
    if (isInvalidated) this.#turn('an event').then(() => this.#event())
    let done = false
    Promise.all(all).then(() => {
      done = true
    })
    while (!done) {
      await this.#scheduler.waitIdle()
      await this.clock.advance(50)
    }
    // What nobody waits for any more ends as well.
    await this.#scheduler.waitIdle()
    await this.clock.advance(2 * waitMs)
    await this.#scheduler.waitIdle()
    await settled()
    return {
      callers: this.callers,
      attempts: this.attempts,
      invalidatedAt: this.#invalidatedAt
    }
  }

  /** Brings a page that is past the time in which it would be refreshed behind an answer. */
  async #store(): Promise<void> {
    await openList(this.#chats, page, needOf())
    await this.clock.advance(100_000)
  }

  #turn(label: string): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve(), label)
  }

  async #call(index: number): Promise<void> {
    const caller: Caller = {
      ...{ askedAt: Infinity, leftAt: Infinity, settledAt: [], outcome: undefined },
      deadline: Infinity
    }
    this.callers.push(caller)
    await this.#turn(`caller ${index} asks`)
    const controller = new AbortController()
    const deadline = this.clock.now() + waitMs
    caller.deadline = deadline
    caller.askedAt = this.#moment++
    const answered = openList(this.#chats, page, needOf({ deadline, signal: controller.signal }))
      .catch((error: unknown) => {
        if (error === left) return 'left' as const
        if (error instanceof ServiceError) return error
        throw error
      })
      .then(outcome => {
        caller.outcome = outcome
        caller.settledAt.push(this.#moment++)
      })
    if (this.#leaves(index)) {
      await this.#turn(`caller ${index} leaves`)
      caller.leftAt = this.#moment++
      controller.abort(left)
    }
    await answered
  }

  #leaves(index: number): boolean {
    const { leaving } = this.#plan
    if (leaving === 'the leader') return index === 0
    return leaving === 'everybody' || (leaving === 'every other' && index % 2 === 0)
  }

  #event(): void {
    this.clock.stall(1)
    this.#invalidatedAt = this.#moment++
    this.#invalidate(['*'])
    this.clock.stall(1)
  }

  async #attempt(): Promise<Page> {
    if (!this.#isOpen) return pageNumber(0)
    const number = this.attempts.length + 1
    const fate = this.#plan.fates[number - 1] ?? 'lands'
    const times = { sentAt: this.#moment++, endedAt: Infinity, endedAtMs: Infinity }
    const attempt: Attempt = { number, fate, ...times }
    this.attempts.push(attempt)
    await this.#turn(`call ${number} ends: ${fate}`)
    if (fate === 'hangs') await new Promise<void>(resolve => this.clock.after(10_000, resolve))
    attempt.endedAt = this.#moment++
    attempt.endedAtMs = this.clock.now()
    if (fate === 'lands') return pageNumber(number)
    throw failures[fate]()
  }

  async #elsewhere(): Promise<Page> {
    await this.#turn('the connection comes free')
    return pageNumber(-1)
  }
}

const page = { offset: 0, limit: 10 } as const

const codes = {
  hangs: 'upstream_timeout',
  reset: 'upstream_unreachable',
  503: 'upstream_error',
  500: 'upstream_error',
  429: 'upstream_rate_limited'
} as const

/** Whether a failed call is made once more: after a 429 in any case, else once, for want of any page. */
function isRepeated(history: History, { hasStale }: Plan, attempt: Attempt): boolean {
  if (attempt.fate === '429') return true
  const isCurable = attempt.fate === 'reset' || attempt.fate === '503'
  return isCurable && !hasStale && !isRepeat(history, attempt)
}

/** Whether somebody waited ever since the call before came to nothing. */
function isRepeat(history: History, { number, sentAt }: Attempt): boolean {
  const before = history.attempts[number - 2]
  if (!before || before.fate === 'lands') return false
  const settledAt = history.callers.flatMap(caller => [caller.leftAt, ...caller.settledAt])
  const between = settledAt.filter(at => at > before.endedAt && at < sentAt)
  return [before.endedAt, ...between].every(at => waitingAfter(history, at).length > 0)
}

function waitingAfter({ callers }: History, moment: number): Caller[] {
  return callers.filter(
    ({ askedAt, leftAt, settledAt }) => askedAt < moment && Math.min(leftAt, settledAt[0]!) > moment
  )
}

function check(history: History, plan: Plan): void {
  const { attempts, callers, invalidatedAt } = history
  for (const { leftAt, outcome, settledAt } of callers) {
    assert.equal(settledAt.length, 1, 'everybody is settled once')
    const [at = 0] = settledAt
    assert.equal(outcome === 'left', leftAt < at, 'who leaves is rejected alone, and at once')
  }
  for (const attempt of attempts) {
    const { endedAt, fate, number, sentAt } = attempt
    const next = attempts[number]
    assert(endedAt < Infinity && !(next && next.sentAt < endedAt), 'one call at a time')
    assert(waitingAfter(history, sentAt).length > 0, 'a call is sent only if somebody waits for it')
    for (const { askedAt, leftAt, settledAt } of callers) {
      const isDuring = askedAt > sentAt && askedAt < endedAt
      const waited = settledAt[0]! > Math.min(leftAt, endedAt)
      assert(waited || !isDuring, 'who comes while a call is under way waits for it')
    }
    const waiting = waitingAfter(history, endedAt)
    if (fate === 'lands') {
      for (const { askedAt, outcome } of waiting) {
        if (askedAt > invalidatedAt && sentAt < invalidatedAt) continue
        assert(isAnswer(outcome) && attemptOf(outcome) === number, 'all who wait share it')
      }
    } else if (isRepeated(history, plan, attempt)) {
      for (const caller of waiting) checkWaitsOn(caller, attempt, next)
    } else {
      for (const { outcome } of waiting) checkFailed(outcome, codes[fate], plan.hasStale)
    }
  }
  checkCount(history, plan)
  checkFreshness(history)
}

const isAnswer = (outcome: Caller['outcome']): outcome is OpenAnswer =>
  typeof outcome === 'object' && !(outcome instanceof ServiceError)

/** Longer than a pause after a 429 or before a repeat. */
const pauseMs = 2000

/** Until the call is made once more, unless its time is over or it leaves. */
function checkWaitsOn(caller: Caller, { endedAtMs }: Attempt, next: Attempt | undefined): void {
  if (caller.outcome === 'left' || caller.deadline < endedAtMs + pauseMs) return
  assert(next && caller.settledAt[0]! > next.sentAt, 'who waits goes on waiting for the repeat')
}

function checkFailed(outcome: Caller['outcome'], code: string, hasStale: boolean): void {
  if (hasStale) {
    assert(isAnswer(outcome) && attemptOf(outcome) === 0, 'all get the old page')
    assert.equal(outcome.status.detail, code)
  } else {
    assert(outcome instanceof ServiceError, 'all get the failure')
    assert.equal(outcome.code, code)
  }
}

/** A further call only as a repeat, after an event, or for somebody who came after a failure. */
function checkCount(history: History, plan: Plan): void {
  const { attempts, callers, invalidatedAt } = history
  for (const [index, attempt] of attempts.slice(0, -1).entries()) {
    const next = attempts[index + 1]!
    const isAsked = callers.some(
      ({ askedAt }) => askedAt > attempt.endedAt && askedAt < next.sentAt
    )
    const isOvertaken = attempt.sentAt < invalidatedAt && invalidatedAt < next.sentAt
    const isDue =
      attempt.fate === 'lands' ? isOvertaken : isRepeated(history, plan, attempt) || isAsked
    assert(isDue, `call ${next.number} is one too many`)
  }
}

/** An event wins over the call that was under way. */
function checkFreshness({ attempts, callers, invalidatedAt }: History): void {
  for (const { askedAt, outcome, settledAt } of callers) {
    if (!isAnswer(outcome) || settledAt[0]! < invalidatedAt) continue
    const sentAt = attempts[attemptOf(outcome) - 1]?.sentAt ?? -Infinity
    if (sentAt > invalidatedAt) continue
    assert(outcome.lifetimeMs <= outcome.ageMs, 'what was there before an event is not fresh')
    const isHit = outcome.status.kind === 'hit'
    assert(isHit || askedAt < invalidatedAt, 'nor brought to somebody who came after it')
  }
}

const fates = fc.oneof(
  fc.constant<Fate[]>([]),
  fc.array(fc.constantFrom<Fate>('hangs', 'reset', '503', '500', '429'), {
    minLength: 1,
    maxLength: 3
  })
)

const plan = (waiters: fc.Arbitrary<number>): fc.Arbitrary<Plan> =>
  fc.record({
    waiters,
    leaving: fc.constantFrom('nobody', 'the leader', 'every other', 'everybody'),
    fates,
    hasStale: fc.boolean(),
    isBusy: fc.boolean(),
    isInvalidated: fc.boolean()
  })

/** What came of it all, to be sure that everything was looked at. */
function kindsOf({ attempts, callers, invalidatedAt }: History): string[] {
  const outcomes = callers.map(({ outcome }) => {
    if (outcome instanceof ServiceError) return outcome.code
    return isAnswer(outcome) ? (outcome.status.detail ?? outcome.status.kind) : 'left'
  })
  const overtaken = attempts.some(
    ({ endedAt, sentAt }) => sentAt < invalidatedAt && invalidatedAt < endedAt
  )
  return [...outcomes, `${attempts.length} calls`, ...(overtaken ? ['overtaken'] : [])]
}

const kinds = [
  ...['hit', 'forward', 'left', 'overtaken', '0 calls', '1 calls', '2 calls', '3 calls'],
  ...['upstream_timeout', 'upstream_unreachable', 'upstream_error']
]

const inAnyOrder = (waiters: fc.Arbitrary<number>, seen: (kind: string) => void) =>
  fc.asyncProperty(fc.scheduler(), plan(waiters), async (scheduler, plan) => {
    const history = await new House(scheduler, plan).live()
    check(history, plan)
    kindsOf(history).forEach(seen)
  })

t.test('in any order of events, callers of one page share what their flight comes to', async t => {
  const seen = new Set<string>()
  const property = inAnyOrder(fc.integer({ min: 1, max: 12 }), kind => seen.add(kind))
  await holds(t, property, { numRuns: 300 })
  for (const kind of kinds) t.ok(seen.has(kind), kind)
})

t.test('so do a thousand', async t => {
  const seen = new Set<string>()
  const property = inAnyOrder(fc.constantFrom(100, 1000), kind => seen.add(kind))
  await holds(t, property, { numRuns: 8 })
  t.ok(seen.size > 2, [...seen].join(', '))
})
