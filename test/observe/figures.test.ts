/**
 * What is counted: everything once, in its place, and in no more places than there were from the
 * start, whatever is reported.
 */

import fc from 'fast-check'
import t from 'tap'
import { Attempts } from '../../src/observe/attempts.ts'
import { Figures } from '../../src/observe/figures.ts'
import { Histogram } from '../../src/observe/histogram.ts'
import { Requests, routeNames } from '../../src/observe/requests.ts'
import type { Event } from '../../src/ports.ts'
import { holds } from '../support/property.ts'

const teams = ['blue', 'green']

const anyTeam = fc.oneof(fc.constantFrom(...teams, ''), fc.string())
const anyRoute = fc.oneof(fc.constantFrom(...routeNames, undefined), fc.string())
const anyStatus = fc.oneof(fc.constantFrom(200, 304, 401, 404, 429, 503), fc.integer())
const anyRequest = fc.record({
  type: fc.constant('http.answered' as const),
  team: anyTeam,
  route: anyRoute,
  status: anyStatus,
  cache: fc.constantFrom('hit', 'stale', 'collapsed', 'miss', undefined),
  durationMs: fc.double({ min: 0, max: 1e6, noNaN: true })
})

t.test('each request is counted in one of the places there were from the start', async t => {
  const check = fc.property(fc.array(anyRequest, { maxLength: 200 }), events => {
    const requests = new Requests(teams)
    const before = requests.answers.map(({ count, ...labels }) => labels)
    for (const event of events) requests.record(event)
    const after = requests.answers.map(({ count, ...labels }) => labels)
    const isKnown = ({ team }: { team: string }) => teams.includes(team)
    const ofTeams = requests.count(isKnown)
    const timed = requests.hits.count + requests.misses.count
    return (
      JSON.stringify(after) === JSON.stringify(before) &&
      requests.count(() => true) === events.length &&
      ofTeams === events.filter(isKnown).length &&
      timed === events.filter(({ cache }) => cache !== undefined).length
    )
  })
  await holds(t, check)
})

t.test('no two places of requests have the same labels', async t => {
  const { answers } = new Requests(teams)
  const names = answers.map(({ cache, route, status, team }) => [team, route, status, cache].join())
  t.equal(new Set(names).size, names.length)
})

t.test('a request is found under its own labels', async t => {
  const requests = new Requests(teams)
  const place = { team: 'green', route: '/chats', status: 304, cache: 'stale' } as const
  requests.record({ type: 'http.answered', durationMs: 1, ...place })
  const counted = requests.answers.filter(({ count }) => count > 0)
  t.strictSame(counted, [{ ...place, status: '304', count: 1 }])
})

t.test('a histogram counts each duration in the first bucket that holds it', async t => {
  const bounds = [0.1, 1, 5]
  const seconds = fc.oneof(
    fc.constantFrom(0, ...bounds),
    fc.double({ min: 0, max: 9, noNaN: true })
  )
  const check = fc.property(fc.array(seconds), durations => {
    const histogram = new Histogram(bounds)
    for (const duration of durations) histogram.observe(duration)
    const upTo = (bound: number) => durations.filter(duration => duration <= bound).length
    const cumulative = [...bounds, Infinity].map((_, at) =>
      histogram.counts.slice(0, at + 1).reduce((sum, count) => sum + count, 0)
    )
    const sum = durations.reduce((total, duration) => total + duration, 0)
    return (
      cumulative.join() === [...bounds, Infinity].map(upTo).join() &&
      Math.abs(histogram.sum - sum) < 1e-6
    )
  })
  await holds(t, check)
})

type Failed = Extract<Event, { type: 'upstream.failed' }>

const failure = (about: Partial<Failed>): Failed => ({
  ...{ type: 'upstream.failed', at: 0, durationMs: 1, code: 'upstream_error', detail: 'failed' },
  ...{ status: undefined, contact: 'answered' },
  ...about
})

t.test('whatever the upstream answers, the outcomes stay those there were', async t => {
  const anyFailure = fc.record({
    status: fc.option(fc.integer({ min: -1, max: 1e6 }), { nil: undefined }),
    code: fc.constantFrom(
      ...(['upstream_error', 'upstream_timeout', 'upstream_unreachable'] as const),
      ...(['upstream_invalid_response', 'internal_error', 'upstream_rejected'] as const)
    )
  })
  const check = fc.property(fc.array(anyFailure), failures => {
    const attempts = new Attempts()
    const before = [...attempts.byOutcome.keys()].join()
    for (const about of failures) attempts.failed(failure(about))
    const counted = attempts.byOutcome.values().reduce((sum, count) => sum + count, 0)
    return [...attempts.byOutcome.keys()].join() === before && counted === failures.length
  })
  await holds(t, check)
})

t.test('outcomes are statuses, or words where there is none', async t => {
  const rows = [
    [{ status: 429, code: 'upstream_rate_limited' }, '429'],
    [{ status: 503 }, '503'],
    [{ status: 418 }, '4xx'],
    [{ status: 599 }, '5xx'],
    [{ code: 'upstream_timeout', contact: 'unanswered' }, 'timeout'],
    [{ code: 'upstream_unreachable', contact: 'unsent' }, 'unreachable'],
    [{ code: 'upstream_invalid_response', status: 200 }, 'invalid'],
    [{ code: 'internal_error' }, 'failed']
  ] as const
  for (const [about, outcome] of rows) {
    const attempts = new Attempts()
    attempts.failed(failure(about))
    t.strictSame(
      [...attempts.byOutcome].filter(([, count]) => count > 0),
      [[outcome, 1]]
    )
  }
})

t.test('quantiles are those of the latest 500 attempts that left', async t => {
  const durations = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 1200 })
  const part = fc.constantFrom(0.5, 0.99)
  const check = fc.property(durations, part, (all, part) => {
    const attempts = new Attempts()
    for (const durationMs of all) attempts.answered(200, durationMs)
    attempts.failed(failure({ durationMs: 0, contact: 'unsent', code: 'upstream_unreachable' }))
    const latest = all.slice(-500).sort((a, b) => a - b)
    const within = latest.filter(ms => ms / 1000 <= attempts.quantile(part)!).length
    const below = latest.filter(ms => ms / 1000 < attempts.quantile(part)!).length
    return within >= part * latest.length && below < part * latest.length
  })
  await holds(t, check)
  t.equal(new Attempts().quantile(0.5), undefined)
})

t.test('the last ten failures are kept, the latest first; a rejected query is none', async t => {
  const attempts = new Attempts()
  for (let at = 1; at <= 12; at++) attempts.failed(failure({ at, detail: `no. ${at}` }))
  attempts.failed(failure({ at: 13, code: 'upstream_rejected', status: 400 }))
  t.strictSame(
    attempts.failures.map(({ at }) => at),
    [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
  )
  t.strictSame(attempts.failures[0], { at: 12, code: 'upstream_error', detail: 'no. 12' })
})

t.test('a call that never left is not spent', async t => {
  const figures = new Figures(teams)
  const send = (slot: number, team: string): Event => ({
    ...{ type: 'schedule.sent', slot, at: 0, team, priority: 'interactive' }
  })
  figures.record(send(0, 'blue'))
  figures.record(send(1, 'green'))
  figures.record(send(2, 'blue'))
  figures.record({ type: 'schedule.released', slot: 2 })
  figures.record({ type: 'schedule.settled', slot: 0, doneAt: 0 })
  t.strictSame(
    [...figures.calls],
    [
      ['blue', 1],
      ['green', 1]
    ]
  )
})
