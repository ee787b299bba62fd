/** The judge of exchanges: what has no reason, takes too long or tells a secret is broken. */

import t from 'tap'
import { Arrivals } from '../../soak/arrivals.ts'
import { Chronicle, type Effect } from '../../soak/chronicle.ts'
import { apiKey, limit, windowMs } from '../../soak/conditions.ts'
import type { Answered, Exchange } from '../../soak/exchange.ts'
import { History } from '../../soak/history.ts'
import { Judge } from '../../soak/judge.ts'
import type { Question } from '../../soak/questions.ts'

const question: Question = {
  subject: { of: 'list', view: 'created', offset: 0, limit: 3 },
  ...{ method: 'GET', path: '/chats', headers: {} }
}

const now = 1_000_000

function court() {
  const [arrivals, chronicle, history] = [new Arrivals(), new Chronicle(), new History(1)]
  const broken: string[] = []
  let lostMs = 0
  const judge = new Judge({
    ...{ arrivals, chronicle, history, pressure: { lostMs: () => lostMs } },
    secondOf: String,
    onBroken: what => broken.push(what)
  })
  const hear = (outcome: Exchange['outcome'], changed: Partial<Exchange> = {}) => {
    const from = broken.length
    judge.judge({
      ...{ question, instance: 'one', team: 'blue', startedAt: now, endedAt: now + 100, outcome },
      ...changed
    })
    return broken.slice(from)
  }
  const trouble = (effect: Effect, from: number, to: number, instance?: string) =>
    chronicle.begin({ name: 'trouble', detail: '', from, instance, effects: [effect] })(to)
  const lose = (ms: number) => {
    lostMs = ms
  }
  const page = history.lists('created', 0, 0)[0]!
  const body = `{"data":[${page.items.slice(0, 3)}],"meta":{"total":${page.total}}}`
  return { arrivals, body, hear, judge, lose, trouble }
}

const answered = (status: number, body: string, ageSeconds = 0): Answered => ({
  ...{ kind: 'answered', status, ageSeconds, body },
  cacheStatus: 'helpcrunch-proxy; fwd=uri-miss'
})

const problem = (status: number, code: string, detail = '') =>
  answered(status, JSON.stringify({ code, detail }))

t.test('a true answer in time is kept, and counted by where it came from', async t => {
  const { body, hear, judge } = court()
  t.strictSame(hear(answered(200, body)), [])
  t.strictSame(judge.answers, { forward: 1 })
  t.equal(judge.inCalm, 1)
})

t.test('an untrue one is broken', async t => {
  const { body, hear } = court()
  t.match(hear(answered(200, body.replace('"data"', '"Data"'))), [/not what the upstream had/])
})

t.test('a refusal without a reason is broken', async t => {
  const { hear } = court()
  t.match(hear(problem(503, 'budget_exhausted')), [/503 budget_exhausted, unexplained/])
  t.match(hear(problem(502, 'upstream_unreachable')), [/unexplained/])
  t.match(hear({ kind: 'failed', during: 'head', code: 'ECONNRESET' }), [/no answer, unexplained/])
  t.match(hear(answered(500, 'oops')), [/500 without a problem/])
})

t.test('a trouble explains what it brings about, and nothing else', async t => {
  const { hear, trouble } = court()
  trouble('upstream_error', now - 5000, now - 1000)
  t.strictSame(hear(problem(502, 'upstream_error')), [])
  t.match(hear(problem(500, 'internal_error')), [/500 internal_error, unexplained/])
  t.match(hear(problem(504, 'upstream_timeout')), [/unexplained/])
  t.match(hear(problem(401, 'unauthenticated')), [/unexplained/])
})

t.test('a trouble long over explains nothing', async t => {
  const { hear, trouble } = court()
  trouble('upstream_error', now - 60_000, now - 30_000)
  trouble('budget_exhausted', now - 60_000, now - 30_000)
  t.match(hear(problem(502, 'upstream_error')), [/unexplained/])
  t.match(hear(problem(503, 'budget_exhausted')), [/unexplained/])
})

t.test('only who was asked of the killed one may be left without an answer', async t => {
  const { hear, trouble } = court()
  trouble('no answer', now - 10, now + 50, 'two')
  const silence = { kind: 'failed', during: 'head', code: 'ECONNREFUSED' } as const
  t.match(hear(silence), [/unexplained/])
  t.strictSame(hear(silence, { instance: 'two' }), [])
  t.match(hear({ ...silence, during: 'body' }, { instance: 'two' }), [/broken body, unexplained/])
})

t.test('a nearly full window explains that there is no room', async t => {
  const { arrivals, hear } = court()
  const times = Array.from({ length: limit - 10 }, (_, index) => now - windowMs + 40 * index)
  arrivals.add({ ours: times, all: times })
  t.strictSame(hear(problem(503, 'budget_exhausted')), [])
  t.match(hear(problem(503, 'upstream_rate_limited')), [/unexplained/])
})

t.test('an answer of long ago needs a reason', async t => {
  const { body, hear, trouble } = court()
  const old = { ...answered(200, body, 20), cacheStatus: 'helpcrunch-proxy; hit; ttl=-18' }
  t.match(hear(old), [/an answer of 20 s ago \(helpcrunch-proxy; hit; ttl=-18\), unexplained/])
  const instead = { ...old, cacheStatus: `${old.cacheStatus}; detail=shutting_down` }
  t.match(hear(instead), [/an answer of 20 s ago .*unexplained/])
  trouble('shutting_down', now - 10, now + 50)
  t.strictSame(hear(instead), [], 'for what it says that it stands in for')
  t.match(hear(old), [/unexplained/])
  trouble('budget_exhausted', now - 20_000, now - 1000)
  t.strictSame(hear(old), [])
})

t.test('who has to wait too long is wronged, unless the machine or a trouble took it', async t => {
  const { body, hear, lose, trouble } = court()
  const late = { endedAt: now + 9000 }
  t.match(hear(answered(200, body), late), [/settled after 9000 ms/])
  t.strictSame(hear(answered(200, body), { endedAt: now + 7000 }), [])
  const hasty = { ...question, waitMs: 1000 }
  t.match(hear(answered(200, body), { endedAt: now + 7000, question: hasty }), [/settled after/])
  lose(2000)
  t.strictSame(hear(answered(200, body), late), [])
  lose(0)
  trouble('upstream_timeout', now, now + 3000, 'one')
  t.strictSame(hear(answered(200, body), late), [])
})

t.test('a problem that tells a secret is broken', async t => {
  const { hear, trouble } = court()
  trouble('upstream_error', now, now)
  t.match(hear(problem(502, 'upstream_error', apiKey)), [/upstream_error tells SOAKKEY-cana…/])
})
