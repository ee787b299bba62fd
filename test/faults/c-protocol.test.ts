/**
 * Group C, first part (C3–C6, C8, C9): what is hardly HTTP or not at all. One answer at most for
 * each request, a problem body where the other side can read one, the connection closed where its
 * state is unknown.
 */

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { canaries } from '../support/canaries.ts'
import { until } from '../support/children.ts'
import { holds } from '../support/property.ts'
import { dial } from '../support/raw-socket.ts'
import { tokens } from '../support/stack.ts'
import { get, known } from './requests.ts'
import {
  answered,
  checkAnyProblem,
  type Demand,
  type Row,
  refused,
  runRows,
  type Sent
} from './runner.ts'
import { type ServiceProcess, startService } from './service-process.ts'

const list = `GET /chats?limit=3 HTTP/1.1\r\n${known}`
const chunked = 'Transfer-Encoding: chunked\r\n'
const healthy = `GET /healthz HTTP/1.1\r\nHost: x\r\n`
const inner = `${healthy}X-Request-Id: smuggled\r\n\r\n`

const sent = (bytes: string | Buffer): Sent => ({
  name: JSON.stringify(`${bytes}`.slice(-60)),
  bytes
})

/** Nobody knows where the next request begins. */
const unparsable = [
  ...[
    `Content-Length: 5\r\n${chunked}\r\n0\r\n\r\n`,
    `${chunked}Content-Length: 5\r\n\r\n0\r\n\r\n`,
    'Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello',
    'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
    'Content-Length: -1\r\n\r\n',
    'Content-Length: +1\r\n\r\nx',
    'Content-Length: 0x1\r\n\r\nx',
    'Content-Length: 99999999999999999999\r\n\r\n',
    `${chunked}\r\nzz\r\nhello\r\n0\r\n\r\n`,
    `${chunked}\r\n-1\r\nhello\r\n0\r\n\r\n`,
    `${chunked}\r\nfffffffffffffffff\r\nx`,
    'Transfer-Encoding: chunked, identity\r\n\r\n',
    'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
    'X-A : b\r\n\r\n',
    'X-A: b\r\n folded\r\n\r\n',
    'X-A: b\rc\r\n\r\n',
    'X-A: b\0c\r\n\r\n',
    ': b\r\n\r\n',
    'hello\r\n\r\n'
  ].map(fields => sent(list + fields)),
  sent(list.replaceAll('\r\n', '\n').concat('\n')),
  sent(`GET /ch ats HTTP/1.1\r\n${known}\r\n`),
  sent(`FROB /chats HTTP/1.1\r\n${known}\r\n`),
  sent(`GET chats HTTP/1.1\r\n${known}\r\n`),
  sent(`GET /chats HTTP/9.9\r\n${known}\r\n`),
  sent('GET /chats\r\n\r\n')
]

const strange = [
  Buffer.from('16030100c8010000c403030102030405060708', 'hex'),
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'SSH-2.0-OpenSSH_9.6\r\n',
  'EHLO evil.example\r\n',
  '*1\r\n$4\r\nPING\r\n',
  Buffer.alloc(64),
  `CONNECT evil.example:443 HTTP/1.1\r\n${known}\r\n`,
  `CONNECT /chats HTTP/1.1\r\n${known}\r\n`
].map(sent)

const upgrades = [
  'Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n',
  'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
]

