/**
 * Group S, first part (S2–S9, S16, S17): what somebody would have the service write, keep, serve or
 * ask for. A value of a caller is a value and nothing else; what is stored depends on the question
 * alone; files are those of a table. S1 is the end of every file here.
 */

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { checkProblem } from '../support/answers.ts'
import { secrets } from '../support/canaries.ts'
import { holds } from '../support/property.ts'
import { get, known, post, requestOf } from './requests.ts'
import { answered, only, type Row, refused, runRows, type Sent } from './runner.ts'
import { asOperator, type ServiceProcess, startService } from './service-process.ts'

const list = '/chats?limit=3'
const desk = 'https://desk.example.com'

/** Would end a line, a text or a colour of a log. */
const evil = [
  ...[
    '{"level":60,"msg":"forged"}',
    '\x1b[31mred\x1b[0m',
    'a"b\\c',
    '\ttab',
    '%s%d%j%o',
    '\x85\x9b'
  ],
  ...[
    '\\r\\n{"forged":true}',
    '%0d%0a{"forged":true}',
    '\u202e\u2028'.normalize(),
    '"'.repeat(3_000)
  ]
]
const wire = (text: string) => Buffer.from(text).toString('latin1')
const inTarget = (text: string) => wire(text).replaceAll(/[^\x21-\x7e]|#/g, 'X')

const injections: readonly Sent[] = evil.flatMap(text => [
  get(list, `User-Agent: ${wire(text)}\r\n`),
  get(list, `X-Request-Id: ${wire(text)}\r\n`),
  get(list, `Referer: ${wire(text)}\r\nForwarded: ${wire(text)}\r\n`),
  get(`/chats?limit=${inTarget(text)}`),
  get(`/${inTarget(text)}`)
])

/** A secret where somebody may have put it by mistake. */
const strayed = secrets.flatMap(secret => [
  get(`/chats?limit=${secret}`),
  get(`/chats?${secret}=1`),
  get(`/${secret}`),
  get(list, `X-Request-Id: ${secret}\r\n`),
  get(list, `User-Agent: ${secret}\r\nReferer: https://x/?${secret}\r\n`),
  post('/chats/search', { name: 'a search', body: Buffer.from(`{"limit":"${secret}"}`) })
])

const requestIds = [
  ...['a b', 'é', 'a,b', 'a;b', '"x"', '../x', 'x'.repeat(65), '', '%0d%0a', 'a\tb', '<b>', 'a.b']
]

/** Would be a second header, a second response or an error of Node's, if echoed as it is. */
const echoes = ['%0d%0aX-Evil:%201', '%0d%0a%0d%0a<script>', '%00', '%c3%bf%e2%80%a8', '%7f%1b']

const places = ['/status', '/page', '/docs', '/docs/static', '/v1/docs', '']
const tricks = [
  ...['/../../etc/passwd', '/%2e%2e%2f%2e%2e%2fetc%2fpasswd', '/..%5c..%5cpackage.json', '/.env'],
  ...[
    '/..\\..\\package.json',
    '/%2e%2e/package.json',
    '/.git/config',
    '//etc/passwd',
    '/....//etc'
  ],
  ...['/%252e%252e%252fpackage.json', '/index.html.bak', '/file:///etc/passwd', '/~root']
]
const isFile = /root:|"name": ?"helpcrunch-proxy"|\[core\]|HELPCRUNCH_API_KEY/

const origins = [
  'https://evil.example',
  'null',
  'https://desk.example.com.evil.example',
  'http://desk.example.com',
  'https://desk.example.com:8443',
  'https://evil.desk.example.com',
  'https://DESK.example.com@evil.example'
]

const notAllowed = (t: Test, headers: Headers, name: string) => {
  t.equal(headers.get('access-control-allow-origin'), null, name)
  t.equal(headers.get('access-control-allow-credentials'), null, name)
}

const service = await startService(t, {
  upstream: { chats: 2_000 },
  env: { CORS_ORIGINS: desk }
})
const page = await service.get(list)

/** S4: what HelpCrunch says becomes neither a header nor a response. */
async function echoUpstream(t: Test, service: ServiceProcess): Promise<void> {
  const code = 'a\r\nX-Evil: 1\r\n\r\n\0\u2028{"forged":true}'
  const body = JSON.stringify({ errors: [{ code, message: code }] })
  service.simulator.fault(
    { kind: 'status', status: 400, body },
    { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\nX: a\rX-Evil: 1\r\nContent-Length: 0\r\n\r\n' },
    { kind: 'headers', headers: { 'x-evil': '1', link: '<evil>; rel=next' } }
  )
  for (const status of [400, 502, 200]) {
    const { bytes } = get(`/chats?limit=3&offset=${1_000 + status}`)
    const answer = only(t, await service.send(bytes), `${status}`)
    t.equal(answer.status, status)
    t.equal(answer.headers.get('x-evil'), null)
    t.notMatch(answer.headers.get('link'), 'evil')
    if (status >= 400) checkProblem(t, answer, { status, code: JSON.parse(answer.body).code })
  }
}

const poison = 'poison.example'
const unkeyed = [
  ...['X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-For', 'Forwarded', 'X-Original-URL'],
  ...['X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-Host', 'Cookie', 'Origin', 'Referer', 'Accept'],
  ...['Accept-Encoding', 'Accept-Language', 'Range', 'Content-Type', 'Via', 'X-Forwarded-Prefix']
]
const attack = fc.record({
  headers: fc.array(fc.tuple(fc.constantFrom(...unkeyed), fc.constantFrom(poison, '/x', 'gzip')), {
    maxLength: 6
  }),
  host: fc.constantFrom('x', poison),
  absolute: fc.boolean(),
  prefix: fc.constantFrom('', '/v1'),
  body: fc.constantFrom('', '{"limit":1}', `host=${poison}`)
})

/** S5: the second caller gets what HelpCrunch says, whatever the first one sent. */
async function poisonCache(t: Test, service: ServiceProcess): Promise<void> {
  let pages = 0
  const clean = fc.asyncProperty(attack, async ({ absolute, body, headers, host, prefix }) => {
    const path = `/chats?sort=chats.createdAt&order=asc&offset=${10 * pages++}&limit=10`
    const target = `${absolute ? `http://${host}` : ''}${prefix}${path}`
    const fields = [
      known.replace('Host: x', `Host: ${host}`).trim(),
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(body ? [`Content-Length: ${body.length}`] : [])
    ]
    const first = `GET ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\nConnection: close\r\n\r\n`
    await service.send(first + body)
    const second = await service.get(path, { headers: { 'accept-encoding': 'identity' } })
    const shown = [second.body, ...[...second.headers].flat()].join('\n')
    t.equal(second.status, 200)
    t.same(JSON.parse(second.body).data.length, 10)
    return !shown.includes(poison) && second.headers.get('cache-status')?.includes('hit') === true
  })
  await holds(t, clean, { numRuns: 100 })
  const leaked = service.simulator.requests().filter(seen => JSON.stringify(seen).includes(poison))
  t.same(leaked, [], 'and none of it went upstream')
}

/** S7, S8: the operators' listener as well, which has files. */
async function readFiles(t: Test, service: ServiceProcess): Promise<void> {
  for (const place of places) {
    for (const trick of tricks) {
      const { bytes } = get(place + trick)
      const head = bytes.toString('latin1').replace('Host: x', 'Host: 127.0.0.1')
      const known = head.replace(/Bearer [^\r]*/, asOperator.authorization)
      const heard = await service.send(known, {}, service.adminUrl)
      const answer = only(t, heard, place + trick)
      t.ok([400, 404].includes(answer.status), `${answer.status}: ${place}${trick}`)
      t.notMatch(answer.body, isFile)
    }
  }
  const { headers } = await service.operator('/')
  t.match(headers.get('content-security-policy'), "default-src 'none'")
  t.notMatch(headers.get('content-security-policy'), /unsafe/)
  t.equal(headers.get('x-content-type-options'), 'nosniff')
}

const rows: readonly Row[] = [
  {
    row: 'S1',
    priority: 1,
    case: 'secrets that strayed into a request',
    send: strayed,
    demanded: answered([200, 400, 404], (t, { body }) => {
      t.notOk(secrets.some(secret => body.includes(secret)))
    })
  },
  {
    row: 'S2',
    priority: 1,
    case: 'what would be a line of the log',
    send: injections,
    demanded: answered([200, 400, 404])
  },
  {
    row: 'S2',
    priority: 1,
    case: 'a megabyte of it',
    send: [
      get(`/${'a'.repeat(2 ** 20)}`),
      get(list, `User-Agent: ${'"'.repeat(2 ** 20)}\r\n`),
      get(list, `X-Request-Id: ${'a'.repeat(2 ** 20)}\r\n`)
    ],
    demanded: answered([414, 431])
  },
  {
    row: 'S3',
    priority: 1,
    case: 'a request id that is sane',
    send: ['a', 'A_b-9', 'x'.repeat(64)].map(id => get(list, `X-Request-Id: ${id}\r\n`)),
    demanded: answered([200], (t, { headers }, name) => {
      t.equal(headers.get('x-request-id'), name.split(': ')[1], 'is kept')
    })
  },
  {
    row: 'S3',
    priority: 1,
    case: 'one that is not',
    send: requestIds.map(id => get(list, `X-Request-Id: ${wire(id)}\r\n`)),
    demanded: answered([200], (t, { headers }) => {
      t.match(headers.get('x-request-id'), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'is new')
    })
  },
  {
    row: 'S4',
    priority: 1,
    case: 'what a caller would have echoed',
    send: echoes.flatMap(text => [
      get(`/chats?sort=${text}`),
      get(`/chats?limit=${text}`),
      get(`/${text}`),
      requestOf('DELETE', `/chats/${text}`)
    ]),
    demanded: answered([400, 404, 405], (t, { body, headers }) => {
      t.equal(headers.get('x-evil'), null)
      t.notMatch(body, /\p{Cc}/u)
    })
  },
  {
    row: 'S4',
    priority: 1,
    case: 'what HelpCrunch would have echoed',
    calls: 3,
    play: echoUpstream
  },
  { row: 'S5', priority: 1, case: 'cache poisoning', calls: 'some', play: poisonCache },
  {
    row: 'S6',
    priority: 2,
    case: 'a page of another origin',
    send: origins.map(origin => get(list, `Origin: ${origin}\r\n`)),
    demanded: answered([200], (t, { headers }, name) => {
      notAllowed(t, headers, name)
      t.match(headers.get('vary'), /origin/i)
    })
  },
  {
    row: 'S6',
    priority: 2,
    case: 'a preflight from elsewhere',
    send: origins.map(origin =>
      requestOf('OPTIONS', list, `Origin: ${origin}\r\nAccess-Control-Request-Method: GET\r\n`)
    ),
    demanded: answered([204], (t, { headers }, name) => notAllowed(t, headers, name))
  },
  {
    row: 'S6',
    priority: 2,
    case: 'a page of ours',
    send: [get(list, `Origin: ${desk}\r\n`)],
    demanded: answered([200], (t, { headers }) => {
      t.equal(headers.get('access-control-allow-origin'), desk)
      t.equal(headers.get('access-control-allow-credentials'), null)
    })
  },
  {
    row: 'S7',
    priority: 1,
    case: 'files that nobody serves',
    send: places.flatMap(place => tricks.map(trick => get(place + trick))),
    demanded: answered([400, 404], (t, { body }) => t.notMatch(body, isFile))
  },
  { row: 'S7', priority: 1, case: 'files of the operators', play: readFiles },
  {
    row: 'S9',
    priority: 1,
    case: 'another address to ask',
    send: [
      ...['url', 'base_url', 'host', 'upstream'].map(name => get(`/chats?${name}=http://evil/`)),
      get('/chats/http://169.254.169.254/')
    ],
    demanded: answered([400, 404])
  },
  {
    row: 'S16',
    priority: 2,
    case: 'a body that is coded',
    send: ['gzip', 'br', 'deflate', 'zstd'].map(coding =>
      post('/chats/search', {
        name: coding,
        body: Buffer.alloc(1_000),
        headers: `Content-Encoding: ${coding}\r\n`
      })
    ),
    demanded: refused({ status: 415, code: 'unsupported_media_type' })
  },
  {
    row: 'S17',
    priority: 3,
    case: 'no error shows where in the code it was made',
    send: [get('/nowhere'), get('/chats?limit=0'), get('/%zz'), requestOf('PUT', '/chats')],
    demanded: answered([400, 404, 405], (t, { body }) =>
      t.notMatch(body, /\.[jt]s:|node:|\bat \S+ \(/)
    )
  }
]

t.equal(page.status, 200)
runRows(t, service, rows)

t.test('S1, S2 (P1): no secret in anything that it wrote, and each line is one', t =>
  service.checkEnd(t)
)
