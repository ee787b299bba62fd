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
  const ofExport = document.paths['/chats/export']?.get?.parameters ?? []
  t.same(ofExport.map(({ name }) => name).sort(), ['after', 'end', 'format', 'offset'])
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

/** An answer, with the documented operation that it belongs to: `get /chats`. */
type Seen = readonly [operation: string, answer: Answer]

interface Asked {
  readonly operation: string
  readonly path: string
  readonly init: RequestInit
  /** Documented, beyond what every read is seen to answer. */
  readonly statuses: readonly number[]
}

const search = { method: 'POST', body: '{"filter":[]}' }

const reads: readonly Asked[] = [
  { operation: 'get /chats', path: '/chats?limit=3&offset=3', init: {}, statuses: [304] },
  { operation: 'get /chats/{id}', path: '/chats/100007', init: {}, statuses: [304, 404] },
  {
    operation: 'get /chats/{id}/messages',
    path: '/chats/100007/messages?limit=3',
    init: {},
    statuses: [304, 404]
  },
  { operation: 'post /chats/search', path: '/chats/search', init: search, statuses: [413, 415] },
  {
    operation: 'get /chats/export',
    path: '/chats/export?format=json',
    // Bulk would wait for this clock, which stands still.
    init: { headers: { prefer: 'wait=0' } },
    statuses: []
  }
]
const everyStatus = [200, 400, 401, 405, 414, 429, 502, 503, 504]

/** Answers of many kinds; one run is enough for all who ask. */
let run: Promise<Seen[]> | undefined
const seenInARun = () => {
  run ??= seeAll(t)
  return run
}

async function seeAll(t: Test): Promise<Seen[]> {
  const seen: Seen[] = []
  for (const asked of reads) await seeRead(t, asked, seen)
  const stack = await startStack(t)
  const see = async (path: string) => seen.push([`get ${path}`, await read(stack.get(path))])
  for (const path of ['/', '/healthz', '/readyz']) await see(path)
  stack.service.unready(5_000)
  await see('/readyz')
  return seen
}

async function seeRead(t: Test, { operation, path, init }: Asked, seen: Seen[]): Promise<void> {
  const start = (options: StackOptions = {}) =>
    startStack(t, { clock: new FakeClock(), ...options })
  const see = async ({ get }: Stack, more: RequestInit = {}, target = path) => {
    const answer = await read(get(target, { ...init, ...more }))
    seen.push([operation, answer])
    return answer
  }
  const bare = path.split('?')[0] ?? ''

  const usual = await start({ env: { CORS_ORIGINS: 'https://desk.example.com' } })
  const { headers } = await see(usual)
  await see(usual, {}, `/v1${path}`)
  for (const tag of ['*', headers.get('etag') ?? '']) {
    await see(usual, { headers: { 'if-none-match': tag } })
  }
  for (const query of ['limit=x', 'limit=%zz', 'x'.repeat(9_000)]) {
    await see(usual, {}, `${bare}?${query}`)
  }
  await see(usual, { method: 'DELETE' })
  seen.push([operation, await read(fetch(usual.url + path, init))])
  if (init.body) {
    await see(usual, { body: '[' })
    await see(usual, { body: ' '.repeat(70_000) })
    await see(usual, { headers: { 'content-encoding': 'gzip' } })
  }

  const limited = await start({ env: { TEAM_RATE_LIMIT: '1' } })
  // A 304 that made a call.
  await see(limited, { headers: { 'if-none-match': '*' } })
  await see(limited)

  const spent = await start({ env: { UPSTREAM_LIMIT: '1' } })
  await read(spent.get('/chats?order=asc'))
  await see(spent)
  await see(spent, {}, `/v1${path}`)

  for (const status of [400, 401, 404, 429, 500]) {
    // Shorter than the pause after a 429, which this clock would never see the end of.
    const stack = await start({ env: { QUEUE_MAX_WAIT_SECONDS: '0.5' } })
    stack.simulator.faultAll({ kind: 'status', status })
    await see(stack)
  }
  const busy = await start()
  busy.simulator.faultAll({ kind: 'status', status: 500, headers: { 'retry-after': '7' } })
  await see(busy, { headers: { prefer: 'wait=1' } })
  const hanging = await startStack(t, { env: { UPSTREAM_TIMEOUT_SECONDS: '0.05' } })
  hanging.simulator.faultAll({ kind: 'hang' })
  await see(hanging)
  const failures = Array.from({ length: 20 }, (_, page) => hanging.get(`/chats?offset=${page}00`))
  await Promise.all(failures.map(read))
  // Calls go out one at a time by now, and the next is not yet due.
  await see(hanging, { headers: { prefer: 'wait=0' } })

  const draining = await start()
  draining.service.unready(5_000)
  draining.service.drain()
  await see(draining)
}

function describedAs(document: Document, operation: string) {
  const [method = '', path = ''] = operation.split(' ')
  return document.paths[path]?.[method]?.responses ?? {}
}

t.test('whatever is seen in a run is documented: status, media type and headers', async t => {
  const { document } = await documentOf(await startStack(t))
  const seen = await seenInARun()
  for (const { operation, statuses } of reads) {
    const answers = seen.filter(([name]) => name === operation)
    const missing = new Set([...everyStatus, ...statuses])
    for (const [, { status }] of answers) missing.delete(status)
    t.same([...missing], [], `${operation}: all that it may answer was seen`)
  }
  for (const [operation, { status, headers }] of seen) {
    const described = describedAs(document, operation)[status]
    t.ok(described, `${operation} ${status}`)
    const media = headers.get('content-type')?.split(';')[0]
    if (media) t.ok(media in (described?.content ?? {}), `${operation} ${status}: ${media}`)
    const known = Object.keys(described?.headers ?? {}).map(name => name.toLowerCase())
    const isRead = reads.some(read => read.operation === operation)
    const unknown = [...headers.keys()].filter(
      name =>
        !known.includes(name) &&
        !ofHttp.test(name) &&
        !name.startsWith('access-control-') &&
        !(status >= 400 && ofErrors.test(name)) &&
        !(!isRead && name === 'vary')
    )
    t.same(unknown, [], `${operation} ${status}: headers`)
  }
})

t.test('every documented header of the reads is seen in a run', async t => {
  const { document } = await documentOf(await startStack(t))
  const seen = await seenInARun()
  for (const { operation } of reads) {
    for (const [status, described] of Object.entries(describedAs(document, operation))) {
      const answers = seen.filter(
        ([name, answer]) => name === operation && `${answer.status}` === status
      )
      if (answers.length === 0) continue
      const sent = new Set(answers.flatMap(([, { headers }]) => [...headers.keys()]))
      const missing = Object.keys(described.headers ?? {}).filter(
        name => !sent.has(name.toLowerCase())
      )
      t.same(missing, [], `${operation} ${status}`)
    }
  }
  t.ok(seen.length > 60)
})

t.test('the bodies of the reads have the members that are documented', async t => {
  const { document } = await documentOf(await startStack(t))
  const stack = await startStack(t)
  for (const { operation, path, init } of reads) {
    const content = describedAs(document, operation)[200]?.content ?? {}
    const { schema } = content['application/json'] as { schema: { required?: readonly string[] } }
    const body = JSON.parse((await read(stack.get(path, init))).body)
    for (const member of schema.required ?? []) t.ok(member in body, `${operation}: ${member}`)
    t.ok(schema.required?.length, operation)
  }
})
