/**
 * 429 `team_rate_limited`: a team's own limit, and only that. It never spends a call, never touches
 * another team, and says when it ends.
 */

import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import type { Answer } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const wanted = { status: 429, code: 'team_rate_limited' }
const asGreen = { headers: { authorization: `Bearer ${tokens.green}` } }

/** `RateLimit` and `RateLimit-Policy` in numbers (draft-ietf-httpapi-ratelimit-headers). */
function limitOf({ headers }: Answer) {
  const policy = /^"[^"]+";q=(\d+);w=(\d+)$/.exec(headers.get('ratelimit-policy') ?? '')
  const left = /^"[^"]+";r=(\d+);t=(\d+)$/.exec(headers.get('ratelimit') ?? '')
  return {
    quota: Number(policy?.[1]),
    window: Number(policy?.[2]),
    left: Number(left?.[1]),
    reset: Number(left?.[2])
  }
}

async function startLimited(t: Parameters<typeof startStack>[0], limit: number) {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env: { TEAM_RATE_LIMIT: String(limit) } })
  return { ...stack, clock }
}

async function times(count: number, ask: () => Promise<Response>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let left = count; left > 0; left--) answers.push(await read(ask()))
  return answers
}

t.test('what is left counts down to nothing, then it is 429 until the minute is over', async t => {
  const { get, clock, simulator } = await startLimited(t, 3)
  const ask = () => get('/chats?limit=1')
  const served = await times(3, ask)
  t.same(
    served.map(({ status }) => status),
    [200, 200, 200]
  )
  t.same(
    served.map(answer => limitOf(answer).left),
    [2, 1, 0]
  )
  await clock.advance(20_000)
  for (const answer of await times(3, ask)) {
    const { retryAfter } = checkProblem(t, answer, wanted)
    t.same(limitOf(answer), { quota: 3, window: 60, left: 0, reset: 40 })
    t.equal(retryAfter, 40)
    t.equal(answer.headers.get('cache-status'), null)
  }
  t.equal(simulator.hits(), 1)
  await clock.advance(39_999)
  t.equal((await read(ask())).status, 429)
  await clock.advance(1)
  t.equal((await read(ask())).status, 200, 'exactly when Retry-After said')
})

t.test('hits, errors and 304s count as well, under both prefixes', async t => {
  const { get } = await startLimited(t, 5)
  const { headers } = await read(get('/chats?limit=1'))
  const condition = { headers: { 'if-none-match': headers.get('etag') ?? '' } }
  const statuses = [
    (await get('/v1/chats?limit=1', condition)).status,
    (await get('/chats?limit=0')).status,
    (await get('/nowhere')).status,
    (await get('/chats', { method: 'DELETE' })).status,
    (await get('/chats?limit=1')).status
  ]
  t.same(statuses, [304, 400, 404, 405, 429])
  const underV1 = await read(get('/v1/chats?limit=1'))
  checkProblem(t, underV1, wanted, 'under /v1, the same')
})

t.test('one team at its limit does not touch another, nor the open routes', async t => {
  const { get, url } = await startLimited(t, 2)
  await times(5, () => get('/chats?limit=1'))
  const green = await read(get('/chats?limit=1', asGreen))
  t.equal(green.status, 200)
  t.equal(limitOf(green).left, 1)
  for (const path of ['/', '/healthz', '/readyz', '/openapi.yaml', '/docs']) {
    t.equal((await read(fetch(url + path))).status, 200, path)
    const answer = await read(get(path))
    t.equal(answer.status, 200, `${path} with the token`)
    t.equal(answer.headers.get('ratelimit'), null)
  }
})

t.test('the answer names no other team and no token', async t => {
  const { get } = await startLimited(t, 1)
  const [, refused] = await times(2, () => get('/chats?limit=1'))
  const shown = JSON.stringify([...(refused as Answer).headers]) + (refused as Answer).body
  for (const word of ['green', tokens.blue, tokens.green]) t.notOk(shown.includes(word), word)
})

t.test('0 turns it off, headers and all', async t => {
  const { get } = await startLimited(t, 0)
  const answers = await times(50, () => get('/chats?limit=1'))
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.same(
    answers.flatMap(({ headers }) =>
      [...headers.keys()].filter(name => /^(x-)?ratelimit/.test(name))
    ),
    []
  )
})

t.test('the largest limit is 10^9, and shown as such', async t => {
  const { get } = await startLimited(t, 1_000_000_000)
  const { status, ...answer } = await read(get('/chats?limit=1'))
  t.equal(status, 200)
  t.match(limitOf({ status, ...answer }), { quota: 1e9, window: 60, left: 999_999_999 })
})

t.test('the dead headers of older drafts are not sent', async t => {
  const { get } = await startLimited(t, 1)
  const names = (await times(2, () => get('/chats?limit=1'))).flatMap(({ headers }) => [
    ...headers.keys()
  ])
  t.same(
    names.filter(name => /^(x-ratelimit|ratelimit-(limit|remaining|reset))/.test(name)),
    []
  )
})

t.test('in any minute of the count a team gets its limit at most', async t => {
  const { get, clock } = await startLimited(t, 10)
  let served = 0
  for (let second = 0; second < 60; second += 5) {
    const answers = await times(3, () => get('/chats?limit=1'))
    served += answers.filter(({ status }) => status === 200).length
    await clock.advance(5_000)
  }
  t.equal(served, 10)
  t.equal((await read(get('/chats?limit=1'))).status, 200, 'and again in the next')
})

t.test('everybody without a token is one team', async t => {
  const stack: Stack = await startStack(t, { env: { TEAM_TOKENS: '', TEAM_RATE_LIMIT: '1' } })
  const ask = () => fetch(`${stack.url}/chats?limit=1`)
  const [first, second] = await times(2, ask)
  t.same([first?.status, second?.status], [200, 429])
})
