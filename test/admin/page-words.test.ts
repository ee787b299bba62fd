/** What the page makes of a status before anybody sees it: figures, words, verdict, shares. */

import fc from 'fast-check'
import t from 'tap'
import { figuresOf } from '../../src/admin/page/figures.js'
import { Past } from '../../src/admin/page/past.js'
import { verdictOf } from '../../src/admin/page/verdict.js'
import { byteWords, durationWords, percentWords } from '../../src/admin/page/words.js'
import { holds } from '../support/property.ts'
import { recordedStatus } from '../support/recorded-status.ts'

const now = Date.parse('2026-11-22T12:00:00Z')

/** The verdict on the recorded status with some members of its budget and queue changed. */
function verdict(budget: object, queue: object = {}) {
  const status = recordedStatus()
  Object.assign(status.budget, budget)
  Object.assign(status.queue, queue)
  return verdictOf(figuresOf(status), now)
}

t.test('the verdict says in one sentence how the budget stands', t => {
  const { headline, level, remarks, word } = verdict({}, { length: 0 })
  t.equal(headline, 'Open: 37 of 120 calls used in the last 60 s; most in any window 112')
  t.same([level, word], ['good', 'All is well'])
  t.same(remarks, ['Nothing waits.'])
  t.end()
})

const hindered: [mode: string, level: string, headline: RegExp][] = [
  ['paused', 'bad', /^Paused until \d\d:\d\d:\d\d \(42 s\): 37 of 120 calls/],
  ['held', 'notice', /^Held until/],
  ['key-refused', 'bad', /^Key refused until/],
  ['failing', 'bad', /^HelpCrunch fails until/]
]

t.test('whatever holds sending up is named first, with when it will end', t => {
  const pausedUntil = new Date(now + 42_000).toISOString()
  for (const [mode, level, headline] of hindered) {
    const one = verdict({ mode, pausedUntil })
    t.equal(one.level, level, mode)
    t.match(one.headline, headline)
    t.match(one.remarks.join(' '), /what is stored is served/i)
  }
  t.match(verdict({ mode: 'paused', pausedUntil: null }).headline, /^Paused: /)
  for (const unheardOf of ['draining', 'constructor']) {
    const one = verdict({ mode: unheardOf })
    t.ok(one.headline.startsWith(`${unheardOf}: `), 'not taken for open')
    t.equal(one.level, 'notice')
  }
  t.end()
})

t.test('a stolen key, a damaged journal and a broken law are not passed over', t => {
  const stolen = verdict({ workingLimit: 96 })
  t.equal(stolen.level, 'notice')
  t.match(stolen.remarks[0], /Somebody else spends from this key: 96 of 120/)
  const damaged = verdict({ journalProblem: 'cannot be written' })
  t.equal(damaged.level, 'notice')
  t.match(damaged.remarks[0], 'cannot be written')
  t.equal(verdict({ maxInAnyWindow: 121 }).level, 'bad')
  t.end()
})

t.test('a status of anything at all becomes figures, and a verdict', async t => {
  const status = recordedStatus()
  const members = fc.dictionary(fc.constantFrom(...Object.keys(status)), fc.anything())
  const inner = fc
    .tuple(fc.constantFrom(...Object.keys(status)), fc.object())
    .map(([name, value]) => ({ ...status, [name]: value }))
  const property = fc.property(fc.oneof(members, inner, fc.anything()), any => {
    const figures = figuresOf(any)
    const { headline } = verdictOf(figures, now)
    return !/undefined|NaN|null/.test(headline) && Array.isArray(figures.teams)
  })
  await holds(t, property, { numRuns: 500 })
})

t.test('durations are as exact as they are useful', t => {
  const cases: [number | undefined, string][] = [
    [undefined, '–'],
    [0, '0 ms'],
    [0.0821, '82 ms'],
    [0.9996, '1 s'],
    [1.32, '1.3 s'],
    [42.4, '42 s'],
    [119.6, '2 min'],
    [1_140, '19 min'],
    [11_520, '3 h 12 min'],
    [200_000, '2 d 7 h']
  ]
  for (const [seconds, words] of cases) t.equal(durationWords(seconds), words)
  t.end()
})

t.test('nearly all is not all, and hardly any is not none', t => {
  t.equal(percentWords(1), '100 %')
  t.equal(percentWords(0.9999), '99.9 %')
  t.equal(percentWords(0.0001), '< 1 %')
  t.equal(percentWords(0), '0 %')
  t.equal(percentWords(undefined), '–')
  t.equal(byteWords(48_312_004), '46 MB')
  t.equal(byteWords(134_217_728), '128 MB')
  t.equal(byteWords(1_023), '1.0 kB')
  t.end()
})

t.test(
  'shares are of the last minute, sum to one, and are not known where nothing was asked',
  t => {
    const past = new Past()
    const point = (seconds: number, hits: number, misses: number) => ({
      ...{ at: now + seconds * 1000, used: 0, workingLimit: 120, waiting: 0 },
      ...{ hits, misses, stale: 0, collapsed: 0 }
    })
    const points = [point(0, 0, 0), point(60, 3, 1), point(120, 3, 1), point(180, 3, 4)]
    past.add({ spanSeconds: 1_800, points })
    t.same(past.shares, [
      undefined,
      { fresh: 0.75, stale: 0, collapsed: 0, miss: 0.25 },
      undefined,
      { fresh: 0, stale: 0, collapsed: 0, miss: 1 }
    ])
    past.add({ spanSeconds: 1_800, points: [point(185, 0, 0)] })
    t.equal(past.shares.at(-1), undefined, 'counters that went back are of a new start')
    t.end()
  }
)

t.test('what is older than the span is forgotten', t => {
  const past = new Past()
  const points = Array.from({ length: 1_000 }, (_, index) => ({
    at: now + index * 5_000,
    used: index,
    workingLimit: 120,
    waiting: 0
  }))
  past.add({ spanSeconds: 1_800, points })
  t.equal(past.times.length, 361)
  t.equal(past.column('used').at(-1), 999)
  t.same(past.span, { from: now + 639 * 5_000, until: now + 999 * 5_000 })
  t.end()
})

t.test('a past that has just begun is not drawn as half an hour of nothing', t => {
  const past = new Past()
  const point = (at: number) => ({ at, used: 1, workingLimit: 120, waiting: 0 })
  past.add({ spanSeconds: 1_800, points: [point(now), point(now + 5_000)] })
  t.same(past.span, { from: now - 115_000, until: now + 5_000 })
  past.add({ spanSeconds: 1_800, points: [point(now + 600_000)] })
  t.same(past.span, { from: now, until: now + 600_000 })
  t.end()
})
