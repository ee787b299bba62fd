/**
 * Group B: who is asked in, and what the others learn. Whoever is nobody is told so in the same
 * words, costs no call and no memory; a team sees its own, and operators show no secret to anybody
 * who has none. What refuses to start stands in test/process.test.ts.
 */

import { Agent, request } from 'node:http'
import t, { type Test } from 'tap'
import { apiKey, tokens } from '../support/stack.ts'
import { get, strangerOf } from './requests.ts'
import { answered, type Demand, only, type Row, refused, runRows } from './runner.ts'
import { asBlue, type ServiceProcess, startService } from './service-process.ts'

const { blue, green } = tokens
const second = 'TEAMTOKEN-second-of-blue-0123456789'
const unauthenticated = { status: 401, code: 'unauthenticated' }

const basic = Buffer.from(`x:${blue}`).toString('base64')

/** Header lines that make nobody a team (B1). */
const strangers = [
  ...['', 'Authorization: ', 'Authorization: Bearer', `Authorization: ${blue}`],
  ...[
    `Authorization: Basic ${basic}`,
    `Authorization: Token ${blue}`,
    'Authorization: Bearer blue'
  ],
  ...[`Authorization: Bearer  ${blue}`, `Authorization: Bearer\t${blue}`],
  ...[`Authorization: Bearer <${blue}>`, `Authorization: Bearer "${blue}"`],
  ...[`Authorization: Bearer ${blue},${green}`, `Authorization: Bearer ${blue} ${blue}`],
  ...[`Authorization: Bearer ${blue}\r\nAuthorization: Bearer ${blue}`],
  ...[`Authorization: Bearer ${blue}\r\nauthorization: Bearer ${green}`],
  ...[`Cookie: token=${blue}; Authorization=Bearer ${blue}`, `X-Api-Key: ${blue}`],
  ...[`Proxy-Authorization: Bearer ${blue}`, `Authorization: Bearer ${apiKey}`]
].map(fields => strangerOf('/chats?limit=3', fields && `${fields}\r\n`))

/** Nearly the token (B2). */
const wrong = [
  ...[`X${blue.slice(1)}`, `${blue.slice(0, -1)}X`, blue.slice(0, -1), blue.slice(1), `${blue}0`],
  ...[`x${blue}`, blue.toLowerCase(), 'a'.repeat(8_000), `${blue}\xe9`, 'ключ', '__proto__', '%00']
].map(token => strangerOf('/chats?limit=3', `Authorization: Bearer ${token}\r\n`))

let words = ''

/** Told nothing but the challenge, and in the words in which everybody is. */
const isNobody: Demand = refused(unauthenticated, (t, { detail, errors }, { headers }) => {
  const told = JSON.stringify({ detail, errors })
  words ||= told
  t.equal(told, words)
  t.equal(headers.get('www-authenticate'), 'Bearer')
  t.same(
    [...headers.keys()].filter(name => /^(ratelimit|etag|cache-status|age)/.test(name)),
    []
  )
})

const median = (values: readonly number[], at = 0.5) =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length * at)] ?? 0

