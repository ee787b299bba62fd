/**
 * The contract as OpenAPI says what the service does: the same routes, and for everything that is
 * seen in a run over all statuses, the status, its media type and its headers.
 */

import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { errorKinds } from '../../src/errors.ts'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import type { Answer } from '../support/raw-socket.ts'
import { type Stack, type StackOptions, startStack } from '../support/stack.ts'

interface Described {
  readonly headers?: Record<string, { readonly schema?: unknown; readonly description?: string }>
  readonly content?: Record<string, unknown>
}

interface Operation {
  readonly operationId: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Record<string, Described>
}

interface Document {
  readonly openapi: string
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Record<string, Record<string, Operation>>
}

async function documentOf({ url }: Stack): Promise<{ text: string; document: Document }> {
  const { status, headers, body } = await read(fetch(`${url}/openapi.yaml`))
  if (status !== 200 || !/yaml/.test(headers.get('content-type') ?? '')) throw new Error(body)
  return { text: body, document: parse(body) }
}

/** `GET /path` of every route there is, read from the router's own tree. */
function routesOf({ service }: Stack): string[] {
  const parents: string[] = []
  const lines = service.app.printRoutes({ commonPrefix: false }).split('\n')
  return lines.flatMap(line => {
    const [, indent = '', part = '', methods = ''] = /^([ │├└─]*)(\S+) \((.+)\)$/.exec(line) ?? []
    if (!part) return []
    const depth = indent.length / 4
    parents.length = depth
    parents[depth] = (parents[depth - 1] ?? '') + part
    const path = (parents[depth] ?? '').replaceAll(/:(\w+)(\(.*?\$\))?/g, '{$1}')
    return methods.split(', ').map(method => `${method} ${path}`)
  })
}

/** What describes the service is not described itself, nor is CORS. */
const undescribed = /^\w+ (\/v1)?(\/docs.*|\/openapi\.yaml|\*)$/

