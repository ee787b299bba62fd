/**
 * 401: no token or a wrong one, whatever else the request holds. The same words for every wrong
 * token, and nothing of it in the log. Whoever is known is asked for nothing more.
 */

import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
import { apiKey, type Stack, startStack, tokens } from '../support/stack.ts'

const { blue, green } = tokens
const wanted = { status: 401, code: 'unauthenticated' }

/** Header lines that make nobody a team. */
const strangers: readonly { name: string; fields: readonly string[] }[] = [
  { name: 'nothing', fields: [] },
  { name: 'an empty field', fields: ['Authorization: '] },
  { name: 'only the scheme', fields: ['Authorization: Bearer'] },
  { name: 'an empty token', fields: ['Authorization: Bearer '] },
  { name: 'only the token', fields: [`Authorization: ${blue}`] },
  { name: 'two spaces', fields: [`Authorization: Bearer  ${blue}`] },
  { name: 'a tab', fields: [`Authorization: Bearer\t${blue}`] },
  { name: 'another scheme', fields: [`Authorization: Token ${blue}`] },
  {
    name: 'Basic',
    fields: [`Authorization: Basic ${Buffer.from(`x:${blue}`).toString('base64')}`]
  },
  { name: 'angle brackets', fields: [`Authorization: Bearer <${blue}>`] },
  { name: 'quotes', fields: [`Authorization: Bearer "${blue}"`] },
  { name: 'two tokens', fields: [`Authorization: Bearer ${blue},${green}`] },
  { name: 'a token and more', fields: [`Authorization: Bearer ${blue} x`] },
  { name: 'two right fields', fields: Array(2).fill(`Authorization: Bearer ${blue}`) },
  {
    name: 'a right and a wrong field',
    fields: [`Authorization: Bearer ${blue}`, 'authorization: x']
  },
  {
    name: 'two teams',
    fields: [`Authorization: Bearer ${blue}`, `AUTHORIZATION: Bearer ${green}`]
  },
  { name: 'a cookie', fields: [`Cookie: token=${blue}; Authorization=Bearer ${blue}`] },
  { name: 'another header', fields: [`X-Api-Key: ${blue}`, `Proxy-Authorization: Bearer ${blue}`] },
  { name: 'the name of the team', fields: ['Authorization: Bearer blue', 'X-Team: blue'] },
  { name: 'our own key', fields: [`Authorization: Bearer ${apiKey}`] },
  { name: 'a wrong first byte', fields: [`Authorization: Bearer X${blue.slice(1)}`] },
  { name: 'a wrong last byte', fields: [`Authorization: Bearer ${blue.slice(0, -1)}X`] },
  { name: 'another case', fields: [`Authorization: Bearer ${blue.toLowerCase()}`] },
  { name: 'a prefix', fields: [`Authorization: Bearer ${blue.slice(0, -1)}`] },
  { name: 'a longer one', fields: [`Authorization: Bearer ${blue}0`] },
  { name: '8 kB', fields: [`Authorization: Bearer ${'a'.repeat(8000)}`] },
  { name: '8 kB of spaces', fields: [`Authorization: Bearer${' '.repeat(8000)}x`] },
  { name: 'Latin 1', fields: [`Authorization: Bearer ${blue}\xe9`] },
  { name: 'UTF-8', fields: ['Authorization: Bearer \xd0\xba\xd0\xbb\xd1\x8e\xd1\x87-0123456789'] },
  { name: 'an object member', fields: ['Authorization: Bearer __proto__', 'Authorization-X: y'] }
]

function request(target: string, fields: readonly string[], method = 'GET'): string {
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...fields]
  return `${lines.join('\r\n')}\r\n\r\n`
}

async function ask({ url }: Stack, target: string, fields: readonly string[], method = 'GET') {
  const { answers, rest } = await converse(url, request(target, fields, method), { method })
  return { ...(answers[0] as Answer), count: answers.length, rest }
}

t.test('strangers are 401 with a challenge, in the same words, and cost no call', async t => {
  const stack = await startStack(t)
  const bodies = new Set<string>()
  for (const { name, fields } of strangers) {
    const answer = await ask(stack, '/chats', fields)
    t.same([answer.count, answer.rest], [1, ''])
    checkProblem(t, answer, wanted, name)
    t.equal(answer.headers.get('www-authenticate'), 'Bearer', name)
    t.same(
      [...answer.headers.keys()].filter(field => /^(ratelimit|etag|cache-status)/.test(field)),
      [],
      'tells nothing'
    )
    bodies.add(answer.body)
  }
  t.equal(bodies.size, 1)
  t.equal(stack.simulator.hits(), 0)
  for (const secret of [blue, green, apiKey]) t.notOk(stack.lines.join().includes(secret))
})

