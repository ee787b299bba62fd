/**
 * Cache poisoning: whatever a first request carries besides its query, what is stored is the
 * upstream's answer to the query alone, and nothing of the first request shows in the second's.
 */

import fc from 'fast-check'
import t from 'tap'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'
import { converse } from '../support/raw-socket.ts'
import { apiKey, startStack, tokens } from '../support/stack.ts'

const desk = 'https://desk.example.com'

/** Would show wherever it got to. */
const poison = 'poison.example'

/** What other caches and frameworks have been talked into heeding, and hop-by-hop odds and ends. */
const unkeyed = [
  ...['X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-For', 'X-Forwarded-Port', 'Forwarded'],
  ...['X-Forwarded-Prefix', 'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-Host'],
  ...['X-HTTP-Method', 'X-Method-Override', 'X-Forwarded-Scheme', 'X-Real-IP', 'True-Client-IP'],
  ...['Cookie', 'Origin', 'Referer', 'User-Agent', 'Accept', 'Accept-Language', 'Range', 'Via'],
  ...['Content-Type', 'Authorization-2', 'X-Team', 'Pragma', 'If-Modified-Since', 'Date', 'TE']
]

const values = [poison, `https://${poison}`, '/admin', 'DELETE', 'bytes=0-10', '"><script>', desk]
const header = fc.tuple(fc.constantFrom(...unkeyed), fc.constantFrom(...values))
const codings = fc.constantFrom('', 'gzip', 'br', 'identity', poison)

const attack = fc.record({
  headers: fc.array(header, { maxLength: 8 }),
  host: fc.constantFrom('127.0.0.1', poison),
  absolute: fc.boolean(),
  coding: codings,
  prefix: fc.constantFrom('', '/v1'),
  body: fc.constantFrom('', '{"limit":1}', `offset=7&host=${poison}`)
})

const asked: readonly (readonly [string, string])[] = [
  ['GET', '/chats?sort=chats.createdAt&order=asc&limit=7'],
  ['GET', '/chats/100007'],
  ['GET', '/chats/100012/messages?limit=3']
]

t.test('a second caller gets what the upstream says, whatever the first one sent', async t => {
  const clock = new FakeClock()
  const stack = await startStack(t, {
    clock,
    env: { CORS_ORIGINS: desk, UPSTREAM_LIMIT: '100000' }
  })
  const { get, service, simulator, url } = stack
  const direct = new Map<string, unknown>()
  for (const [, path] of asked) {
    const headers = { authorization: `Bearer ${apiKey}` }
    direct.set(path, await (await fetch(simulator.baseUrl + path, { headers })).json())
  }
  let poisoned = 0
  await holds(
    t,
    fc.asyncProperty(attack, fc.constantFrom(...asked), async (sent, [method, path]) => {
      // The first request has to be what makes the entry; events make no page stale twice at once.
      await clock.advance(5_000)
      await service.admin.inject({
        method: 'DELETE',
        url: '/cache',
        headers: { host: '127.0.0.1' }
      })
      const before = simulator.hits()
      const target = sent.absolute ? `http://${sent.host}${sent.prefix}${path}` : sent.prefix + path
      const fields = [
        `Host: ${sent.host}`,
        `Authorization: Bearer ${tokens.green}`,
        ...sent.headers.map(([name, value]) => `${name}: ${value}`),
        ...(sent.coding ? [`Accept-Encoding: ${sent.coding}`] : []),
        ...(sent.body ? [`Content-Length: ${sent.body.length}`] : [])
      ]
      const first = `${method} ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${sent.body}`
      const { answers } = await converse(url, first, { answers: 1 })
      if (simulator.hits() > before) poisoned++
      const { body, headers, status } = await read(get(path))
      t.same([status, JSON.parse(body)], [200, direct.get(path)])
      const shown = [body, ...[...headers].flat()].join('\n')
      return answers.length === 1 && !shown.includes(poison) && !headers.has('location')
    }),
    { numRuns: 60 }
  )
  t.ok(poisoned > 20, `${poisoned} entries were made by a first request`)
  const leaked = simulator.requests().filter(seen => JSON.stringify(seen).includes(poison))
  t.same(leaked, [], 'and none of it went upstream')
})
