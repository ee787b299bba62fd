/** The bench's models of other caches do what these are known for. */

import t from 'tap'
import { Desk } from '../../bench/cache/desk.ts'
import { alignedPages, exactUrls, exactUrlsRevalidated } from '../../bench/cache/models.ts'
import type { Shown } from '../../bench/cache/staleness.ts'
import type { Candidate } from '../../bench/cache/subject.ts'
import { VirtualUpstream } from '../../bench/cache/virtual-upstream.ts'
import { Random } from '../../simulator/random.ts'
import { FakeClock } from '../support/fake-clock.ts'

const longestMs = 400

interface Answer {
  readonly at: number
  /** What was asked for. */
  readonly offset: number
  readonly limit: number
  readonly shown: Shown
}

function enter(candidate: Candidate) {
  const clock = new FakeClock()
  const desk = new Desk(new Random(1), clock.now())
  const upstream = new VirtualUpstream({ clock, desk, random: new Random(2) })
  const subject = candidate.enter({ clock, upstream, random: new Random(3) })
  const answers: Answer[] = []
  const ask = (offset: number, limit: number) => {
    const request = { at: clock.now(), team: 'blue', list: 0, offset, limit }
    subject.ask(request).then(([shown]) => {
      answers.push({ at: clock.now(), offset, limit, shown: shown! })
    })
  }
  return { clock, upstream, ask, answers }
}

t.test('all who ask for the same while it is fetched wait for one call', async t => {
  const { answers, ask, clock, upstream } = enter(exactUrls)
  for (let asked = 0; asked < 10; asked++) ask(0, 20)
  await clock.advance(longestMs)
  t.equal(answers.length, 10)
  t.equal(upstream.arrivals.length, 1)
  t.equal(new Set(answers.map(answer => answer.at)).size, 1)
})

t.test('an exact URL is a key of its own; an aligned page is shared', async t => {
  for (const [candidate, calls] of [
    [exactUrls, 3],
    [alignedPages, 1]
  ] as const) {
    const { answers, ask, clock, upstream } = enter(candidate)
    ask(0, 50)
    ask(0, 100)
    ask(50, 50)
    await clock.advance(longestMs)
    t.equal(upstream.arrivals.length, calls, candidate.name)
    for (const { limit, offset, shown } of answers) {
      t.equal(shown.snapshot.offset + shown.from, offset)
      t.equal(shown.to - shown.from, limit)
    }
  }
})

t.test(
  'after 30 s the next one waits, or gets the old answer while a new one is fetched',
  async t => {
    for (const [candidate, waits] of [
      [exactUrls, true],
      [exactUrlsRevalidated, false]
    ] as const) {
      const { answers, ask, clock, upstream } = enter(candidate)
      ask(0, 20)
      await clock.advance(longestMs)
      const storedAt = answers[0]!.at
      await clock.advance(storedAt + 29_999 - clock.now())
      ask(0, 20)
      await clock.advance(1)
      t.equal(upstream.arrivals.length, 1, 'still fresh')
      ask(0, 20)
      await clock.advance(longestMs)
      t.equal(upstream.arrivals.length, 2)
      const last = answers.at(-1)!
      t.equal(last.at > storedAt + 30_000, waits, candidate.name)
      t.equal(last.shown.snapshot === answers[0]!.shown.snapshot, !waits)
    }
  }
)

t.test('nothing is served stale for longer than the window says', async t => {
  const { answers, ask, clock, upstream } = enter(exactUrlsRevalidated)
  ask(0, 20)
  await clock.advance(longestMs + 90_000)
  ask(0, 20)
  await clock.advance(longestMs)
  t.equal(upstream.arrivals.length, 2)
  t.not(answers[1]!.shown.snapshot, answers[0]!.shown.snapshot)
})
