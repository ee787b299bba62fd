/**
 * A client written for HelpCrunch that changes nothing but its base URL and its token: what such
 * clients do, as their code does it, three times over: with fetch, with node's http and with curl.
 */

import { execFile, spawnSync } from 'node:child_process'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { FakeClock } from '../support/fake-clock.ts'
import { allChats, longestChat } from '../support/held.ts'
import { startStack, tokens } from '../support/stack.ts'

interface Asked {
  readonly token: string
  /** Posted, under this type or none. */
  readonly body?: string
  readonly type?: string
}

interface Answered {
  readonly status: number
  readonly body: string
}

type Client = (url: string, asked: Asked) => Promise<Answered>

const withFetch: Client = async (url, { token, body, type }) => {
  const answer = await fetch(url, {
    headers: { Authorization: `Bearer ${token}`, ...(type && { 'Content-Type': type }) },
    // fetch gives a text a type of its own, and bytes none.
    ...(body !== undefined && {
      method: 'POST',
      body: type ? body : new TextEncoder().encode(body)
    })
  })
  return { status: answer.status, body: await answer.text() }
}

const withHttp: Client = (url, { token, body, type }) =>
  new Promise((resolve, reject) => {
    const headers = {
      // As many clients do, also without a body.
      'Content-Type': type ?? 'application/json',
      Authorization: `Bearer ${token}`,
      Accept: 'application/json'
    }
    const sent = request(url, { method: body === undefined ? 'GET' : 'POST', headers }, answer => {
      text(answer).then(body => resolve({ status: answer.statusCode ?? 0, body }), reject)
    })
    if (body !== undefined && type === undefined) sent.removeHeader('Content-Type')
    sent.on('error', reject).end(body)
  })

const withCurl: Client = (url, { token, body, type }) =>
  new Promise((resolve, reject) => {
    const posted = ['--data-binary', body ?? '', '-H', `Content-Type:${type ? ` ${type}` : ''}`]
    const options = ['-q', '-sS', '-g', '--noproxy', '*', '-w', '\n%{http_code}']
    const authorization = ['-H', `Authorization: Bearer ${token}`]
    const all = [...options, ...authorization, ...(body === undefined ? [] : posted), url]
    execFile('curl', all, { maxBuffer: 2 ** 26 }, (error, stdout) => {
      if (error) return reject(error)
      const end = stdout.lastIndexOf('\n')
      resolve({ status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) })
    })
  })

const noCurl = spawnSync('curl', ['--version']).error ? 'curl is not installed here' : false

const clients: Record<string, { client: Client; skip: string | false }> = {
  fetch: { client: withFetch, skip: false },
  "node's http": { client: withHttp, skip: false },
  curl: { client: withCurl, skip: noCurl }
}

async function open(t: Test, client: Client, env: Record<string, string> = {}) {
  const clock = new FakeClock()
  const stack = await startStack(t, { clock, env })
  const base = `${stack.url}/v1`
  const ask = (path: string, asked: Partial<Asked> = {}) =>
    client(base + path, { token: tokens.blue, ...asked })
  return { ...stack, clock, ask }
}

/** Items as they came, between the brackets of `data`. */
const itemsOf = ({ body }: Answered) => body.slice('{"data":['.length, body.lastIndexOf(']'))

