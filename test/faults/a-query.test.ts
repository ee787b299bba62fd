/**
 * Group A, first part (A1–A7, A9): what a query may say, and what it costs to say it otherwise.
 * Every spelling that is no query is refused by name, without a call; every one that means the
 * same is the same page.
 */

import t from 'tap'
import { get } from './requests.ts'
import { answered, type Demand, type Row, refused, runRows } from './runner.ts'
import { startService } from './service-process.ts'

/** No plain decimal integer, in the spellings that one parser or another would take for one. */
const noIntegers = [
  ...['-1', '-0', '1e1', '1E1', '0x10', '0b1', '0o7', '5.0', '5.', '.5', '+5', '%2B5', '%205'],
  ...['5%20', '5%09', '05', '00', '%EF%BC%95', '%D9%A5', '%E2%91%A4', '', 'null', 'NaN', 'true'],
  ...['Infinity', 'undefined', '[]', '[5]', '5,6', '5;6', '5_0', '5n', '5%00', '%005', '5%0A'],
  ...['9007199254740992', '18446744073709551616', '9'.repeat(30), '9'.repeat(3_000), '5%27--']
]

/** Refused, and the entry of this parameter says what is allowed and what came. */
const namesIt = (parameter: string, allowed: RegExp, got = /got "/): Demand =>
  refused({ status: 400, code: 'invalid_query' }, (t, { errors }, { body }) => {
    t.same(
      errors.map(({ code }) => code),
      [parameter]
    )
    t.match(errors[0]?.message, allowed)
    t.match(errors[0]?.message, got)
    t.ok(body.length < 1_000, 'cut')
    t.notMatch(body, /\p{Cc}/u, 'escaped')
  })

const bad = (parameter: string, values: readonly string[]) =>
  values.map(value => get(`/chats?${parameter}=${value}`))

const unknown = [
  ...['LIMIT', 'Limit', 'limt', 'limit[]', 'limit%5B%5D', 'filter[0][field]', 'updated_at[from]'],
  ...['page', 'per_page', 'since', 'token', '%20limit', 'limit%20', 'limit%00', 'l%C3%ADmit', '']
]

const prototype = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']

const sorts = ['id', '-id', 'chats.id', 'createdAt', 'chats.createdat', 'chats.createdAt,id', '']
const orders = ['sideways', 'ascending', 'asc%20', '-1', 'asc,desc', 'de%E2%84%AAc', '']

/** One page by any of these names; the first of them is what makes the call. */
const onePage = [
  '/chats?sort=chats.closedAt&order=asc',
  '/chats?order=asc&sort=chats.closedAt',
  '/chats?sort=chats.closedAt&order=asc&offset=0&limit=100',
  '/chats?limit=100&offset=0&order=ASC&sort=chats.closedAt',
  '/chats?%73ort=chats%2EclosedAt&order=%61sc&limit=%31%30%30',
  '/chats?sort=chats.closedAt&order=asc&',
  '/chats?&sort=chats.closedAt&&order=asc',
  '/chats/?sort=chats.closedAt&order=asc',
  '/v1/chats?sort=chats.closedAt&order=Asc'
]

/** A list each: an absent `sort` or `order` is one of its own. */
const lists = [
  '/chats?limit=1',
  '/chats?sort=chats.createdAt&limit=1',
  '/chats?order=asc&limit=1',
  '/chats?order=desc&limit=1',
  '/chats?sort=chats.createdAt&order=asc&limit=1',
  '/chats?sort=chats.createdAt&order=desc&limit=1',
  '/chats?sort=chats.lastMessageAt&order=asc&limit=1',
  '/chats?offset=100&limit=1'
]

/** Would be one of these lists, if a separator in a value were taken for one between values. */
const collisions = [
  '%26',
  '%3D',
  '|',
  '%7C',
  ':',
  '%00',
  '%0A',
  '%23',
  ';',
  '%20',
  '/',
  '%252'
].map(separator => get(`/chats?sort=chats.createdAt${separator}order${separator}asc`))

let body = ''

const rows: readonly Row[] = [
  {
    row: 'A1',
    priority: 1,
    case: 'a limit that is none',
    send: bad('limit', ['0', '1001', ...noIntegers]),
    demanded: namesIt('limit', /from 1 to 1000/)
  },
  {
    row: 'A2',
    priority: 1,
    case: 'an offset that is none',
    send: bad('offset', noIntegers),
    demanded: namesIt('offset', /from 0 to/)
  },
  {
    row: 'A2',
    priority: 1,
    case: 'an offset beyond the end',
    send: ['435', '5000', '9007199254730991'].map(offset => get(`/chats?limit=3&offset=${offset}`)),
    demanded: answered([200], (t, { body }) => {
      t.same(JSON.parse(body), { data: [], meta: { total: 435 } })
    }),
    // Nobody knows the end before one call has told.
    calls: 1
  },
  {
    row: 'A3',
    priority: 1,
    case: 'a parameter that is repeated',
    send: ['limit=5&limit=6', 'limit=5&limit=5', 'limit=5&%6cimit=6'].map(query =>
      get(`/chats?${query}`)
    ),
    demanded: namesIt('limit', /once/, /once/)
  },
  {
    row: 'A4',
    priority: 1,
    case: 'a parameter that is unknown',
    send: unknown.map(name => get(`/chats?${name}=5`)),
    demanded: refused({ status: 400, code: 'invalid_query' }, (t, { errors }) => {
      t.match(errors[0]?.message, /sort, order, offset, limit/)
    })
  },
  {
    row: 'A5',
    priority: 1,
    case: 'a sort that is none',
    send: bad('sort', sorts),
    demanded: namesIt('sort', /chats\.createdAt, chats\.lastCustomerMessageAt/)
  },
  {
    row: 'A5',
    priority: 1,
    case: 'an order that is none',
    send: bad('order', orders),
    demanded: namesIt('order', /asc, desc/)
  },
  {
    row: 'A6',
    priority: 1,
    case: 'one meaning in many spellings',
    send: onePage.map(target => get(target)),
    demanded: answered([200], (t, answer) => {
      body ||= answer.body
      t.equal(answer.body, body)
    }),
    calls: 1
  },
  {
    row: 'A7',
    priority: 1,
    case: 'another meaning',
    send: lists.map(target => get(target)),
    demanded: answered([200], (t, { headers }) => {
      t.match(headers.get('cache-status'), 'fwd=uri-miss')
    }),
    calls: lists.length
  },
  {
    row: 'A7',
    priority: 1,
    case: 'separators inside of values',
    send: collisions,
    demanded: refused({ status: 400, code: 'invalid_query' })
  },
  {
    row: 'A9',
    priority: 1,
    case: 'names of the prototype as names',
    send: prototype.flatMap(name => [get(`/chats?${name}=1`), get(`/chats?${name}[limit]=1`)]),
    demanded: refused({ status: 400, code: 'invalid_query' })
  },
  {
    row: 'A9',
    priority: 1,
    case: 'names of the prototype as values',
    send: prototype.flatMap(value => bad('sort', [value]).concat(bad('order', [value]))),
    demanded: refused({ status: 400, code: 'invalid_query' })
  },
  {
    row: 'A9',
    priority: 1,
    case: 'names of the prototype as paths and headers',
    send: prototype.flatMap(name => [get(`/${name}`), get('/nowhere', `${name}: ${name}\r\n`)]),
    demanded: refused({ status: 404, code: 'not_found' })
  }
]

const service = await startService(t)

runRows(t, service, rows)

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))
