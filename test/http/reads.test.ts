/**
 * What a single chat, its messages and a search promise alike, over real sockets: HelpCrunch's own
 * answer, kept, shared and refreshed like the list's, and no call for what cannot be asked.
 */

import { METHODS } from 'node:http'
import t, { type Test } from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { checkProblem, read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { direct, longestChat } from '../support/held.ts'
import { converse } from '../support/raw-socket.ts'
import { apiKey, type StackOptions, startStack, tokens } from '../support/stack.ts'

interface Question {
  readonly path: string
  readonly init: RequestInit
}

/** Each read, asked of a chat that holds enough to show. */
const questions: Record<string, (chatId: string) => Question> = {
  'a chat': id => ({ path: `/chats/${id}`, init: {} }),
  'a page of messages': id => ({ path: `/chats/${id}/messages`, init: {} }),
  'a window of messages': id => ({ path: `/chats/${id}/messages?offset=30&limit=40`, init: {} }),
  'a search': id => ({
    path: '/chats/search',
    init: {
      method: 'POST',
      body: `{"filter":[{"field":"chats.status","operator":"!=","value":${id}}]}`
    }
  })
}

async function open(t: Test, question: (chatId: string) => Question, options: StackOptions = {}) {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, ...options })
  const chat = longestChat(stack.simulator)
  const asked = question(chat.id)
  const ask = (init: RequestInit = {}, prefix = '') =>
    read(stack.get(prefix + asked.path, { ...asked.init, ...init }))
  return { ...stack, clock, chat, asked, ask }
}

const outcome = ({ headers }: { headers: Headers }) => headers.get('cache-status')
const miss = 'helpcrunch-proxy; fwd=uri-miss; fwd-status=200; stored'
const isSafe = ({ init }: Question) => init.method === undefined