/** One answer with this status after the other on one connection, in milliseconds. */
function stopwatch(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const time = (token: string, status = 401) =>
    new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` }
      const started = performance.now()
      const sent = request(`${url}/chats?limit=3`, { agent, headers }, answer => {
        if (answer.statusCode !== status) reject(new Error(`${answer.statusCode}`))
        answer.resume().on('end', () => resolve(performance.now() - started))
      })
      sent.on('error', reject).end()
    })
  return { time, stop: () => agent.destroy() }
}

/** B3: who guesses the beginning of a token learns nothing from how long it takes. */
async function compareTimes(t: Test, { url }: ServiceProcess): Promise<void> {
  const { time, stop } = stopwatch(url)
  t.teardown(stop)
  const right: number[] = []
  const off: number[] = []
  for (let tries = 0; tries < 2_000; tries++) {
    right.push(await time(`${blue.slice(0, -1)}~`))
    off.push(await time(`~${blue.slice(1)}`))
  }
  for (const [one, other] of [
    [right, off],
    [off, right]
  ] as const) {
    const middle = median(one)
    const isWithin = middle >= median(other, 0.2) && middle <= median(other, 0.8)
    t.ok(isWithin, `${middle} ms is nothing unusual among the others`)
  }
}

/** B4: thousands of different tokens, twenty at once, while somebody else reads. */
async function flood(t: Test, service: ServiceProcess, from: number) {
  const refusals: number[] = []
  const guess = async (start: number) => {
    const { time, stop } = stopwatch(service.url)
    for (let number = start; number < start + 250; number++) {
      refusals.push(await time(`guess-number-${number}-of-many`))
    }
    stop()
  }
  let isOver = false
  const starts = Array.from({ length: 20 }, (_, index) => from + 250 * index)
  const guesses = Promise.all(starts.map(guess)).finally(() => {
    isOver = true
  })
  const { time, stop } = stopwatch(service.url)
  const answers: number[] = []
  while (!isOver) answers.push(await time(blue, 200))
  await guesses
  stop()
  t.equal(refusals.length, 5_000)
  return { refusals, answers }
}

/** They cost the others no more than as many of their own would, and none of them is remembered. */
async function floodTwice(t: Test, service: ServiceProcess): Promise<void> {
  await flood(t, service, 0)
  const first = await service.peak()
  const { answers, refusals } = await flood(t, service, 5_000)
  const [wait, usual] = [median(answers, 0.9), median(refusals, 0.9)]
  t.ok(wait < 5 * usual, `another team waits ${Math.round(wait)} ms, they ${Math.round(usual)} ms`)
  const second = await service.peak()
  t.ok(second - first < 30, `${first} MB became ${second} MB`)
  const { teams } = await service.status()
  t.same(Object.keys(teams).sort(), ['blue', 'green'], 'nobody was made a team')
}

const remaining = ({ headers }: { readonly headers: Headers }) =>
  Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1])

/** B5: what one team does shows nowhere in the answers to another. */
async function keepApart(t: Test, service: ServiceProcess): Promise<void> {
  const [, before] = [await service.get('/chats?limit=3'), await service.get('/chats?limit=3')]
  const asGreen = { headers: { authorization: `Bearer ${green}` } }
  for (let times = 0; times < 5; times++) await service.get('/chats?limit=3', asGreen)
  const after = await service.get('/chats?limit=3')
  t.equal(remaining(before) - remaining(after), 1, 'only our own requests are counted')
  t.notMatch(JSON.stringify([after.body, ...after.headers]), /green/)
  for (const path of ['/status', '/metrics', '/events', '/explain', '/cache', '/v1/status']) {
    t.equal((await service.get(path)).status, 404, `${path} is not for teams`)
  }
  const { body } = await service.get('/chats?limit=0')
  t.notMatch(body, /green/)
}

/** B7: whatever a caller brings, HelpCrunch sees our key, and of the caller nothing. */
async function lookUpstream(t: Test, { simulator }: ServiceProcess): Promise<void> {
  const seen = simulator.requests()
  t.ok(seen.length > 0)
  for (const { headers } of seen) {
    t.equal(headers.authorization, `Bearer ${apiKey}`)
    t.same(
      Object.keys(headers).filter(name => /^(x-|cookie|origin|forwarded|proxy)/.test(name)),
      []
    )
  }
}

const service = await startService(t, {
  env: {
    TEAM_TOKENS: `blue=${blue},blue=${second},green=${green}:2`,
    TEAM_RATE_LIMIT: '1000000000'
  }
})
await service.get('/chats?limit=3', {
  headers: { cookie: 'a=b', 'x-team': 'green', origin: 'https://x', forwarded: 'for=1' }
})

const rows: readonly Row[] = [
  { row: 'B1', priority: 1, case: 'no token', send: strangers, demanded: isNobody },
  {
    row: 'B1',
    priority: 1,
    case: 'a token in the query',
    send: [
      strangerOf(`/chats?token=${blue}`, ''),
      strangerOf(`/chats?access_token=${blue}&limit=3`, ''),
      strangerOf(`/v1/chats?authorization=Bearer%20${blue}`, '')
    ],
    demanded: isNobody
  },
  {
    row: 'B1',
    priority: 1,
    case: 'the scheme in any case',
    send: ['bearer', 'BEARER', 'bEaReR'].map(scheme =>
      strangerOf('/chats?limit=3', `Authorization: ${scheme} ${blue}\r\n`)
    ),
    demanded: answered([200])
  },
  { row: 'B2', priority: 1, case: 'a wrong token', send: wrong, demanded: isNobody },
  {
    row: 'B2',
    priority: 1,
    case: 'a NUL in the token',
    send: [strangerOf('/chats', `Authorization: Bearer ${blue}\0\r\n`)],
    demanded: refused({ status: 400, code: 'bad_request' })
  },
  { row: 'B3', priority: 2, case: 'the time that a refusal takes', play: compareTimes },
  { row: 'B4', priority: 1, case: 'a flood of wrong tokens', play: floodTwice },
  { row: 'B5', priority: 1, case: 'what another team does', play: keepApart },
  {
    row: 'B6',
    priority: 2,
    case: 'two tokens of one team',
    send: [blue, second].map(token =>
      strangerOf('/chats?limit=3', `Authorization: Bearer ${token}\r\n`)
    ),
    demanded: answered([200])
  },
  { row: 'B7', priority: 1, case: 'what HelpCrunch sees', play: lookUpstream },
  {
    row: 'B8',
    priority: 2,
    case: 'health without a token',
    send: ['/healthz', '/readyz', '/v1/healthz'].map(target => strangerOf(target, '')),
    demanded: answered([200], (t, { body }) => t.ok(body.length < 50, body))
  },
  {
    row: 'B8',
    priority: 2,
    case: 'operators without a token',
    play: async (t, service) => {
      for (const path of ['/', '/status', '/metrics', '/events', '/explain?path=/chats']) {
        for (const headers of ['', `Authorization: ${asBlue.authorization}\r\n`]) {
          const { bytes } = strangerOf(path, headers)
          const heard = await service.send(
            bytes.toString().replace('Host: x', 'Host: 127.0.0.1'),
            {},
            service.adminUrl
          )
          t.equal(only(t, heard, path).status, 401, path)
        }
      }
      for (const path of ['/status', '/metrics', '/events']) {
        const heard = await service.send(get(path).bytes)
        t.equal(only(t, heard, path).status, 404, `${path} is not there for teams`)
      }
    }
  }
]

runRows(t, service, rows)

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))
