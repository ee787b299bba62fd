/**
 * The fast lane answers, logs, counts, keeps and asks exactly what the ordinary way does: the same
 * random requests go to two services, one of which has none.
 */

import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import type { Rendered } from '../../src/chats/renderings.ts'
import { acceptedCodings } from '../../src/http/content-coding.ts'
import { type Content, openSide, type Side } from '../support/lane-world.ts'
import { holds } from '../support/property.ts'
import { apiKey, tokens } from '../support/stack.ts'

/** Targets that are asked for again and again, and under which key their answer is kept. */
const targets: readonly (readonly [target: string, kept?: string])[] = [
  ['/chats?limit=20', '/chats? 0 20'],
  ['/v1/chats?limit=20', '/chats? 0 20'],
  ['/chats/?limit=20', '/chats? 0 20'],
  ['/chats?limit=%32%30', '/chats? 0 20'],
  ['/chats', '/chats? 0 100'],
  ['/chats?offset=90&limit=50', '/chats? 90 50'],
  ['/chats?order=DESC&offset=20&limit=20', '/chats?order=desc& 20 20'],
  ['/chats?offset=40&limit=20&order=desc', '/chats?order=desc& 40 20'],
  ['/chats?offset=100000', '/chats? 100000 100'],
  ['/chats/7', '/chats/7 0 1'],
  ['/chats/007', '/chats/7 0 1'],
  ['/chats/9999'],
  ['/chats/7/messages?limit=3', '/chats/7/messages? 0 3'],
  ['http://elsewhere.example/chats?limit=20', '/chats? 0 20'],
  [`/chats?limit=20&sort=${apiKey}`],
  ['/chats?limit=0'],
  ['/healthz'],
  ['/nowhere']
]

const tracing = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const asGzip = 'Accept-Encoding: gzip'
/** One that could be taken for a trace. */
const traceSecret = '5ec2e75ec2e75ec2e75ec2e75ec2e75e'
const tagPlace = '(the last tag)'

interface Request {
  readonly kind: 'request'
  readonly method: string
  readonly target: (typeof targets)[number]
  readonly authorization?: string | undefined
  readonly acceptEncoding?: string
  readonly ifNoneMatch?: string
  readonly origin?: string
  /** Whole header lines. */
  readonly more: readonly string[]
  readonly shouts?: boolean
  readonly isOld?: boolean
  /** By default the one that nearly all come on. */
  readonly connection?: string
}

type Event =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'change'; readonly chats: number }
  | { readonly kind: 'invalidate'; readonly tag: string }
  | { readonly kind: 'fail'; readonly fails: boolean }
  | { readonly kind: 'drain' }

type Step = Request | Event
type Sides = readonly [fast: Side, ordinary: Side]

const plain: Request = {
  kind: 'request',
  method: 'GET',
  target: targets[0]!,
  authorization: `Bearer ${tokens.blue}`,
  more: []
}

/** Each of them makes another request of the plain one. */
const variations: readonly Partial<Request>[] = [
  ...targets.map(target => ({ target })),
  ...['HEAD', 'POST', 'OPTIONS', 'PURGE'].map(method => ({ method })),
  ...[`Bearer ${tokens.green}`, `bearer ${tokens.blue}`, 'Bearer nobody', undefined].map(
    authorization => ({ authorization })
  ),
  ...['gzip', 'br', 'gzip, deflate, br', 'identity', '*;q=0', 'br;q=0.1, gzip'].map(
    acceptEncoding => ({ acceptEncoding })
  ),
  ...[tagPlace, `W/${tagPlace}, "x"`, '*', '"nothing"', ''].map(ifNoneMatch => ({ ifNoneMatch })),
  ...['https://desk.example', 'https://evil.example', 'null'].map(origin => ({ origin })),
  ...[
    'X-Request-Id: mine-1',
    'X-Request-Id: not sane',
    `X-Request-Id: ${tokens.green}`,
    `traceparent: ${tracing}`,
    `traceparent: 00-${traceSecret}-b7ad6b7169203331-01`,
    'traceparent: nonsense',
    'Cache-Control: no-cache',
    'Cache-Control: max-age=20',
    'cache-control: no-transform',
    'Prefer: wait=1',
    'Content-Type: application/json',
    'Content-Length: 0',
    'Connection: close',
    'Accept: text/html',
    'User-Agent: any',
    'Host: another',
    `Authorization: Bearer ${tokens.green}`,
    asGzip,
    'Range: bytes=0-1',
    'Cookie: a=b',
    'Expect: junk',
    'Expect: 100-continue',
    'Access-Control-Request-Method: GET'
  ].map(line => ({ more: [line] })),
  { shouts: true },
  { isOld: true }
]