for (const [name, question] of Object.entries(questions)) {
  t.test(`${name} is answered as HelpCrunch itself answers, kept and described`, async t => {
    for (const envelope of ['plain', 'top', 'extended'] as const) {
      const { ask, asked, clock, simulator } = await open(t, question, { upstream: { envelope } })
      const own = await direct(simulator, asked.path, asked.init)
      simulator.reset()
      const first = await ask()
      t.same([first.status, first.body, outcome(first)], [200, own.body, miss], envelope)
      t.match(first.headers.get('server-timing'), /^queue;dur=[\d.]+, upstream;dur=[\d.]+$/)
      await clock.advance(7500)
      const second = await ask({}, '/v1')
      t.same(
        [second.status, second.body, outcome(second)],
        [200, own.body, 'helpcrunch-proxy; hit; ttl=22']
      )
      t.equal(second.headers.get('age'), '7')
      t.equal(second.headers.has('server-timing'), false)
      for (const { headers } of [first, second]) {
        t.equal(headers.get('cache-control'), 'private, max-age=30')
        t.equal(headers.get('content-type'), 'application/json; charset=utf-8')
        t.equal(headers.get('etag'), first.headers.get('etag'))
        t.match(headers.get('etag'), /^"[\w-]+"$/)
        t.equal(headers.get('vary'), 'Accept-Encoding')
      }
      t.equal(simulator.hits(), 1)
    }
  })

  t.test(`${name} with a trailing slash, or of another team, is the same one`, async t => {
    const { ask, asked, get, simulator } = await open(t, question)
    const { body } = await ask()
    const [path = '', query = ''] = asked.path.split('?')
    for (const prefix of ['', '/v1']) {
      const slashed = await read(get(`${prefix}${path}/?${query}`, asked.init))
      t.same([slashed.body, outcome(slashed)?.split('; ')[1]], [body, 'hit'])
    }
    const green = await ask({ headers: { authorization: `Bearer ${tokens.green}` } })
    t.same([green.body, outcome(green)?.split('; ')[1]], [body, 'hit'])
    t.equal(simulator.hits(), 1)
  })

  t.test(
    `${name}: HelpCrunch sees our key and the canonical call, of the caller nothing`,
    async t => {
      const { ask, asked, simulator } = await open(t, question)
      await ask({ headers: { cookie: 'a=1', 'x-team': 'green', 'content-type': 'text/x-odd' } })
      const [{ method, target, headers, body } = {}] = simulator.requests()
      t.equal(method, asked.init.method ?? 'GET')
      t.match(target, /^\/v1\/chats\/(\d+(\/messages\?offset=0&limit=100)?|search)$/)
      t.equal(headers?.authorization, `Bearer ${apiKey}`)
      t.equal(headers?.['content-type'], isSafe(asked) ? undefined : 'application/json')
      t.equal(headers?.cookie ?? headers?.['x-team'], undefined)
      if (!isSafe(asked)) t.match(JSON.parse(body ?? ''), { offset: 0, limit: 100 })
    }
  )

  t.test(`${name}: 304 is for GET and HEAD, and only where the tag is current`, async t => {
    const { ask, asked } = await open(t, question)
    const tag = (await ask()).headers.get('etag') ?? ''
    const conditional = (field: string, init = {}) =>
      ask({ ...init, headers: { 'if-none-match': field } })
    for (const field of [tag, `W/${tag}`, '*', `"x", ${tag}`]) {
      const { status, body, headers } = await conditional(field)
      t.equal(status, isSafe(asked) ? 304 : 200, field)
      t.equal(body === '', isSafe(asked))
      t.equal(headers.get('etag'), tag)
    }
    t.equal((await conditional('"x"')).status, 200)
    if (isSafe(asked)) t.equal((await conditional(tag, { method: 'HEAD' })).status, 304)
  })

  t.test(`${name} that is stale is served while one refresh runs behind`, async t => {
    const { ask, chat, clock, simulator } = await open(t, question)
    const young = await ask()
    // To the chat that every one of these answers shows.
    simulator.store.touch(chat.id)
    await clock.advance(31_000)
    const stale = await ask()
    t.same([stale.body, outcome(stale)], [young.body, 'helpcrunch-proxy; hit; ttl=-1'])
    let next = stale
    for (let tries = 0; tries < 1000 && next.body === young.body; tries++) next = await ask()
    t.not(next.body, young.body)
    t.equal(outcome(next), 'helpcrunch-proxy; hit; ttl=30')
    t.equal(simulator.hits(), 2)
  })

  const faults: readonly Fault[] = [
    { kind: 'status', status: 401 },
    { kind: 'status', status: 429, headers: { 'retry-after': '99999999999' } },
    { kind: 'status', status: 500 },
    { kind: 'empty200' },
    { kind: 'body', body: '{}' },
    { kind: 'resetBeforeBytes' }
  ]

  t.test(`${name} that is old is served if no newer one can be had`, async t => {
    for (const fault of faults) {
      const { ask, clock, simulator } = await open(t, question)
      const young = await ask()
      await clock.advance(100_000)
      simulator.faultAll(fault)
      const old = await ask()
      t.same([old.status, old.body], [200, young.body], fault.kind)
      t.match(outcome(old), /^helpcrunch-proxy; hit; ttl=-70; detail=upstream_/)
    }
  })

  t.test(`${name}: a failure is an error of ours, and is kept by nobody`, async t => {
    for (const fault of faults.slice(2, 5)) {
      const { ask, simulator } = await open(t, question)
      simulator.faultAll(fault)
      const { status, body } = await ask()
      t.equal(status, 502, fault.kind)
      t.equal(JSON.parse(body).errors[0].code, JSON.parse(body).code)
      simulator.faultAll(undefined)
      t.equal(outcome(await ask()), miss)
    }
  })

  t.test(`${name}: a rejection is passed on with its entries, and never kept`, async t => {
    const { ask, clock, simulator } = await open(t, question)
    const entries = [
      { code: 'invalid_request', message: 'Invalid request' },
      { code: 'filter[0].field', message: 'This value should not be blank.' }
    ]
    const refuse = {
      kind: 'status',
      status: 400,
      body: JSON.stringify({ errors: entries })
    } as const
    const isRefused = async () => {
      const problem = checkProblem(t, await ask(), { status: 400, code: 'upstream_rejected' })
      t.same(problem.errors, entries.toReversed())
    }
    simulator.faultAll(refuse)
    for (const calls of [1, 2]) {
      await isRefused()
      t.equal(simulator.hits(), calls)
    }
    simulator.faultAll(undefined)
    t.equal(outcome(await ask()), miss)
    await clock.advance(100_000)
    simulator.faultAll(refuse)
    await isRefused()
    await clock.advance(5000)
    await isRefused()
    await clock.advance(5000)
    simulator.faultAll(undefined)
    t.match(outcome(await ask()), 'fwd=stale')
  })

  t.test(`${name}: only-if-cached costs no call, no-cache forces one`, async t => {
    const { ask, clock, simulator } = await open(t, question)
    const wanting = (directive: string) => ask({ headers: { 'cache-control': directive } })
    checkProblem(t, await wanting('only-if-cached'), { status: 504, code: 'not_cached' })
    t.equal(simulator.hits(), 0)
    await ask()
    await clock.advance(100_000)
    t.equal(outcome(await wanting('only-if-cached')), 'helpcrunch-proxy; hit; ttl=-70')
    t.equal(simulator.hits(), 1)
    await ask()
    await clock.advance(6000)
    t.match(outcome(await wanting('no-cache')), /fwd=request/)
    t.match(outcome(await wanting('max-age=0')), /hit; ttl=30/)
    t.equal(simulator.hits(), 3)
  })

  t.test(`${name} without budget is refused in the words of the prefix`, async t => {
    const { ask, get, simulator } = await open(t, question, { env: { UPSTREAM_LIMIT: '1' } })
    await get('/chats')
    const refused = { code: 'budget_exhausted' }
    const ours = checkProblem(t, await ask(), { status: 503, ...refused })
    const theirs = checkProblem(t, await ask({}, '/v1'), { status: 429, ...refused })
    for (const { retryAfter = 0 } of [ours, theirs]) t.ok(retryAfter >= 60, `${retryAfter} s`)
    t.equal(simulator.hits(), 1)
  })

  t.test(`${name} takes no other method`, async t => {
    const { asked, url, simulator } = await open(t, question)
    const taken = isSafe(asked) ? ['GET', 'HEAD'] : ['POST']
    for (const method of METHODS.filter(one => ![...taken, 'CONNECT'].includes(one))) {
      for (const prefix of ['', '/v1']) {
        const fields = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\nConnection: close\r\n`
        const request = `${method} ${prefix}${asked.path} HTTP/1.1\r\n${fields}\r\n`
        const [answer] = (await converse(url, request, { method })).answers
        t.equal(answer?.headers.get('allow'), taken.join(', '), method)
        if (method === 'HEAD') t.equal(answer?.status, 405)
        else checkProblem(t, answer!, { status: 405, code: 'method_not_allowed' }, method)
      }
    }
    t.equal(simulator.hits(), 0)
  })

  t.test(`${name} takes no parameters but its own`, async t => {
    const { asked, get, simulator } = await open(t, question)
    const [path = ''] = asked.path.split('?')
    for (const parameter of [
      'sort=chats.createdAt',
      'LIMIT=5',
      'limt',
      'since=0',
      '__proto__=1',
      '=',
      '%20'
    ]) {
      const answer = await read(get(`${path}?${parameter}`, asked.init))
      const problem = checkProblem(t, answer, { status: 400, code: 'invalid_query' }, parameter)
      t.same(
        problem.errors.map(({ code }) => code),
        [decodeURIComponent(parameter.split('=')[0] ?? '')]
      )
    }
    t.equal(simulator.hits(), 0)
    t.equal((await read(get(`${path}?&&`, asked.init))).status, 200, 'none is none')
  })

  t.test(`${name} needs a token`, async t => {
    const { asked, url, simulator } = await open(t, question)
    const answer = await read(fetch(url + asked.path, asked.init))
    checkProblem(t, answer, { status: 401, code: 'unauthenticated' })
    t.equal(simulator.hits(), 0)
  })
}

t.test('HEAD has the headers of GET and no body, from what is stored', async t => {
  for (const name of ['a chat', 'a page of messages', 'a window of messages']) {
    const { asked, url, simulator } = await open(t, questions[name]!)
    const ask = async (method: string) => {
      const fields = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\nConnection: close\r\n`
      const request = `${method} ${asked.path} HTTP/1.1\r\n${fields}\r\n`
      const { answers, rest } = await converse(url, request, { method })
      return { headers: answers[0]?.headers ?? new Headers(), body: answers[0]?.body ?? '', rest }
    }
    const first = await ask('HEAD')
    const get = await ask('GET')
    const head = await ask('HEAD')
    t.equal(simulator.hits(), 1)
    t.same([first.rest, head.rest], ['', ''], 'no body')
    t.equal(Number(head.headers.get('content-length')), Buffer.byteLength(get.body))
    const lasting = (headers: Headers) =>
      [...headers].filter(([name]) => !['date', 'x-request-id', 'ratelimit'].includes(name))
    t.same(lasting(head.headers), lasting(get.headers))
  }
})
