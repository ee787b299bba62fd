/**
 * 400 `invalid_query` and the unreadable URLs beside it: the parameter is named, with what is
 * allowed and what came, and the upstream sees nothing of it.
 */

import fc from 'fast-check'
import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { holds } from '../support/property.ts'
import { type Answer, converse } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const badNumbers = [
  '-1',
  '1e1',
  '0x10',
  '5.0',
  '+5',
  '%2B5',
  '%205',
  '5%20',
  '05',
  '00',
  '%EF%BC%95',
  '',
  'null',
  'NaN',
  'Infinity',
  'undefined',
  'true',
  '[]',
  '5,6',
  '5;6',
  '%005',
  '5%00',
  '9007199254740992',
  '1'.repeat(30),
  '9'.repeat(400),
  '1_000',
  "5'--",
  '%F0%9F%92%A9',
  '$%7B5%7D',
  '0b1',
  '5n',
  '%D9%A5',
  '5%0D%0AX-Evil:%201'
]

const rows: readonly { query: string; names: readonly string[]; says?: string }[] = [
  ...['0', '1001', ...badNumbers].map(value => ({
    query: `limit=${value}`,
    names: ['limit'],
    says: 'from 1 to 1000'
  })),
  ...badNumbers.map(value => ({ query: `offset=${value}`, names: ['offset'], says: 'from 0 to' })),
  { query: 'limit', names: ['limit'] },
  { query: 'limit=5&limit=6', names: ['limit'], says: 'once' },
  { query: 'limit=5&limit=5', names: ['limit'], says: 'once' },
  { query: 'limit=5&%6cimit=5', names: ['limit'], says: 'once' },
  { query: 'offset=0&limit=2&offset=0', names: ['offset'], says: 'once' },
  { query: 'sort=chats.createdAt&sort=chats.createdAt', names: ['sort'], says: 'once' },
  ...[
    'LIMIT',
    'limt',
    'limit[]',
    'limit%5B%5D',
    'filter[0][field]',
    'updated_at[from]',
    'page',
    'since',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__proto__[limit]',
    '',
    ' limit',
    'limit%00',
    'sort%0D%0A',
    '%F0%9F%92%A9',
    'l%C3%ADmit',
    'token',
    'access_token',
    'limit%3D5',
    'limit%26offset'
  ].map(name => ({
    query: `${name}=5`,
    names: [decodeURIComponent(name)],
    says: 'sort, order, offset, limit'
  })),
  ...[
    'id',
    '-id',
    'chats.id',
    'createdAt',
    'chats.createdat',
    'CHATS.CREATEDAT',
    'chats.createdAt,chats.closedAt',
    '',
    'null',
    '__proto__',
    'constructor',
    'toString',
    '%20chats.createdAt',
    'chats.createdAt%00',
    'chats.createdAt%26order%3Dasc',
    'chats.createdAt|asc',
    'chats.createdAt:desc',
    "';DROP TABLE chats;--"
  ].map(value => ({
    query: `sort=${value}`,
    names: ['sort'],
    says: 'chats.createdAt, chats.lastCustomerMessageAt'
  })),
  ...[
    'sideways',
    '',
    'ascending',
    'asc%20',
    'd%C3%A9sc',
    '1',
    '-1',
    '__proto__',
    'constructor',
    'asc,desc',
    'asc%00',
    'de%E2%84%AAc'
  ].map(value => ({ query: `order=${value}`, names: ['order'], says: 'asc, desc' })),
  { query: 'sort=x&order=x&offset=x&limit=x', names: ['sort', 'order', 'offset', 'limit'] },
  { query: 'limit=0&colour=red&order=up', names: ['limit', 'colour', 'order'] }
]

function at<Row>(rows: readonly Row[], index: number): Row | undefined {
  return rows[index]
}

t.test('every bad query is 400, names its parameters and costs no call', async t => {
  const { get, simulator } = await startStack(t, { env: { TEAM_RATE_LIMIT: '0' } })
  for (const [index, { query, names, says }] of rows.entries()) {
    const prefix = at(['', '/v1'], index % 2) ?? ''
    const answer = await read(get(`${prefix}/chats?${query}`))
    const problem = checkProblem(
      t,
      answer,
      { status: 400, code: 'invalid_query' },
      query.slice(0, 60)
    )
    t.same(new Set(problem.errors.map(({ code }) => code)), new Set(names), 'one entry for each')
    if (says) t.match(problem.errors[0]?.message, says)
  }
  t.equal(simulator.hits(), 0)
  t.equal(Object.keys({}).length + Object.keys(Object.prototype).length, 0, 'nothing was polluted')
})

t.test('what came is shown escaped and cut', async t => {
  const { get, lines } = await startStack(t)
  const huge = `${'A'.repeat(3000)}%0D%0ASet-Cookie:%20a=b%1B[31m"<script>`
  const { body } = await read(get(`/chats?limit=${huge}&${huge}=1&sort=%22%0A${huge}`))
  t.ok(body.length < 1500, 'cut')
  t.notMatch(body, 'Set-Cookie')
  for (const text of [body, ...lines.map(line => line.trim())]) {
    t.same(
      [...text].filter(character => character < ' '),
      [],
      'no control characters'
    )
  }
})