const passing = (ms: number): Event => ({ kind: 'pass', ms })
const changing = (chats: number): Event => ({ kind: 'change', chats })
const invalidating = (tag: string): Event => ({ kind: 'invalidate', tag })
const failing = (fails: boolean): Event => ({ kind: 'fail', fails })

const events: readonly Event[] = [
  ...[1, 400, 2500, 9000, 26_000, 31_000, 62_000, 95_000, 4_000_000].map(passing),
  // The same total, and so the same headers but for the tag.
  ...['*', 'chat:7', 'sort:', 'chat:25'].flatMap(tag => [
    ...[changing(435), passing(9000), invalidating(tag)],
    ...[passing(9000), invalidating(tag), invalidating(tag)]
  ]),
  ...[changing(436), passing(31_000), changing(30), passing(95_000)],
  ...[failing(true), passing(31_000), failing(false), passing(31_000)],
  // One second after an answer, of which the first part leaves its age as it is.
  ...[passing(4_000_000), passing(400), passing(600)]
]

const cors = { CORS_ORIGINS: 'https://desk.example', WEBHOOK_SIGNING_KEY: traceSecret }

t.test(
  'what differs in one thing from a request that was repeated is answered as ever',
  async t => {
    const steps = variations.flatMap(variation => {
      const other = { ...plain, ...variation }
      return [plain, other, plain, other, other]
    })
    const walks = await compareOn(cors, steps)
    t.ok(walks[0] < 0.6 * walks[1], `${walks[0]} of ${walks[1]} went the ordinary way`)
  }
)

t.test('whatever happens to what is stored is seen by the next request', async t => {
  const asked = [
    plain,
    plain,
    { ...plain, ifNoneMatch: tagPlace },
    { ...plain, target: targets[5]! }
  ]
  const steps = events.flatMap(event => [...asked, ...asked, event, ...asked, ...asked])
  const drained: Step[] = [...steps, { kind: 'drain' }, ...asked]
  for (const env of [cors, { CACHE_ADAPTIVE: 'false' }, { CACHE_MAX_MB: '0.1' }]) {
    const walks = await compareOn(env, drained)
    t.ok(walks[0] < walks[1], `${walks[0]} of ${walks[1]} went the ordinary way`)
  }
})

t.test('what has changed is repeated again, on the same connection', async t => {
  const again = Array<Step>(10).fill(plain)
  const walks = await compareOn({}, [plain, plain, changing(436), passing(31_000), ...again])
  t.ok(walks[0] < 7, `${walks[0]} of ${walks[1]} went the ordinary way`)
})

t.test('what one connection has learnt, all that asked for it before know', async t => {
  const walksWith = (connection: string) => {
    const others = Array<Step>(3).fill({ ...plain, connection })
    const turn: Step[] = [plain, plain, plain, ...others, changing(436), passing(31_000)]
    return compareOn({}, [...turn, ...turn])
  }
  const [together, apart] = [await walksWith('first'), await walksWith('second')]
  t.equal(apart[0], together[0])
})

t.test('a team is refused at the same request, whichever way those before it went', async t => {
  const green = { ...plain, authorization: `Bearer ${tokens.green}` }
  const turn: Step[] = [plain, green, plain, plain, plain, green]
  const steps: Step[] = [...turn, ...turn, { kind: 'pass', ms: 61_000 }, ...turn]
  const walks = await compareOn({ TEAM_RATE_LIMIT: '5' }, steps)
  t.ok(walks[0] < walks[1], `${walks[0]} of ${walks[1]} went the ordinary way`)
})

t.test('whatever is asked in whatever order and state, both ways come to the same', async t => {
  const request = fc.record({
    one: fc.option(fc.constantFrom(...variations), { freq: 2, nil: {} }),
    other: fc.option(fc.constantFrom(...variations), { freq: 4, nil: {} })
  })
  const step = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
    { weight: 4, arbitrary: request.map(({ one, other }) => ({ ...plain, ...one, ...other })) },
    { weight: 1, arbitrary: fc.constantFrom(...events) }
  )
  const settings = fc.record({
    TEAM_RATE_LIMIT: fc.constantFrom('6000', '0', '12'),
    CORS_ORIGINS: fc.constantFrom('', 'https://desk.example'),
    CACHE_MAX_MB: fc.constantFrom('128', '0.1')
  })
  const steps = fc.array(step, { minLength: 10, maxLength: 40 })
  const property = fc.asyncProperty(settings, steps, async (env, steps) => {
    await compareOn(env, steps)
  })
  await holds(t, property, { numRuns: 25 })
})

