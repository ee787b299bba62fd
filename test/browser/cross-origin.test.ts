/**
 * A page of another origin in a real browser: it reads chats, our headers and errors if its origin
 * is configured, and nothing if not; its browser asks once whether it may, keeps answers as long as
 * they say, and revalidates them after that.
 */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startBrowser, visit, withoutBrowser } from '../support/browser.ts'
import { startStack, tokens } from '../support/stack.ts'

/** An empty page on an origin of its own. */
async function startPage(t: Test): Promise<string> {
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<link rel="icon" href="data:,">')
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Seen {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** What the page's script sees of an answer; undefined if its browser does not let it. */
function fetchFrom(page: Page, url: string, init: object = {}): Promise<Seen | undefined> {
  const given = { headers: { authorization: `Bearer ${tokens.blue}` }, ...init }
  return page.evaluate(
    ([url, init]) =>
      fetch(url, init).then(
        async answer => ({
          status: answer.status,
          headers: Object.fromEntries(answer.headers),
          body: await answer.text()
        }),
        () => undefined
      ),
    [url, given] as const
  )
}

t.test('a page of another origin', { skip: withoutBrowser }, async t => {
  const desk = await startPage(t)
  const evil = await startPage(t)
  const stack = await startStack(t, { env: { CORS_ORIGINS: desk } })
  const asked: string[] = []
  stack.service.app.server.on('request', ({ headers, method, url }) => {
    asked.push(`${method} ${url}${headers['if-none-match'] ? ' if new' : ''}`)
  })
  const browser = await startBrowser(t)
  const { page } = await visit(browser, desk)
  const url = `${stack.url}/chats?limit=2`

  await t.test('reads chats and all that our headers say', async t => {
    const seen = await fetchFrom(page, url)
    t.equal(seen?.status, 200)
    t.equal(JSON.parse(seen?.body ?? '').data.length, 2)
    t.match(seen?.headers, {
      'cache-status': /^helpcrunch-proxy; fwd=uri-miss/,
      age: '0',
      'cache-control': 'private, max-age=30',
      etag: /^"/,
      link: /rel="next"/,
      ratelimit: /^"team";r=5999/,
      'ratelimit-policy': /q=6000/,
      'server-timing': /^queue;dur=/,
      'x-total-count': '435',
      'x-request-id': /./
    })
    t.same(asked, ['OPTIONS /chats?limit=2', 'GET /chats?limit=2'], 'after one preflight')
  })

  await t.test('has its answers kept and revalidated by the browser', async t => {
    asked.length = 0
    const kept = await fetchFrom(page, url)
    t.equal(kept?.status, 200)
    t.same(asked, [], 'nothing is asked while it is fresh')
    const again = await fetchFrom(page, url, { cache: 'no-cache', ...withToken })
    t.same([again?.status, again?.body], [200, kept?.body])
    t.equal(asked.at(-1), 'GET /chats?limit=2 if new')
    t.match(stack.lines.at(-1), '"status":304')
    const etag = kept?.headers.etag
    const headers = { ...withToken.headers, 'if-none-match': etag }
    const own = await fetchFrom(page, url, { headers, cache: 'no-store' })
    t.match(own, { status: 304, body: '', headers: { etag } })
  })

  await t.test('searches', async t => {
    const headers = { ...withToken.headers, 'content-type': 'application/json' }
    const search = { method: 'POST', headers, body: '{"filter":[],"limit":1}' }
    asked.length = 0
    const seen = await fetchFrom(page, `${stack.url}/v1/chats/search`, search)
    t.equal((await fetchFrom(page, `${stack.url}/v1/chats/search`, search))?.status, 200)
    const [preflight, ...posts] = asked.map(line => line.split(' ')[0])
    t.same([preflight, posts], ['OPTIONS', ['POST', 'POST']], 'having asked once whether it may')
    t.match(seen, { status: 200, headers: { 'cache-status': /helpcrunch-proxy/ } })
    t.equal(JSON.parse(seen?.body ?? '').data.length, 1)
  })

  await t.test('reads errors, from ours to those below the routes', async t => {
    const cases: readonly (readonly [number, string, string, object?])[] = [
      [400, 'invalid_query', '/chats?limit=0'],
      [401, 'unauthenticated', '/chats', { headers: { authorization: 'Bearer wrong' } }],
      [404, 'not_found', '/nowhere'],
      [414, 'uri_too_long', `/chats?${'x'.repeat(9_000)}`],
      [431, 'headers_too_large', '/healthz', { headers: { 'x-long': 'y'.repeat(20_000) } }]
    ]
    for (const [status, code, path, init] of cases) {
      const seen = await fetchFrom(page, stack.url + path, init)
      t.match(seen, { status, headers: { 'x-request-id': /./ } }, code)
      t.equal(JSON.parse(seen?.body ?? '{}').code, code)
    }
  })

  await t.test('reads nothing at all from an origin that is not configured', async t => {
    const { page: stranger } = await visit(browser, evil)
    t.equal(await fetchFrom(stranger, url), undefined)
    t.equal(await fetchFrom(stranger, `${stack.url}/healthz`, { headers: {} }), undefined)
    t.equal((await fetchFrom(page, `${stack.url}/healthz`, { headers: {} }))?.status, 200)
  })
})

const withToken = { headers: { authorization: `Bearer ${tokens.blue}` } }
