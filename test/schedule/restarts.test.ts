/**
 * The law over restarts, as a property: whatever an earlier process was allowed, however it ended
 * and whatever of it was still on its way, no window holds more calls than the limit of the process
 * that sent the last of them.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { largestWindow } from '../../simulator/arrivals.ts'
import { ServiceError } from '../../src/errors.ts'
import { unbounded } from '../../src/schedule/budget.ts'
import { type JournalOptions, openJournal } from '../../src/schedule/journal.ts'
import { giveUpMarginMs } from '../../src/schedule/ledger.ts'
import { judgeAt, Shares } from '../../src/schedule/reserves.ts'
import { Sends, type Sent } from '../../src/schedule/sends.ts'
import { holds } from '../support/property.ts'

const aCall = fc.record({
  gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
  /** Parts of the time until it is given up: its arrival, and the end of its connection. */
  arrival: fc.double({ min: 0, max: 1, noNaN: true }),
  end: fc.double({ min: 0, max: 1, noNaN: true }),
  ending: fc.constantFrom('answer', 'answer', 'break', 'time-out')
})

const aLife = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  windowMs: fc.constantFrom<number>(1000, 2000, 5000),
  timeoutMs: fc.constantFrom<number>(10, 500, 4000),
  calls: fc.array(aCall, { maxLength: 30, size: 'max' }),
  downMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
  journalLeft: fc.constantFrom('whole', 'whole', 'whole', 'damaged', 'of another boot')
})

type Life = typeof aLife extends fc.Arbitrary<infer Value> ? Value : never
type Call = Life['calls'][number]

const shares = new Shares(new Map())

interface Arrival {
  readonly at: number
  readonly life: number
}

interface Pending {
  readonly at: number
  readonly settle: () => void
}

/** Everything that happens in one directory, life after life. */
class World {
  readonly arrivals: Arrival[] = []
  readonly #directory: string
  readonly #journal: Partial<JournalOptions>
  #now = 1_000_000
  #boot = 0

  constructor(directory: string, journal: Partial<JournalOptions>) {
    this.#directory = directory
    this.#journal = journal
    mkdirSync(directory)
  }

  /** Its process is killed with the last call, whatever is still on its way. */
  live(life: Life, index: number): void {
    const { limit, windowMs, timeoutMs, calls, downMs, journalLeft } = life
    const journal = openJournal({
      ...{ directory: this.#directory, capacity: limit, windowMs, timeoutMs, giveUpMarginMs },
      ...{ now: this.#now, bootId: `boot ${this.#boot}`, warn: () => {} },
      ...this.#journal
    })
    const sends = new Sends({ journal, emit: () => {}, limit, windowMs, concurrency: 100 })
    const pending: Pending[] = []
    for (const call of calls) {
      this.#now += call.gapMs
      settleUntil(this.#now, pending)
      const { brake, ledger } = sends
      if (!judgeAt(this.#now, { ledger, brake, shares, budget: unbounded })) continue
      const sent = sends.begin({ team: 'team', priority: 'interactive', level: 1 }, this.#now)
      const { arrivesAt, settlement } = fate(call, sent, timeoutMs, sends)
      this.arrivals.push({ at: arrivesAt, life: index })
      pending.push(settlement)
    }
    journal.close()
    this.#now += downMs
    if (journalLeft === 'damaged') writeFileSync(join(this.#directory, 'journal'), 'damaged')
    if (journalLeft === 'of another boot') this.#boot++
  }
}

function settleUntil(now: number, pending: Pending[]): void {
  pending.sort((a, b) => a.at - b.at)
  while (pending[0] && pending[0].at <= now) pending.shift()!.settle()
}

/** An answer comes after the arrival; what is given up may still arrive within the margin. */
function fate({ arrival, end, ending }: Call, sent: Sent, timeoutMs: number, sends: Sends) {
  const [first = 0, second = 0] = [arrival, end].sort((a, b) => a - b)
  const at = sent.sentAt + timeoutMs * (ending === 'time-out' ? 1 : second)
  const isAnswer = ending === 'answer'
  const arrivesAt = isAnswer ? sent.sentAt + timeoutMs * first : at + giveUpMarginMs * arrival
  const lost = new ServiceError('upstream_timeout', 'lost', { contact: 'unanswered' })
  const settle = () => (isAnswer ? sends.succeeded(sent, at) : sends.failed(sent, at, lost))
  return { arrivesAt, settlement: { at, settle } }
}

/** The most that any window held in which a life sent, for each: beside the limit of that life. */
function fullest(arrivals: readonly Arrival[], lives: readonly Life[]) {
  return lives.map(({ limit, windowMs }, index) => {
    const upToThis = arrivals.filter(({ life }) => life <= index).sort((a, b) => a.at - b.at)
    const own = upToThis.filter(({ life }) => life === index)
    const around = own.map(({ at }) =>
      upToThis.map(other => other.at).filter(other => Math.abs(other - at) < windowMs)
    )
    return { limit, most: Math.max(0, ...around.map(times => largestWindow(times, windowMs))) }
  })
}

/** Who cannot read of an earlier time-out takes it for its own: that is assumed to be as long. */
function withoutForgottenTimeouts(lives: readonly Life[]): Life[] {
  let longestMs = 0
  return lives.map((life, index) => {
    const isForgotten = lives[index - 1]?.journalLeft === 'damaged'
    const timeoutMs = isForgotten ? Math.max(life.timeoutMs, longestMs) : life.timeoutMs
    longestMs = Math.max(longestMs, timeoutMs)
    return { ...life, timeoutMs }
  })
}

const severalLives = fc.array(aLife, { minLength: 2, maxLength: 5 }).map(withoutForgottenTimeouts)

/** @param journal what its options are instead, to see the law break */
function lawful(root: string, journal: Partial<JournalOptions> = {}) {
  const seen = { worlds: 0, full: 0 }
  const property = fc.property(severalLives, lives => {
    const world = new World(join(root, String(seen.worlds++)), journal)
    for (const [index, life] of lives.entries()) world.live(life, index)
    const windows = fullest(world.arrivals, lives)
    // The first life has nothing before it.
    if (windows.slice(1).some(({ limit, most }) => most === limit)) seen.full++
    return windows.every(({ limit, most }) => most <= limit)
  })
  return { property, seen }
}

t.test('no restart, into whatever allowance, lets a window hold too many', async t => {
  const { property, seen } = lawful(t.testdir())
  await holds(t, property, { numRuns: 300 })
  t.ok(seen.full > 100, `in ${seen.full} of ${seen.worlds} runs a window was full`)
})

const mistakes: Record<string, Partial<JournalOptions>> = {
  'forgets how long its slots are remembered': { windowMs: 1000 },
  'gives calls up at the start': { timeoutMs: 0 }
}

for (const [what, journal] of Object.entries(mistakes)) {
  t.test(`a journal that ${what} is caught`, async t => {
    const { property } = lawful(t.testdir(), journal)
    t.ok(fc.check(property, { numRuns: 2000, seed: 1, endOnFailure: true }).failed)
  })
}
