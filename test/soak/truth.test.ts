/**
 * The judge of answers, held against the simulator itself: what that says is true for as long as it
 * is said to be, and never any longer; anything else that is put into an answer is found.
 */

import fc from 'fast-check'
import t from 'tap'
import { Random } from '../../simulator/random.ts'
import { answerCall } from '../../simulator/routes.ts'
import { Store } from '../../simulator/store.ts'
import { chatCount, staleIfErrorMs } from '../../soak/conditions.ts'
import { History } from '../../soak/history.ts'
import { ask, type Question } from '../../soak/questions.ts'
import { falsehood, forbiddenAge, isOverdue, sourceOf } from '../../soak/truth.ts'
import { holds } from '../support/property.ts'

const seed = 5
const gapMs = 1000

/** The upstream, and our record of it, after so many changes, one a second. */
function worldAfter(changes: number) {
  const store = new Store(seed, chatCount)
  const random = new Random(seed)
  const history = new History(seed)
  for (let change = 1; change <= changes; change++) {
    store.mutateOnce(random)
    history.change(change * gapMs)
  }
  const change = () => {
    changes++
    store.mutateOnce(random)
    history.change(changes * gapMs)
  }
  return { store, history, change, now: () => changes * gapMs + gapMs / 2 }
}

/** What the upstream itself would say; a window across pages is one answer to it. */
function answerOf(store: Store, { body = '', method, path, subject }: Question) {
  const manners = { apiKey: 'key', errorShape: 'new', envelope: 'plain' } as const
  if (subject.of === 'list' && subject.view !== 'search' && subject.limit > 100) {
    const [sort, order] = [/sort=([^&]+)/.exec(path)?.[1], /order=([^&]+)/.exec(path)?.[1]]
    const { items, total } = store.page({ ...subject, sort, order } as never)
    return { status: 200, body: `{"data":[${items}],"meta":{"total":${total}}}` }
  }
  const call = { method, target: path, authorization: 'Bearer key', body }
  const answer = answerCall(call, store, manners)
  return { status: answer.status, body: answer.body.toString() }
}

const claimOf = (question: Question, body: string, now: number, ageSeconds = 0) => ({
  subject: question.subject,
  ...{ startedAt: now, endedAt: now + 10, allowanceMs: 0 },
  answer: { kind: 'answered', status: 200, ageSeconds, cacheStatus: '', body } as const
})

const questions = fc.integer().map(drawn => (history: History) => ask(new Random(drawn), history))

t.test('what the upstream says is true, whatever is asked', async t => {
  const { history, now, store } = worldAfter(30)
  const property = fc.property(questions, draw => {
    const question = draw(history)
    const { body, status } = answerOf(store, question)
    if (status === 404) return !history.ids.some(id => question.path.includes(id) && store.get(id))
    return falsehood(history, claimOf(question, body, now())) === undefined
  })
  await holds(t, property)
})

t.test('a byte more, less or another is not true', async t => {
  const { history, now, store } = worldAfter(30)
  const property = fc.property(questions, fc.nat(), fc.nat(2), (draw, drawn, kind) => {
    const question = draw(history)
    const { body, status } = answerOf(store, question)
    if (status === 404) return true
    const at = drawn % body.length
    const middle = ['', `${body[at]}${body[at]}`, body[at] === '7' ? '8' : '7'][kind]
    const spoilt = body.slice(0, at) + middle + body.slice(at + 1)
    return falsehood(history, claimOf(question, spoilt, now())) !== undefined
  })
  await holds(t, property)
})