/** Returns how many requests went the ordinary way as far as to a list, on each side. */
async function compareOn(
  env: Readonly<Record<string, string>>,
  steps: readonly Step[]
): Promise<readonly [fast: number, ordinary: number]> {
  const content: Content = { revision: 1, chats: 435, fails: false }
  const sides = [await openSide(content, env, true), await openSide(content, env, false)] as const
  try {
    await go(sides, content, steps)
    return [sides[0].walks(), sides[1].walks()]
  } finally {
    for (const side of sides) await side.close()
  }
}

async function go(sides: Sides, content: Content, steps: readonly Step[]): Promise<void> {
  let tag = '"none"'
  for (const one of steps) {
    switch (one.kind) {
      case 'pass':
        for (const { clock } of sides) await clock.advance(one.ms)
        break
      case 'change':
        content.revision++
        content.chats = one.chats
        break
      case 'invalidate':
        for (const { invalidate } of sides) invalidate([one.tag])
        break
      case 'fail':
        content.fails = one.fails
        break
      case 'drain':
        for (const side of sides) side.drain()
        break
      case 'request':
        tag = (await compare(sides, one, tag)) ?? tag
    }
  }
}

/** Returns the tag of the answer, if it has one. */
async function compare(sides: Sides, one: Request, tag: string): Promise<string | undefined> {
  const text = textOf(one, tag)
  const [fast, ordinary] = [await observe(sides[0], one, text), await observe(sides[1], one, text)]
  deepStrictEqual({ text, ...fast }, { text, ...ordinary })
  return ordinary.answers.at(-1)?.headers.find(([name]) => name === 'etag')?.[1]
}

/** All that can be seen of one request, but for what nobody can expect to be the same. */
async function observe(side: Side, one: Request, text: string) {
  const before = side.lines.length
  const { answers, end, rest } = await side.ask(text, one.method, one.connection ?? 'first')
  if (answers.at(-1)?.headers.has('etag')) await untilCoded(side, one)
  const ids = new Set(answers.map(({ headers }) => headers.get('x-request-id') ?? ''))
  const hideIds = (text: string) =>
    [...ids].reduce((hidden, id) => (isMade(id) ? hidden.replaceAll(id, '(made)') : hidden), text)
  return {
    answers: answers.map(({ body, headers, status }) => ({
      status,
      headers: [...headers]
        .filter(([name]) => name !== 'date')
        .map(([name, value]) => [name, hideIds(value)] as const),
      body: hideIds(body)
    })),
    ...{ end, rest },
    lines: side.lines.slice(before).map(line => hideTimes(hideIds(line))),
    state: side.state()
  }
}

const isMade = (id: string) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)

/** Of the clock on the wall, and of processors. */
function hideTimes(line: string): string {
  return line
    .replace(/"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/, '"time":"(now)"')
    .replace(/"ms":\d+(\.\d)?,/, '"ms":(short),')
}

/** Codings are made behind an answer, in real time. */
async function untilCoded({ memory }: Side, { acceptEncoding, more, target: [, kept] }: Request) {
  const given = [acceptEncoding ?? [], more.includes(asGzip) ? 'gzip' : []].flat()
  const [coding] = acceptedCodings(given.length > 0 ? given.join(', ') : undefined)
  if (kept === undefined || coding === undefined) return
  const rendering = () => memory.shelf<Rendered>('answer', () => 0).peek(kept)?.rendering
  // What is not worth it is never made.
  while ((rendering()?.body.length ?? 0) >= 1024 && !rendering()?.coded(coding)) {
    await new Promise(resolve => setImmediate(resolve))
  }
}

function textOf(one: Request, tag: string): string {
  const { acceptEncoding, authorization, ifNoneMatch, isOld, method, more, origin, shouts } = one
  const [target] = one.target
  const named = {
    Authorization: authorization,
    'Accept-Encoding': acceptEncoding,
    'If-None-Match': ifNoneMatch?.replace(tagPlace, tag),
    Origin: origin
  }
  const fields = Object.entries(named).flatMap(([name, value]) =>
    value === undefined ? [] : [`${shouts ? name.toUpperCase() : name}: ${value}`]
  )
  const start = `${method} ${target} HTTP/1.${isOld ? 0 : 1}`
  return `${[start, 'Host: desk.example', ...fields, ...more].join('\r\n')}\r\n\r\n`
}
