/**
 * What is explained and what then happens agree, in states that nobody chose: teams that ask and
 * walk, pages of all ages, invalidations, an upstream that changes, fails, refuses and limits, a
 * budget and a queue that run out. And explaining leaves everything as it was.
 */

import t from 'tap'
import { Random } from '../simulator/random.ts'
import { cacheOutcome } from '../src/cache-status.ts'
import type { ListAnswer } from '../src/chats/chats.ts'
import { parseConfig } from '../src/config.ts'
import { ServiceError } from '../src/errors.ts'
import { createExplainer, type Explain } from '../src/explain.ts'
import type { Explanation } from '../src/explanation.ts'
import { readTarget } from '../src/http/read-target.ts'
import { absentPage, type Page } from '../src/page.ts'
import type { Call } from '../src/ports.ts'
import { noJournal } from '../src/schedule/journal.ts'
import { joinRooms, type Rooms } from '../src/service.ts'
import { FakeClock, settled } from './support/fake-clock.ts'
import { needOf } from './support/needs.ts'
import { chatTexts, pageFor, pageOf } from './support/pages.ts'

const maxWaitMs = 8000
/** What the schedule takes a call to last before it knows better. */
const latencyMs = 200

type Mood = 'well' | 'failing' | 'limiting' | 'refusing'

class House {
  readonly clock = new FakeClock()
  readonly rooms: Rooms
  readonly explain: Explain
  readonly sent: { readonly target: string; readonly at: number }[] = []
  mood: Mood = 'well'
  chats = chatTexts(435)

  constructor(random: Random) {
    const { clock } = this
    const config = parseConfig({
      HELPCRUNCH_API_KEY: 'simulated',
      TEAM_TOKENS: 'blue=0123456789abcdef-blue,green=0123456789abcdef-green:2',
      UPSTREAM_LIMIT: String(3 + random.below(12)),
      UPSTREAM_CONCURRENCY: String(1 + random.below(8)),
      QUEUE_MAX_LENGTH: String(2 + random.below(10)),
      CACHE_STALE_IF_ERROR_SECONDS: random.pick(['0', '200', '86400'])
    })
    this.rooms = joinRooms({
      ...{ config, clock, journal: noJournal, random: () => random.next() },
      attempt: call => this.#attempt(call)
    })
    const { prospect, schedule } = this.rooms
    this.explain = createExplainer({
      ...{ clock, prospect, maxLimit: 1000, maxWaitMs },
      foresee: asking => schedule.foresee(asking),
      teamRefusal: () => undefined,
      cleanTarget: target => target
    })
  }

  /** Everything that a look could have changed, in one text. */
  get state(): string {
    const { figures, memory, schedule } = this.rooms
    const { calls, requests } = figures
    const { bytes, entries } = memory
    return JSON.stringify([schedule.report(), bytes, entries, ...calls, requests.answers])
  }

  ask(target: string, team: string): Promise<ListAnswer> {
    const need = needOf({ team, deadline: this.clock.now() + maxWaitMs })
    const { window } = readTarget(target, 1000)
    return Promise.try(() => this.rooms.chats.list(window, need, answer => answer))
  }

  async #attempt(call: Call): Promise<Page> {
    this.sent.push({ target: call.target, at: this.clock.now() })
    const { mood } = this
    await new Promise<void>(resolve => void this.clock.after(latencyMs, resolve))
    const answered = { contact: 'answered' } as const
    if (mood === 'failing') throw new ServiceError('upstream_error', 'failed', answered)
    if (mood === 'refusing') throw new ServiceError('upstream_unauthorized', 'refused', answered)
    if (mood === 'limiting') throw new ServiceError('upstream_rate_limited', 'limited', answered)
    if (call.list.of !== 'chat') return pageFor(call, this.chats)
    const id = Number(call.target.split('/')[2])
    return id > 20 ? absentPage : pageOf([`{"id":${id}}`], 1, { before: '', after: '' })
  }
}

function anyTarget(random: Random): string {
  const version = random.chance(0.3) ? '/v1' : ''
  if (random.chance(0.2)) return `${version}/chats/${1 + random.below(30)}`
  const path = random.chance(0.2) ? `/chats/${random.below(3)}/messages` : '/chats'
  const offset = 20 * random.below(random.chance(0.2) ? 40 : 12)
  return `${version}${path}?offset=${offset}&limit=${random.pick([1, 20, 100, 250])}`
}

const anyTeam = (random: Random) => random.pick(['blue', 'green'])

/** Something happens that is none of the explainer's business. */
async function happen(house: House, random: Random): Promise<void> {
  const { clock, rooms } = house
  for (let burst = random.below(5); burst > 0; burst--) {
    house.ask(anyTarget(random), anyTeam(random)).catch(() => {})
  }
  if (random.chance(0.15)) rooms.invalidate(['*'])
  if (random.chance(0.1)) house.chats = chatTexts(430 + random.below(10))
  if (random.chance(0.15)) {
    house.mood = random.pick(['failing', 'limiting', 'refusing'])
  } else if (random.chance(0.5)) {
    house.mood = 'well'
  }
  await clock.advance(random.pick([0, 1, 50, 150, 250, 1000, 5000, 20_000, 40_000, 100_000]))
}