t.test('the document names exactly the routes there are, once for both prefixes', async t => {
  const stack = await startStack(t, { env: { CORS_ORIGINS: 'https://desk.example.com' } })
  const { document } = await documentOf(stack)
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`)
  )
  const withHead = described.flatMap(name => [name, name.replace('GET ', 'HEAD ')])
  const routes = routesOf(stack).filter(route => !undescribed.test(route))
  const underV1 = (route: string) => / \/v1(\/|$)/.test(route)
  const own = new Set(routes.filter(route => !underV1(route)))
  t.same([...own].sort(), [...new Set(withHead)].sort())
  const prefixed = [...own].map(route => route.replace(' /', ' /v1/').replace(/\/$/, ''))
  t.same(routes.filter(underV1).sort(), prefixed.sort())
  t.same(
    document.servers.map(({ url }) => url),
    ['/', '/v1']
  )
})

t.test('openapi.yaml in the repository is what is served, under both prefixes', async t => {
  // The file describes a service with everything turned on.
  const stack = await startStack(t, { env: { WEBHOOK_SIGNING_KEY: 'any' } })
  const { text } = await documentOf(stack)
  t.equal(text, stack.service.app.swagger({ yaml: true }))
  t.equal((await read(fetch(`${stack.url}/v1/openapi.yaml`))).body, text)
  const file = await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8')
  t.equal(file, text, 'npm run openapi brings it up to date')
})

t.test('operations have names of their own, and say which of them need a token', async t => {
  const { url, ...stack } = await startStack(t)
  const { document } = await documentOf({ url, ...stack })
  t.match(document.openapi, /^3\.1\./)
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }))
  )
  const ids = operations.map(({ operationId }) => operationId)
  t.equal(new Set(ids).size, ids.length)
  for (const { path, method, security } of operations) {
    const { status } = await read(fetch(url + path, { method: method.toUpperCase() }))
    t.equal(status === 401, security === undefined, `${method} ${path}`)
  }
})

t.test('the parameters are those that the query takes', async t => {
  const { document } = await documentOf(await startStack(t))
  const parameters = document.paths['/chats']?.get?.parameters ?? []
  t.same(parameters.map(({ name }) => name).sort(), ['limit', 'offset', 'order', 'sort'])
  t.same([...new Set(parameters.map(parameter => parameter.in))], ['query'])
})

t.test('every documented problem status has a code, and every code of ours its status', async t => {
  const { document } = await documentOf(await startStack(t))
  const responses = Object.values(document.paths).flatMap(operations =>
    Object.values(operations).flatMap(({ responses }) => Object.entries(responses))
  )
  const statuses = new Set(Object.values(errorKinds).map(({ status }) => String(status)))
  for (const [status, { content = {} }] of responses) {
    if (Number(status) < 400) continue
    t.ok(statuses.has(status), status)
    t.same(Object.keys(content), ['application/problem+json'], status)
  }
})

/** Headers of HTTP itself, or on every answer whatever it is. */
const ofHttp =
  /^(connection|keep-alive|date|content-(type|length)|transfer-encoding|x-content-type-options)$/

/** Headers that no error needs to announce: they say that it is no one's to keep. */
const ofErrors = /^(cache-control|vary)$/

type Seen = readonly [path: string, answer: Answer]

/** Answers of many kinds, each with the documented path that it belongs to. */
async function seenInARun(t: Test): Promise<Seen[]> {
  const start = (options: StackOptions = {}) =>
    startStack(t, { clock: new FakeClock(), ...options })
  const seen: Seen[] = []
  const see = async (path: string, answer: Promise<Response>) => {
    const got = await read(answer)
    seen.push([path, got])
    return got
  }

  const usual = await start({ env: { CORS_ORIGINS: 'https://desk.example.com' } })
  const { headers } = await see('/chats', usual.get('/chats?limit=3&offset=3'))
  await see('/chats', usual.get('/v1/chats?limit=3&offset=3'))
  await see(
    '/chats',
    usual.get('/chats', { headers: { 'if-none-match': headers.get('etag') ?? '' } })
  )
  await see(
    '/chats',
    usual.get('/chats?limit=3&offset=3', {
      headers: { 'if-none-match': headers.get('etag') ?? '' }
    })
  )
  await see('/chats', usual.get('/chats?order=asc', { headers: { 'if-none-match': '*' } }))
  await see('/chats', usual.get('/chats?limit=x'))
  await see('/chats', usual.get('/chats?limit=%zz'))
  await see('/chats', usual.get(`/chats?${'x'.repeat(9_000)}`))
  await see('/chats', usual.get('/chats', { method: 'DELETE' }))
  await see('/chats', fetch(`${usual.url}/chats`))
  for (const path of ['/', '/healthz', '/readyz']) await see(path, usual.get(path))

  const limited = await start({ env: { TEAM_RATE_LIMIT: '1' } })
  await see('/chats', limited.get('/chats'))
  await see('/chats', limited.get('/chats'))

  const spent = await start({ env: { UPSTREAM_LIMIT: '1' } })
  await see('/chats', spent.get('/chats'))
  await see('/chats', spent.get('/chats?offset=100'))

  for (const status of [400, 401, 429, 500]) {
    // Shorter than the pause after a 429, which this clock would never see the end of.
    const { get, simulator } = await start({ env: { QUEUE_MAX_WAIT_SECONDS: '0.5' } })
    simulator.faultAll({ kind: 'status', status })
    await see('/chats', get('/chats'))
  }
  const hanging = await startStack(t, { env: { UPSTREAM_TIMEOUT_SECONDS: '0.05' } })
  hanging.simulator.faultAll({ kind: 'hang' })
  await see('/chats', hanging.get('/chats'))

  const draining = await start()
  draining.service.unready(5_000)
  draining.service.drain()
  await see('/readyz', draining.get('/readyz'))
  await see('/chats', draining.get('/chats'))
  return seen
}

t.test('whatever is seen in a run is documented: status, media type and headers', async t => {
  const { document } = await documentOf(await startStack(t))
  const seen = await seenInARun(t)
  const statuses = new Set(seen.map(([, { status }]) => status))
  t.same(
    [200, 304, 400, 401, 405, 414, 429, 502, 503, 504].filter(status => !statuses.has(status)),
    []
  )
  for (const [path, { status, headers }] of seen) {
    const described = document.paths[path]?.get?.responses[status]
    t.ok(described, `${path} ${status}`)
    const media = headers.get('content-type')?.split(';')[0]
    if (media) t.ok(media in (described?.content ?? {}), `${path} ${status}: ${media}`)
    const known = Object.keys(described?.headers ?? {}).map(name => name.toLowerCase())
    const unknown = [...headers.keys()].filter(
      name =>
        !known.includes(name) &&
        !ofHttp.test(name) &&
        !name.startsWith('access-control-') &&
        !(status >= 400 && ofErrors.test(name)) &&
        !(path !== '/chats' && name === 'vary')
    )
    t.same(unknown, [], `${path} ${status}: headers`)
  }
})

t.test('every documented header of the list is seen in a run', async t => {
  const { document } = await documentOf(await startStack(t))
  const seen = await seenInARun(t)
  for (const [status, described] of Object.entries(
    document.paths['/chats']?.get?.responses ?? {}
  )) {
    const answers = seen.filter(
      ([path, answer]) => path === '/chats' && `${answer.status}` === status
    )
    if (answers.length === 0) continue
    const sent = new Set(answers.flatMap(([, { headers }]) => [...headers.keys()]))
    const missing = Object.keys(described.headers ?? {}).filter(
      name => !sent.has(name.toLowerCase())
    )
    t.same(missing, [], status)
  }
  t.ok(seen.length > 15)
})