t.test('a thousand bad parameters make a short answer', async t => {
  const { get } = await startStack(t)
  const many = Array.from({ length: 1000 }, (_, index) => `p${index}=1`).join('&')
  const answer = await read(get(`/chats?${many}`))
  const { errors } = checkProblem(t, answer, { status: 400, code: 'invalid_query' })
  t.ok(errors.length < 30)
  t.ok(answer.body.length < 5000)
})

const unreadable = ['%', '%z', '%zz', '%c0%af', '%80', '%ff', '%ed%a0%80', '%f4%90%80%80', '%u0041']
const places = [
  '/chats?limit=@',
  '/chats?@=1',
  '/@',
  '/chats/@',
  '/v1/@/chats',
  '/chats@',
  '/docs/static/@'
]

t.test('bad percent-encoding is 400 bad_request in path and query, token or not', async t => {
  const { url, simulator } = await startStack(t)
  const targets = places.flatMap(place => unreadable.map(bad => place.replace('@', bad)))
  for (const target of [
    ...targets,
    '/%00',
    '/chats%00',
    '/chats/%00',
    '/chats#top',
    '/chats?limit=5#'
  ]) {
    const { answers } = await ask(url, target, '')
    checkProblem(t, first(answers), { status: 400, code: 'bad_request' }, target)
  }
  t.equal(simulator.hits(), 0)
})

t.test('no query whatever is answered with anything but 200 or an explained 400', async t => {
  const { get, simulator } = await startStack(t, { env: { TEAM_RATE_LIMIT: '0' } })
  const part = fc.oneof(
    fc.constantFrom(
      'limit',
      'offset',
      'sort',
      'order',
      '=',
      '&',
      '5',
      '100',
      'chats.closedAt',
      'asc'
    ),
    fc.constantFrom(
      '%',
      '%00',
      '%26',
      '[',
      ']',
      '+',
      ';',
      '#',
      '?',
      '/',
      '..',
      '%E2%80%AE',
      "'",
      '\\'
    ),
    fc.string({ maxLength: 8, unit: 'binary' }).map(text => encodeURIComponent(text.toWellFormed()))
  )
  const query = fc.array(part, { maxLength: 12 }).map(parts => parts.join(''))
  const explained = fc.asyncProperty(query, async query => {
    const { status, body } = await read(get(`/chats?${query}`))
    if (status === 200) return JSON.parse(body).meta.total === 435
    return status === 400 && JSON.parse(body).errors.length > 0
  })
  await holds(t, explained, { numRuns: 200 })
  const targets = simulator.requests().map(({ target }) => target)
  const known = /^\/v1\/chats\?(sort=chats\.\w+&)?(order=(asc|desc)&)?offset=\d+&limit=100$/
  t.same(
    targets.filter(target => !known.test(target)),
    [],
    'nothing else ever went upstream'
  )
})

t.test('another MAX_LIMIT is the one that is named', async t => {
  const { get } = await startStack(t, { env: { MAX_LIMIT: '50' } })
  const answer = await read(get('/chats?limit=51'))
  const { errors } = checkProblem(t, answer, { status: 400, code: 'invalid_query' })
  t.match(errors, [{ code: 'limit', message: 'from 1 to 50' }])
  t.equal(JSON.parse((await read(get('/chats?limit=50'))).body).data.length, 50)
  t.equal(JSON.parse((await read(get('/chats'))).body).data.length, 50, 'and bounds the default')
})

const probes: readonly Record<string, string>[] = [
  'a',
  '[',
  ' ',
  ',',
  '"',
  '=',
  ';',
  '\t',
  'wait='
].flatMap(unit => {
  const text = `x${unit.repeat(Math.floor(7500 / unit.length))}x`
  return ['authorization', 'accept', 'if-none-match', 'forwarded', 'prefer', 'cache-control'].map(
    name => ({ [name]: text })
  )
})

t.test('fields made to be slow to match are not', async t => {
  const stack: Stack = await startStack(t, { env: { TEAM_RATE_LIMIT: '0' } })
  await read(stack.get('/chats'))
  const spent = process.cpuUsage().user
  const statuses = new Set<number>()
  for (const headers of probes) statuses.add((await read(stack.get('/chats', { headers }))).status)
  for (const unit of ['a', '[', '+']) {
    statuses.add((await read(stack.get(`/chats?sort=${unit.repeat(7500)}`))).status)
  }
  t.same(
    [...statuses].filter(status => ![200, 304, 400, 401].includes(status)),
    []
  )
  // In CPU time, so that a busy machine does not matter: quadratic matching would take minutes.
  t.ok(process.cpuUsage().user - spent < 10_000_000, `${process.cpuUsage().user - spent} µs`)
})

function ask(url: string, target: string, fields: string) {
  return converse(url, `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}Connection: close\r\n\r\n`)
}

function first(answers: readonly Answer[]): Answer {
  return answers[0] ?? { status: 0, headers: new Headers(), body: '' }
}

t.test('raw bytes in a URL are an explained 400 or no route', async t => {
  const { url } = await startStack(t)
  const token = `Authorization: Bearer ${tokens.blue}\r\n`
  for (const bytes of ['\xff', '\xc3\xa9', '\x80\x81', '{}', '<>', '"', '|', '^', '`', '\\']) {
    for (const target of [`/chats?limit=${bytes}`, `/${bytes}`]) {
      const answer = first((await ask(url, target, token)).answers)
      t.ok([400, 404].includes(answer.status), `${target}: ${answer.status}`)
      checkProblem(t, answer, { status: answer.status, code: JSON.parse(answer.body).code })
    }
  }
})