for (const [name, { client, skip }] of Object.entries(clients)) {
  t.test(`${name} walks all chats to meta.total`, { skip }, async t => {
    const { ask, simulator } = await open(t, client)
    const seen: string[] = []
    let total = 1
    let count = 0
    for (let offset = 0; offset < total; offset += 100) {
      const order = 'sort=chats.createdAt&order=asc'
      const answer = await ask(`/chats?limit=100&offset=${offset}&${order}`)
      t.equal(answer.status, 200)
      const page = JSON.parse(answer.body)
      total = page.meta.total
      count += page.data.length
      seen.push(itemsOf(answer))
    }
    t.same([total, count], [435, 435])
    const held = allChats(simulator).map(chat => chat.text)
    t.equal(seen.join(), held.join())
    t.equal(simulator.hits(), 5)
  })

  t.test(`${name} searches with text/plain, and with no type at all`, { skip }, async t => {
    const { ask, simulator } = await open(t, client)
    const filter = [{ field: 'chats.status', operator: '=', value: 'closed' }]
    const body = JSON.stringify({
      comparison: 'AND',
      filter,
      sort: 'chats.createdAt',
      order: 'ASC',
      offset: 0,
      limit: 100
    })
    const closed = allChats(simulator).filter(({ status }) => status === 'closed')
    const wanted = closed.slice(0, 100).map(chat => chat.text)
    for (const type of ['text/plain', 'application/json', undefined]) {
      const answer = await ask('/chats/search/', { body, ...(type && { type }) })
      t.equal(answer.status, 200, type ?? 'none')
      t.equal(itemsOf(answer), wanted.join())
      t.equal(JSON.parse(answer.body).meta.total, closed.length)
    }
    const [{ headers } = {}, ...others] = simulator.requests()
    t.equal(headers?.['content-type'], 'application/json')
    t.same(others, [], 'one search, one call')
  })

  t.test(
    `${name} opens one chat, and polls its messages with a trailing slash`,
    { skip },
    async t => {
      const { ask, clock, simulator } = await open(t, client)
      const { id, text, messages } = longestChat(simulator)
      t.same(await ask(`/chats/${id}`), { status: 200, body: text })
      const poll = () => ask(`/chats/${id}/messages/?limit=100&offset=0`)
      for (let turn = 0; turn < 5; turn++) {
        const { status, body } = await poll()
        const page = JSON.parse(body)
        t.same([status, page.total, page.data.length], [200, messages, 100])
        await clock.advance(5000)
      }
      t.equal(simulator.hits(), 2, 'polled five times in 20 s')
      simulator.store.touch(id)
      // No page is fresh for longer than half a minute, nor refreshed behind for more than one.
      await clock.advance(91_000)
      const { items, total } = simulator.store.messages(id, 0, 100)!
      t.equal((await poll()).body, `{"data":[${items}],"total":${total}}`)
    }
  )

  t.test(`${name} reads errors[0].message of whatever goes wrong`, { skip }, async t => {
    const { ask } = await open(t, client)
    const field = '{"filter":[{"operator":"=","value":1}]}'
    const rows: readonly (readonly [
      path: string,
      asked: Partial<Asked>,
      status: number,
      says: RegExp
    ])[] = [
      ['/chats?limit=100&offset=-5', {}, 400, /integer from 0/],
      ['/chats?limit=100', { token: 'HCKEY-of-old-times-0123456789' }, 401, /token/],
      ['/chats/7', {}, 404, /no chat/],
      ['/chats/7/messages/', {}, 404, /no chat/],
      [
        '/chats/search/',
        { body: field, type: 'text/plain' },
        400,
        /^This value should not be blank\.$/
      ],
      ['/chats/search/', { body: '{"filter":', type: 'text/plain' }, 400, /not JSON/],
      ['/customers', {}, 404, /no such route/]
    ]
    for (const [path, asked, status, says] of rows) {
      const answer = await ask(path, asked)
      t.equal(answer.status, status, path)
      const [first] = JSON.parse(answer.body).errors
      t.match(first.message, says)
      t.match(first.code, /^\S+$/)
    }
  })

  t.test(`${name} is told 429 when the budget is spent, and no other number`, { skip }, async t => {
    const { ask, simulator } = await open(t, client, { UPSTREAM_LIMIT: '1' })
    t.equal((await ask('/chats?limit=100&offset=0')).status, 200)
    const search = { body: '{"filter":[]}', type: 'text/plain' }
    for (const [path, asked] of [
      ['/chats?limit=100&offset=100', {}],
      ['/chats/100001/', {}],
      ['/chats/100001/messages/?limit=100', {}],
      ['/chats/search/', search]
    ] as const) {
      const { status, body } = await ask(path, asked)
      t.equal(status, 429, path)
      t.match(JSON.parse(body), { errors: [{ code: 'budget_exhausted', message: /./ }] })
    }
    t.equal(simulator.hits(), 1)
  })

  t.test(`${name} keeps going while HelpCrunch fails`, { skip }, async t => {
    const { ask, clock, simulator } = await open(t, client)
    const young = await ask('/chats?limit=100&offset=0')
    await clock.advance(3_600_000)
    simulator.faultAll({ kind: 'html', status: 502 })
    t.same(await ask('/chats?limit=100&offset=0'), young)
    t.equal(young.status, 200)
  })
}
