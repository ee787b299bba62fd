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
import { type Answer, converse } from '../support/raw-socket.ts'
import { type Stack, type StackOptions, startStack } from '../support/stack.ts'

interface Described {
  readonly headers?: Record<string, { readonly schema?: unknown; readonly description?: string }>
  readonly content?: Record<string, Media>
}

interface Media {
  readonly schema: { readonly required?: readonly string[]; readonly $ref?: string }
  readonly example?: unknown
  readonly examples?: Record<string, { readonly $ref: string }>
}

interface Operation {
  readonly operationId: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: Described
  readonly responses: Record<string, Described>
}

interface Document {
  readonly openapi: string
  readonly info: { readonly description: string }
  readonly components: {
    readonly schemas: Record<string, { readonly required: readonly string[] }>
    readonly examples: Record<string, { readonly value: object }>
  }
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
  const inQuery = (of: typeof parameters) => of.filter(parameter => parameter.in === 'query')
  const names = (of: typeof parameters) => inQuery(of).map(({ name }) => name)
  t.same(names(parameters).sort(), ['limit', 'offset', 'order', 'sort'])
  const ofExport = document.paths['/chats/export']?.get?.parameters ?? []
  t.same(names(ofExport).sort(), ['after', 'end', 'format', 'offset'])
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

/** Headers of HTTP itself. */
const ofHttp = /^(connection|keep-alive|date|content-(type|length)|transfer-encoding)$/

/** An answer, with the documented operation that it belongs to: `get /chats`. */
type Seen = readonly [operation: string, answer: Answer]

interface Asked {
  readonly operation: string
  readonly path: string
  /** One whose answer is worth a content coding. */
  readonly large?: string
  readonly init: RequestInit
  /** Documented, beyond what every read is seen to answer. */
  readonly statuses: readonly number[]
}

const search = { method: 'POST', body: '{"filter":[]}' }

const reads: readonly Asked[] = [
  {
    operation: 'get /chats',
    path: '/chats?limit=3&offset=3',
    large: '/chats',
    init: {},
    statuses: [304]
  },
  {
    operation: 'get /chats/{id}',
    path: '/chats/100007',
    large: '/chats/100125',
    init: {},
    statuses: [304, 404]
  },
  {
    operation: 'get /chats/{id}/messages',
    path: '/chats/100007/messages?limit=3',
    large: '/chats/100258/messages',
    init: {},
    statuses: [304, 404]
  },
  {
    operation: 'post /chats/search',
    path: '/chats/search',
    large: '/chats/search',
    init: search,
    statuses: [413, 415]
  },
  {
    operation: 'get /chats/export',
    path: '/chats/export?format=json',
    // Bulk would wait for this clock, which stands still.
    init: { headers: { prefer: 'wait=0' } },
    statuses: []
  }
]
const everyStatus = [200, 400, 401, 405, 414, 417, 429, 431, 502, 503, 504]

/** What no request can bring about at will: one that does not end, and a fault of ours. */
const unseen = [408, 500]

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
  const see = async (path: string, init: RequestInit = {}) =>
    seen.push([`get ${path}`, await read(stack.get(path, init))])
  for (const path of ['/', '/healthz', '/readyz']) {
    await see(path)
    await see(path, { method: 'DELETE' })
  }
  stack.service.unready(5_000)
  await see('/readyz')
  return seen
}