t.test('a NUL in the token is not even HTTP', async t => {
  const stack = await startStack(t)
  const answer = await ask(stack, '/chats', [`Authorization: Bearer ${blue}\0`])
  t.equal(answer.count, 1)
  checkProblem(t, answer, { status: 400, code: 'bad_request' })
})

t.test('a token in the query is refused, and logged nowhere', async t => {
  const stack = await startStack(t)
  for (const query of [`token=${blue}`, `access_token=${blue}`, `Authorization=Bearer%20${blue}`]) {
    checkProblem(t, await ask(stack, `/chats?${query}`, []), wanted, query)
  }
  const known = [`Authorization: Bearer ${blue}`]
  const answer = await ask(stack, `/chats?token=${green}`, known)
  checkProblem(t, answer, { status: 400, code: 'invalid_query' })
  t.notOk(answer.body.includes(green))
  t.ok(stack.lines.length > 0)
  for (const token of [blue, green]) t.notOk(stack.lines.join().includes(token))
})

t.test('the scheme is written in any case', async t => {
  const stack = await startStack(t)
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    const answer = await ask(stack, '/chats?limit=1', [`Authorization: ${scheme} ${blue}`])
    t.equal(answer.status, 200, scheme)
  }
})

t.test('each token of a team opens the door, for that team', async t => {
  const second = 'second-token-of-blue-0123456789'
  const env = { TEAM_TOKENS: `blue=${blue},green=${green},blue=${second}`, TEAM_RATE_LIMIT: '10' }
  const stack = await startStack(t, { env })
  const left = async (token: string) => {
    const { headers } = await ask(stack, '/chats?limit=1', [`Authorization: Bearer ${token}`])
    return /r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  }
  t.same([await left(blue), await left(second), await left(green)], ['9', '8', '9'])
})

const closed = ['/chats', '/v1/chats', '/chats/', '/chats/1', '/nowhere', '/v1/nowhere', '/admin']
const open = [
  '/',
  '/v1',
  '/v1/',
  '/healthz',
  '/readyz',
  '/v1/healthz',
  '/openapi.yaml',
  '/docs',
  '/v1/docs'
]

t.test('everything asks for a token but the directory, health and docs', async t => {
  const stack = await startStack(t)
  for (const target of closed) {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      checkProblem(t, await ask(stack, target, [], method), wanted, `${method} ${target}`)
    }
    t.equal((await ask(stack, target, [], 'HEAD')).status, 401, `HEAD ${target}`)
  }
  for (const target of open) t.equal((await ask(stack, target, [])).status, 200, target)
  const withWrongToken = await ask(stack, '/healthz', ['Authorization: Bearer wrong'])
  t.equal(withWrongToken.status, 200, 'a wrong token does not matter there')
})

t.test('without TEAM_TOKENS everybody is anonymous, but a wrong token is still wrong', async t => {
  const stack = await startStack(t, { env: { TEAM_TOKENS: '' } })
  t.equal((await ask(stack, '/chats?limit=1', [])).status, 200)
  const answer = await ask(stack, '/chats?limit=1', [`Authorization: Bearer ${blue}`])
  checkProblem(t, answer, wanted)
  t.ok(stack.lines.some(line => JSON.parse(line).team === 'anonymous'))
})

t.test('10,000 wrong tokens cost no call, no memory and no other team its place', async t => {
  const stack = await startStack(t, { env: { TEAM_RATE_LIMIT: '10', LOG_LEVEL: 'silent' } })
  const guess = (index: number) =>
    `GET /chats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer guess-${index}-0123456789\r\n\r\n`
  const guesses = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => guess(from + index)).join('')
  const statuses: number[] = []
  for (let from = 0; from < 10_000; from += 500) {
    const { answers } = await converse(stack.url, guesses(from, 500), { answers: 500 })
    statuses.push(...answers.map(({ status }) => status))
  }
  t.equal(statuses.length, 10_000)
  t.same(
    [...new Set(statuses)].filter(status => status !== 401 && status !== 429),
    []
  )
  t.equal(stack.simulator.hits(), 0)
  const { status, headers } = await read(stack.get('/chats?limit=1'))
  t.equal(status, 200)
  t.match(headers.get('ratelimit'), /r=9;/, 'nothing was counted against a team')
})
