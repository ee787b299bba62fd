/** The documented refusals, in the words of either generation of the documents. */

import t from 'tap'
import { ask, started } from './client.ts'

const specific = (code: string, message: string) => [
  { code: 'invalid_request', message: 'Invalid request' },
  { code, message }
]
const notNumeric = 'This value should be of type numeric.'
const noChoice = 'The value you selected is not a valid choice.'
const notFound = specific('not_found', 'Chat not found')

const REFUSALS: readonly {
  path: string
  init?: RequestInit
  status: number
  fresh: readonly object[]
}[] = [
  { path: '/chats?limit=0', status: 400, fresh: specific('limit', notNumeric) },
  { path: '/chats?limit=ten', status: 400, fresh: specific('limit', notNumeric) },
  { path: '/chats?offset=-1', status: 400, fresh: specific('offset', notNumeric) },
  { path: '/chats?offset=1e3', status: 400, fresh: specific('offset', notNumeric) },
  { path: '/chats?sort=id', status: 400, fresh: specific('sort', noChoice) },
  { path: '/chats?order=DESC', status: 400, fresh: specific('order', noChoice) },
  {
    path: '/chats/search',
    init: { method: 'POST', body: '{' },
    status: 400,
    fresh: specific('body', 'Invalid JSON')
  },
  { path: '/chats/1', status: 404, fresh: notFound },
  { path: '/chats/1/messages', status: 404, fresh: notFound },
  { path: '/chats/abc', status: 404, fresh: notFound },
  { path: '/customers', status: 404, fresh: notFound },
  { path: '/chats', init: { method: 'DELETE' }, status: 404, fresh: notFound },
  {
    path: '/chats',
    init: { headers: { authorization: 'Bearer demo-key2' } },
    status: 401,
    fresh: specific('unauthorized', 'Unauthorized')
  },
  {
    path: '/nowhere',
    init: { headers: { authorization: 'bearer demo-key' } },
    status: 401,
    fresh: specific('unauthorized', 'Unauthorized')
  }
]

const OLD: Readonly<Record<number, string>> = {
  400: 'invalid_chat_value',
  401: 'invalid_token',
  404: 'chat_not_found'
}

t.test('refusals are worded as either generation of the documents words them', async t => {
  const fresh = await started(t)
  const old = await started(t, { errorShape: 'old' })
  for (const { path, init = {}, status, fresh: errors } of REFUSALS) {
    const name = `${init.method ?? 'GET'} ${path}`
    const now = await ask(fresh, path, init)
    t.same([now.status, JSON.parse(now.text)], [status, { errors }], name)
    const then = await ask(old, path, init)
    t.equal(then.status, status)
    t.match(JSON.parse(then.text), { errors: [{ code: OLD[status], message: String }] })
  }
})

t.test('all bad parameters are named at once', async t => {
  const simulator = await started(t)
  const { text } = await ask(simulator, '/chats?sort=x&order=x&offset=x&limit=x')
  const codes = JSON.parse(text).errors.map((entry: { code: string }) => entry.code)
  t.same(codes, ['invalid_request', 'sort', 'order', 'offset', 'limit'])
})

t.test('a 429 is worded in both shapes and says when to come back if told to', async t => {
  const fresh = await started(t, { limit: 0, windowSeconds: 30, retryAfter: true })
  const old = await started(t, { limit: 0, errorShape: 'old' })
  const now = await ask(fresh, '/chats')
  const then = await ask(old, '/chats')
  t.same([now.status, now.headers.get('retry-after')], [429, '30'])
  t.same(JSON.parse(now.text).errors, specific('too_many_requests', 'Too many requests'))
  t.same([then.status, then.headers.get('retry-after')], [429, null])
  t.same(JSON.parse(then.text), {
    errors: [{ code: 'too_many_requests', message: 'You have exceeded your requests limit' }]
  })
})