async function seeRead(
  t: Test,
  { operation, path, large, init }: Asked,
  seen: Seen[]
): Promise<void> {
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
  if (large) await untilCoded(() => see(usual, asksForGzip, large))
  for (const tag of ['*', headers.get('etag') ?? '']) {
    await see(usual, { headers: { 'if-none-match': tag } })
  }
  for (const query of ['limit=x', 'limit=%zz', 'x'.repeat(9_000)]) {
    await see(usual, {}, `${bare}?${query}`)
  }
  await see(usual, { method: 'DELETE' })
  for (const headers of ['Expect: a miracle', 'X-Y: z\r\n'.repeat(201).trim()]) {
    const [method] = operation.split(' ')
    const head = `${method?.toUpperCase()} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`
    const { answers } = await converse(usual.url, head, { answers: 1 })
    for (const answer of answers) seen.push([operation, answer])
  }
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

const asksForGzip = { headers: { 'accept-encoding': 'gzip' } }

/** It is made behind an answer. */
async function untilCoded(ask: () => Promise<Answer>): Promise<void> {
  while (!(await ask()).headers.has('content-encoding'));
}

function describedAs(document: Document, operation: string) {
  const [method = '', path = ''] = operation.split(' ')
  return document.paths[path]?.[method]?.responses ?? {}
}

t.test('whatever is seen in a run is documented: status, media type and headers', async t => {
  const { document } = await documentOf(await startStack(t))
  const seen = await seenInARun()
  // What is on every answer, or on every error, is said once.
  const common = document.info.description
    .split('\n')
    .filter(line => /^\*\*(Browsers|Every answer)/.test(line))
    .join('\n')
    .toLowerCase()
  const everywhere = new Set(common.match(/(?<=`)[a-z-]+(?=[:`])/g))
  for (const { operation, statuses } of reads) {
    const documented = Object.keys(describedAs(document, operation)).map(Number)
    const answers = seen.filter(([name]) => name === operation)
    const missing = new Set([...everyStatus, ...statuses])
    for (const [, { status }] of answers) missing.delete(status)
    t.same([...missing], [], `${operation}: all that it may answer was seen`)
    const never = documented.filter(status => !answers.some(([, seen]) => seen.status === status))
    t.same(never, unseen, `${operation}: no more is documented`)
  }
  for (const [operation, { status, headers }] of seen) {
    const described = describedAs(document, operation)[status]
    t.ok(described, `${operation} ${status}`)
    const media = headers.get('content-type')?.split(';')[0]
    if (media) t.ok(media in (described?.content ?? {}), `${operation} ${status}: ${media}`)
    const known = Object.keys(described?.headers ?? {}).map(name => name.toLowerCase())
    const unknown = [...headers.keys()].filter(
      name => !known.includes(name) && !ofHttp.test(name) && !everywhere.has(name)
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
    const { example, schema } = content['application/json'] ?? { schema: {} }
    const name = schema.$ref?.split('/').at(-1) ?? ''
    const { required = [] } = schema.$ref ? (document.components.schemas[name] ?? {}) : schema
    const body = JSON.parse((await read(stack.get(path, init))).body)
    for (const member of required) t.ok(member in body, `${operation}: ${member}`)
    t.ok(required.length, operation)
    t.same(
      Object.keys(example as object).filter(member => !(member in body)),
      [],
      'the example'
    )
  }
})

t.test('every problem that is seen is one of the examples at its place', async t => {
  const { document } = await documentOf(await startStack(t))
  const codes = new Set<string>()
  for (const [operation, { body, headers, status }] of await seenInARun()) {
    if (status < 400) continue
    const problem = JSON.parse(body)
    const { examples = {} } =
      describedAs(document, operation)[status]?.content?.['application/problem+json'] ?? {}
    const isAlias = status === 429 && problem.code !== 'team_rate_limited'
    if (isAlias) continue
    t.ok(problem.code in examples, `${operation} ${status}: ${problem.code}`)
    const { value = {} } = document.components.examples[problem.code] ?? {}
    const members = (one: object) => Object.keys(one).filter(name => name !== 'retryAfter')
    t.same(members(value), members(problem))
    // Every 429 and 503 says when to come back; on others it depends.
    if (status === 429 || status === 503) {
      t.ok('retryAfter' in value && headers.has('retry-after'), `${problem.code}: when`)
    }
    codes.add(problem.code)
  }
  t.ok(codes.size > 14, [...codes].join(' '))
})

t.test(
  'every operation has an example of what is sent, of the answer and of each error',
  async t => {
    const { document } = await documentOf(
      await startStack(t, { env: { WEBHOOK_SIGNING_KEY: 'any' } })
    )
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { requestBody, responses }] of Object.entries(operations)) {
        const bodies = [
          ...Object.entries(responses),
          ...(requestBody ? [['sent', requestBody] as const] : [])
        ]
        for (const [status, { content = {} }] of bodies) {
          for (const [mediaType, { example, examples = {} }] of Object.entries(content)) {
            const shown = example === undefined ? Object.keys(examples).length : 1
            t.ok(shown > 0, `${method} ${path} ${status} ${mediaType}`)
          }
        }
      }
    }
    for (const [code, { value }] of Object.entries(document.components.examples)) {
      t.match(value, { code, ...errorKinds[code as keyof typeof errorKinds] })
    }
  }
)
