/**
 * Group S, last part (S10–S13): who may say that something is stale, once, and what it can never
 * do. The signature is over the raw bytes, compared before anything is read from them.
 */

import t, { type Test } from 'tap'
import { signingKey } from '../support/canaries.ts'
import { apiKey, tokens } from '../support/stack.ts'
import { event, sign } from './requests.ts'
import { answered, type Row, refused, runRows } from './runner.ts'
import { type ServiceProcess, startService } from './service-process.ts'

const body = JSON.stringify({ event: 'chat.new', eventData: {}, id: 'x' })
const good = sign(body)
const spaced = '{ "event" : "chat.new", "eventData":{ }, "id":"\\u0078" }'
const field = (value: string) => `X-HelpCrunch-Signature: ${value}\r\n`

const forged: readonly (readonly [body: string, headers: string])[] = [
  ...[
    '',
    field(''),
    field(good.slice(1)),
    field(good.slice(0, -1)),
    field(`${good}0`),
    field(good.toUpperCase()),
    field('g'.repeat(40)),
    field('0'.repeat(40)),
    field(`sha1=${good}`),
    field(`"${good}"`),
    field(`${good}, ${good}`),
    field(good) + field(good),
    field('0'.repeat(40)) + field(good),
    field(Buffer.from(good, 'hex').toString('base64')),
    field(sign(body, 'another-key')),
    field(sign(body, '')),
    field(sign(body, apiKey)),
    field(sign(body, tokens.blue)),
    field(sign(body, `${signingKey}\n`)),
    field(sign(body, `${signingKey} `)),
    field('\xff'.repeat(40)),
    `X-Hub-Signature: ${good}\r\n`,
    `Authorization: Bearer ${tokens.blue}\r\n`
  ].map(headers => [body, headers] as const),
  [spaced, field(sign(JSON.stringify(JSON.parse(spaced))))],
  [`${body} `, field(good)],
  [body.replace('new', 'nex'), field(good)],
  [body.slice(0, -1), field(good)]
]

/** Each bit of the body, and each of the signature. */
const flipped = [
  ...Array.from({ length: body.length * 8 }, (_, bit) => {
    const bytes = Buffer.from(body)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    return event(`bit ${bit} of the body`, bytes, field(good))
  }),
  ...Array.from({ length: 160 }, (_, bit) => {
    const mac = Buffer.from(good, 'hex')
    mac[bit >> 3]! ^= 1 << (bit & 7)
    return event(`bit ${bit} of the signature`, body, field(mac.toString('hex')))
  })
]

const list = '/chats?limit=3'
const kept = { headers: { 'cache-control': 'only-if-cached' } }

/** Whether what is stored is stale; nothing is asked to find out. */
async function isStale(service: ServiceProcess): Promise<boolean> {
  const { headers } = await service.get(list, kept)
  return /; ttl=-/.test(headers.get('cache-status') ?? '')
}

const unauthenticated = { status: 401, code: 'unauthenticated' }

/** S11: the second has no effect. */
async function replay(t: Test, service: ServiceProcess): Promise<void> {
  const tell = async (about: object) => {
    const body = JSON.stringify({ event: 'chat.new', eventData: {}, ...about })
    const { answers } = await service.send(event('', body).bytes)
    t.equal(answers[0]?.status, 200)
  }
  const freshen = () => service.get(list)
  t.equal(await isStale(service), false)
  await tell({ id: 'a', attempts: 1 })
  t.equal(await isStale(service), true, 'the first')
  await freshen()
  for (const attempts of [1, 2, 3]) await tell({ id: 'a', attempts })
  t.equal(await isStale(service), false, 'the same again, under whatever number')
  for (const [index, createdAt] of ['1970-01-01T00:00:00Z', '2999-01-01', -1, null].entries()) {
    await tell({ id: `dated ${index}`, createdAt })
  }
  t.equal(await isStale(service), true, 'age is not judged')
}

/** S13: a thousand events are answered, and make no call; who asks makes one. */
async function storm(t: Test, service: ServiceProcess): Promise<void> {
  const calls = service.calls()
  const bodies = Array.from({ length: 1_000 }, (_, index) =>
    JSON.stringify({
      event: 'message.chat.customer',
      eventData: { chat_id: index },
      id: `e${index}`
    })
  )
  const streams = Array.from({ length: 10 }, (_, stream) => {
    const own = bodies.filter((_, index) => index % 10 === stream)
    const requests = own.map((body, index) => {
      const bytes = event('', body).bytes.toString()
      return index === own.length - 1 ? bytes : bytes.replace('Connection: close\r\n', '')
    })
    return service.send(requests.join(''))
  })
  const heard = (await Promise.all(streams)).flatMap(({ answers }) => answers)
  t.same([heard.length, new Set(heard.map(({ status }) => status))], [1_000, new Set([200])])
  t.equal(service.calls(), calls, 'events make no calls')
  t.equal(await isStale(service), true)
  const answers = await Promise.all(Array.from({ length: 20 }, () => service.get(list)))
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.ok(service.calls() - calls <= 1, 'those who ask make one at most')
}

const odd = [
  '{"event":"no.such.event","id":"1"}',
  '{"event":"agent.new","eventData":"{\\"id\\":1}","id":"2"}',
  '{"event":5,"eventData":[],"id":null}',
  '{"id":{"toString":1}}',
  '{}'
].map(text => event(text, text))

const noObject = ['[]', 'null', '"x"', '{', '', '\ufeff{}'].map(text => event(text, text))
const tooLarge = [
  event('by a byte', ' '.repeat(256 * 1024 + 1)),
  // The rest is not waited for.
  ...['10000000', '99999999999'].map(length => {
    const { bytes } = event('', ' '.repeat(1_000))
    const declared = bytes.toString().replace('Content-Length: 1000', `Content-Length: ${length}`)
    return { name: `${length} bytes`, bytes: declared }
  })
]

const service = await startService(t)
await service.get(list)

const rows: readonly Row[] = [
  {
    row: 'S10',
    priority: 1,
    case: 'whoever has no right signature',
    send: forged.map(([body, headers]) => event(headers.slice(0, 60), body, headers)),
    demanded: refused(unauthenticated, (t, _, { body }) => t.notOk(body.includes(good)))
  },
  {
    row: 'S10',
    priority: 1,
    case: 'one bit that is another',
    send: flipped,
    demanded: refused(unauthenticated)
  },
  {
    row: 'S10',
    priority: 1,
    case: 'and nothing has happened',
    play: async (t, service) => {
      t.equal(await isStale(service), false)
    }
  },
  { row: 'S11', priority: 1, case: 'an event that comes again', calls: 1, play: replay },
  {
    row: 'S12',
    priority: 2,
    case: 'events that are none of ours',
    send: odd,
    demanded: answered([200])
  },
  {
    row: 'S12',
    priority: 2,
    case: 'signed, but no object',
    send: noObject,
    demanded: refused({ status: 400, code: 'invalid_body' })
  },
  {
    row: 'S12',
    priority: 2,
    case: 'unsigned, and no object',
    send: ['[]', '{', ''].map(text => event(text, text, '')),
    demanded: refused(unauthenticated)
  },
  {
    row: 'S12',
    priority: 2,
    case: 'too large',
    send: tooLarge,
    demanded: refused({ status: 413, code: 'body_too_large' })
  },
  { row: 'S13', priority: 1, case: 'a thousand events at once', calls: 'some', play: storm }
]

runRows(t, service, rows)

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))