/** Would have a second request answered, were the border between the two another. */
const smugglers = [
  `Content-Length: ${inner.length}\r\n${chunked}\r\n0\r\n\r\n${inner}`,
  `${chunked}Content-Length: 4\r\n\r\n0\r\n\r\n${inner}`,
  `Transfer-Encoding : chunked\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  `Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${inner}`,
  `Content-Length: ${inner.length}\r\n\r\n${inner}`,
  `X: y\rContent-Length: 0\r\n\r\n${inner}`
].map(fields => sent(`${list}Connection: close\r\n${fields}`))

const overrides = ['X-Forwarded-Host', 'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override']

const badRequest = refused({ status: 400, code: 'bad_request' })

/** 400 and the end of the connection. */
const ended: Demand = (t, heard, name) => {
  badRequest(t, heard, name)
  t.equal(heard.answers[0]?.headers.get('connection'), 'close', name)
  t.equal(heard.end, 'closed', name)
}

const page = (t: Test, body: string) => t.equal(JSON.parse(body).data.length, 3)

/** C5: in order, whatever is asked. */
async function pipeline(t: Test, service: ServiceProcess): Promise<void> {
  const requests = Array.from({ length: 100 }, (_, index) => {
    const last = index === 99 ? 'Connection: close\r\n' : ''
    return `${index % 3 ? list : healthy}X-Request-Id: n${index}\r\n${last}\r\n`
  })
  const { answers, rest } = await service.send(requests.join(''))
  t.equal(rest, '')
  t.same(
    answers.map(({ headers }) => headers.get('x-request-id')),
    requests.map((_, index) => `n${index}`)
  )
}

/** C5: who says that nothing more will come is answered. */
async function halfClose(t: Test, service: ServiceProcess): Promise<void> {
  const heard = await service.send(`${list}\r\n`, { halfClose: true })
  t.same([heard.answers.map(({ status }) => status), heard.rest], [[200], ''])
}

/** C8: a right request with a few bytes put in, replaced or left out, or bytes from nowhere. */
const seeds = [
  `${list}\r\n`,
  `${healthy}\r\n`,
  `POST /chats/search HTTP/1.1\r\n${known}Content-Length: 13\r\n\r\n{"filter":[]}`,
  `POST /chats HTTP/1.1\r\n${known}${chunked}\r\n1\r\nx\r\n0\r\n\r\n`,
  `GET /chats/export?limit=x HTTP/1.1\r\n${known}If-None-Match: "x"\r\nCache-Control: max-age=9\r\n\r\n`,
  `${list}\r\n${healthy}\r\n`
]
const edits = fc.array(
  fc.tuple(fc.nat(250), fc.nat(255), fc.constantFrom('put', 'set', 'cut', 'twice')),
  { minLength: 1, maxLength: 8 }
)
const mutated = fc.tuple(fc.constantFrom(...seeds), edits).map(([seed, edits]) => {
  const bytes = [...Buffer.from(seed, 'latin1')]
  for (const [place, byte, how] of edits) {
    const at = place % bytes.length
    if (how === 'twice') bytes.splice(at, 0, ...bytes.slice(at, at + byte))
    else bytes.splice(at, how === 'put' ? 0 : 1, ...(how === 'cut' ? [] : [byte]))
  }
  return Buffer.from(withoutPieces(Buffer.from(bytes).toString('latin1')), 'latin1')
})

/** A token that a mutation broke is none any more, and what is left of it no leak. */
function withoutPieces(text: string): string {
  const around = text.split(tokens.blue)
  const spared = around.map(part =>
    canaries.reduce((left, piece) => left.replaceAll(piece, 'x'), part)
  )
  return spared.join(tokens.blue)
}

const random = fc.uint8Array({ minLength: 1, maxLength: 300 }).map(bytes => Buffer.from(bytes))

async function mutate(t: Test, service: ServiceProcess): Promise<void> {
  const tame = fc.asyncProperty(
    fc.oneof({ weight: 4, arbitrary: mutated }, random),
    async bytes => {
      const { answers, rest } = await service.send(bytes, { halfClose: true })
      // The answer to a HEAD that a mutation made has no body, and looks unfinished from here.
      const isWhole = rest === '' || /^HTTP\/1\.1 \d{3} /.test(rest)
      for (const answer of answers) checkAnyProblem(t, answer, `${answer.status}`)
      return isWhole && answers.every(({ status }) => status < 500)
    }
  )
  await holds(t, tame, { numRuns: 500 })
}

const service = await startService(t)
await service.get('/chats?limit=3')

const rows: readonly Row[] = [
  { row: 'C3', priority: 1, case: 'what the parser refuses', send: unparsable, demanded: ended },
  {
    row: 'C3',
    priority: 1,
    case: 'what the parser refuses of operators',
    play: async (t, service) => {
      const tooLarge = refused({ status: 431, code: 'headers_too_large' })
      const bad: readonly (readonly [Sent, Demand])[] = [
        // The last one has no Host, which their guard refuses.
        ...unparsable.slice(0, -1).map(one => [one, ended] as const),
        [sent(`GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`), tooLarge]
      ]
      for (const [{ bytes, name }, demanded] of bad) {
        demanded(t, await service.send(bytes, {}, service.adminUrl), name.slice(0, 60))
      }
    }
  },
  {
    row: 'C3',
    priority: 1,
    case: 'a request hidden in another',
    send: smugglers,
    demanded: (t, { answers }, name) => {
      const ids = answers.map(({ headers }) => headers.get('x-request-id'))
      t.ok(answers.length === 1 && !ids.includes('smuggled'), name)
    }
  },
  {
    row: 'C4',
    priority: 2,
    case: 'no Host, or more than one',
    send: [
      'GET / HTTP/1.1\r\n',
      `GET / HTTP/1.1\r\n${known}Host: evil\r\n`,
      `GET / HTTP/1.1\r\n${known}host: x\r\n`
    ].map(head => sent(`${head}Connection: close\r\n\r\n`)),
    demanded: badRequest
  },
  {
    row: 'C4',
    priority: 2,
    case: 'another Host, path or method beside the real one',
    send: [
      sent(
        `GET /chats?limit=3 HTTP/1.1\r\n${known.replace('Host: x', 'Host: evil')}Connection: close\r\n\r\n`
      ),
      ...overrides.map(name => get('/chats?limit=3', `${name}: /evil\r\n`)),
      ...overrides.map(name => get('/chats?limit=3', `${name}: DELETE\r\n`))
    ],
    demanded: answered([200], (t, { body, headers }) => {
      page(t, body)
      t.notMatch(JSON.stringify([...headers]), /evil/)
    })
  },
  { row: 'C5', priority: 2, case: 'a hundred requests in one go', play: pipeline },
  { row: 'C5', priority: 2, case: 'a caller that says FIN', play: halfClose },
  { row: 'C6', priority: 2, case: 'other protocols', send: strange, demanded: ended },
  {
    row: 'C6',
    priority: 2,
    case: 'a wish for another protocol',
    send: upgrades.map(fields => sent(`${list}${fields}\r\n`)),
    demanded: answered([200], (t, { body, headers }) => {
      page(t, body)
      t.equal(headers.get('upgrade'), null)
    })
  },
  {
    row: 'C6',
    priority: 2,
    case: 'an expectation that nobody has',
    send: [get('/chats?limit=3', 'Expect: junk\r\n'), get('/healthz', 'Expect: 200-ok\r\n')],
    demanded: refused({ status: 417, code: 'expectation_failed' })
  },
  { row: 'C8', priority: 2, case: 'mutated requests', calls: 'some', play: mutate },
  {
    row: 'C9',
    priority: 3,
    case: 'HTTP/1.0',
    send: ['/healthz', '/chats?limit=3', '/chats?limit=0'].map(target =>
      sent(`GET ${target} HTTP/1.0\r\n${known}\r\n`)
    ),
    demanded: answered([200, 400], (t, { headers }, name) => {
      t.match(headers.get('content-length'), /^\d+$/, name)
      t.equal(headers.get('transfer-encoding'), null)
    })
  }
]

runRows(t, service, rows)

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))

t.test('C5 (P2): callers that hang up while their calls wait leave the line', async t => {
  const budget = {
    UPSTREAM_LIMIT: '1',
    UPSTREAM_WINDOW_SECONDS: '300',
    QUEUE_MAX_WAIT_SECONDS: '600'
  }
  const service = await startService(t, { env: budget })
  t.equal((await service.get('/chats')).status, 200)
  const endings = ['destroy', 'resetAndDestroy', 'end'] as const
  for (const [index, ending] of endings.entries()) {
    const socket = await dial(service.url)
    socket.on('error', () => {})
    socket.write(`GET /chats?offset=${index + 1}00 HTTP/1.1\r\n${known}\r\n`)
    await until(async () => (await service.status()).queue.length === 1)
    socket[ending]()
    await until(async () => (await service.status()).queue.length === 0)
  }
  t.equal(service.calls(), 1, 'none of them was called')
})