t.test('what it said is true until its age says no more', async t => {
  const many = fc.array(questions, { minLength: 40, maxLength: 40 })
  const property = fc.property(many, draws => {
    const { change, history, now, store } = worldAfter(5)
    const said = draws
      .map(draw => draw(history))
      // Of a window across pages each chat may be of a moment of its own.
      .filter(question => !isAcross(question))
      .map(question => ({ question, ...answerOf(store, question), lastTrueAt: now() }))
      .filter(({ status }) => status === 200)
    for (let turns = 0; turns < 40; turns++) {
      change()
      for (const one of said) {
        if (answerOf(store, one.question).body === one.body) one.lastTrueAt = now()
      }
    }
    const tooYoungMs = 3 * gapMs
    return said.every(({ body, lastTrueAt, question }) => {
      const judge = (ageMs: number) =>
        falsehood(history, claimOf(question, body, now(), Math.floor(ageMs / 1000)))
      const ageMs = now() - lastTrueAt
      const isOld = ageMs >= tooYoungMs
      return judge(ageMs) === undefined && (!isOld || judge(ageMs - tooYoungMs) !== undefined)
    })
  })
  await holds(t, property, { numRuns: 3 })
})

function isAcross({ subject }: Question): boolean {
  return subject.of === 'list' && (subject.offset % 100) + subject.limit > 100
}

const list: Question = {
  subject: { of: 'list', view: 'created', offset: 40, limit: 200 },
  ...{ method: 'GET', path: '/chats?sort=chats.createdAt&order=asc', headers: {} }
}

t.test('a window across pages may be of several moments, and lacks nothing', async t => {
  const { change, history, now, store } = worldAfter(3)
  const before = store.page({ sort: 'chats.createdAt', order: 'asc', offset: 40, limit: 60 })
  for (let turns = 0; turns < 5; turns++) change()
  const total = store.size
  const after = store.page({ sort: 'chats.createdAt', order: 'asc', offset: 100, limit: 140 })
  const joined = (items: readonly string[]) => `{"data":[${items}],"meta":{"total":${total}}}`
  const judge = (items: readonly string[], age: number) =>
    falsehood(history, claimOf(list, joined(items), now(), age))
  const items = [...before.items, ...after.items]
  t.equal(judge(items, 7), undefined)
  t.ok(judge(items.slice(1), 7), 'one is missing')
  t.ok(judge([...items, items[0]!], 7), 'one too many')
  t.ok(judge(items.with(5, items[5]!.replace('{', '{ ')), 7), 'one is spelled otherwise')
})

t.test('that there is no such chat is true from when it was removed', async t => {
  const { change, history, now, store } = worldAfter(0)
  const first = new Set(history.ids)
  while ([...first].every(id => store.get(id))) change()
  const id = [...first].find(id => !store.get(id))!
  const question: Question = {
    ...{ subject: { of: 'chat', id }, method: 'GET', path: `/chats/${id}`, headers: {} }
  }
  const body = '{"code":"chat_not_found"}'
  const claim = claimOf(question, body, now())
  const gone = { ...claim, answer: { ...claim.answer, status: 404, ageSeconds: undefined } }
  t.equal(falsehood(history, gone), undefined)
  t.match(falsehood(history, { ...gone, endedAt: 100, startedAt: 0 }), /not what/)
  const other = { ...gone, answer: { ...gone.answer, body: '{"code":"not_found"}' } }
  t.match(falsehood(history, other), /another kind/)
})

t.test('ages are held against what was promised of them', async t => {
  const answer = { kind: 'answered', status: 200, body: '' } as const
  const hit = { ...answer, ageSeconds: 2, cacheStatus: 'helpcrunch-proxy; hit; ttl=0' }
  const stale = { ...answer, ageSeconds: 5, cacheStatus: 'helpcrunch-proxy; hit; ttl=-3' }
  t.strictSame([hit, stale].map(sourceOf), ['hit', 'stale'])
  t.strictSame([hit, stale].map(isOverdue), [false, false])
  t.ok(isOverdue({ ...stale, ageSeconds: 7 }))
  t.equal(forbiddenAge(hit), undefined)
  t.match(forbiddenAge({ ...hit, ageSeconds: 3 }), /called fresh at 3000 ms/)
  t.equal(forbiddenAge({ ...stale, ageSeconds: staleIfErrorMs / 1000 }), undefined)
  t.match(forbiddenAge({ ...stale, ageSeconds: 70 }), /served at 70000 ms/)
  const ageless = { ...claimOf(list, '', 0).answer, ageSeconds: undefined }
  t.match(
    falsehood(new History(seed), { ...claimOf(list, '', 0), answer: ageless }),
    /without an age/
  )
})