/** What is wrong with an explanation, given what happened then; nothing if it was right. */
async function mistakes(house: House, said: Explanation): Promise<string[]> {
  const { clock, rooms } = house
  const before = house.sent.length
  const askedAt = clock.now()
  const { inFlight, mode, waiting } = rooms.schedule.report()
  // Nothing else arrives: not even what those will want who wait now.
  const isQuiet = mode === 'open' && inFlight === 0 && waiting.length === 0
  let outcome: ListAnswer | ServiceError | undefined
  const done = (result: ListAnswer | ServiceError) => {
    outcome = result
  }
  house.ask(said.path, said.team).then(done, done)
  await settled()
  const atOnce = outcome
  while (outcome === undefined) await clock.advance(25)
  const { answer, isWhole, pages, refusedBy } = said
  const wrong: string[] = []
  const expect = (holds: boolean, what: string) => void (holds || wrong.push(what))
  if (refusedBy) {
    expect(atOnce instanceof ServiceError && atOnce.code === answer.code, 'refused at once')
  } else if (!answer.dependsOnUpstream) {
    const isAbsent = atOnce instanceof ServiceError && atOnce.code === 'chat_not_found'
    if (answer.status === 404) expect(isAbsent, 'absent')
    else expect(isListAnswer(atOnce) && cacheOutcome(atOnce.status) === answer.cache, 'served')
  } else {
    expect(atOnce === undefined, `waits ${(atOnce as Error)?.message ?? ''}`)
    if (isListAnswer(outcome) && outcome.status.detail === undefined && isWhole) {
      const was = cacheOutcome(outcome.status)
      // Who came after an event is not answered by a call from before it.
      expect(was === answer.cache || answer.cache === 'collapsed', `outcome ${was}`)
    }
  }
  const calls = pages.filter(({ call }) => call !== null)
  for (const { call, key } of refusedBy ? [] : calls) {
    const own = house.sent.slice(before).find(({ target }) => target === key)
    const isExact = isQuiet && house.mood === 'well' && calls.length === 1 && isWhole
    // A slot that comes in the very moment of the deadline may be too late.
    if (isExact && 1000 * call!.sentInSeconds < maxWaitMs) {
      const sentInMs = (own?.at ?? Infinity) - askedAt
      // Sooner, if somebody before it is refused or leaves.
      expect(sentInMs <= 1000 * call!.sentInSeconds + 30, `sent after ${sentInMs}`)
    }
  }
  return wrong
}

/** Where what becomes of one page changes what the next one meets, which nobody foresees. */
function isEntangled({ pages, refusedBy }: Explanation, { rooms }: House): boolean {
  const unsettled = pages.filter(page => page.from !== 'store' || page.isRefreshedBehind)
  const rules = pages.flatMap(({ refusal }) => refusal?.rule ?? [])
  // A call that waits behind takes no place any more once somebody wants the same at once.
  const isBehind = rooms.schedule.report().waiting.some(call => call.priority === 'refresh')
  if (rules.includes('queue-full') && isBehind) return true
  if (pages.length === 1 || unsettled.length === 0) return false
  // A slot taken for one page is none for another; pages that are served for want of newer ones
  // may disagree; whether a page as old as that is worth a call depends on what is left.
  const [page] = unsettled
  const isOld = page?.freshness === 'stale-while-revalidate'
  return unsettled.length > 1 || isOld || (!refusedBy && rules.length > 0)
}

function isListAnswer(outcome: ListAnswer | ServiceError | undefined): outcome is ListAnswer {
  return outcome !== undefined && !(outcome instanceof ServiceError)
}

/** Each with a past of its own. */
const houses = 60

t.test('what is explained is what then happens', async t => {
  const first = Math.floor(Math.random() * 2 ** 31)
  const kinds = new Map<string, number>()
  const wrong: string[] = []
  let changed = 0
  let entangled = 0
  for (let seed = first; seed < first + houses; seed++) {
    const random = new Random(seed)
    const house = new House(random)
    for (let step = 0; step < 30; step++) {
      await happen(house, random)
      const [target, team] = [anyTarget(random), anyTeam(random)]
      if (random.chance(0.3)) {
        house.ask(target, team).catch(() => {})
        await house.clock.advance(random.pick([100, 250, 31_000]))
      }
      const before = house.state
      const said = await house.explain(target, team)
      const again = await house.explain(target, team)
      if (house.state !== before || JSON.stringify(said) !== JSON.stringify(again)) changed++
      if (isEntangled(said, house)) {
        entangled++
        continue
      }
      const found = await mistakes(house, said)
      const kind = said.refusedBy ?? said.answer.code ?? said.answer.cache ?? ''
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      const about = () => `seed ${seed} step ${step}: ${found} ${JSON.stringify(said)}`
      if (found.length > 0) wrong.push(about())
    }
  }
  t.strictSame(wrong, [], `from seed ${first}`)
  t.equal(changed, 0, 'nothing was changed by looking')
  t.ok(entangled < houses * 7, `${entangled} of ${houses * 30} were left out`)
  const wanted = ['brake', 'collapsed', 'deadline', 'hit', 'miss', 'stale']
  t.strictSame(
    wanted.filter(kind => !kinds.has(kind)),
    [],
    [...kinds].join(' ')
  )
})
