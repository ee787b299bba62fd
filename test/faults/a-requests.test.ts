/**
 * Group A, third part (A10–A20): paths, methods, headers and bodies where none belong. What can be
 * read is answered as what it is, the rest refused in words; the page is there before, so that
 * nothing costs a call.
 */

import t, { type Test } from 'tap'
import type { Answer } from '../support/raw-socket.ts'
import { get, requestOf, strangerOf } from './requests.ts'
import { answered, checkAnyProblem, only, type Row, refused, runRows } from './runner.ts'
import { startService } from './service-process.ts'

const headersTooLarge = { status: 431, code: 'headers_too_large' }
const list = '/chats?limit=3'

const badEncodings = [
  '%',
  '%z',
  '%zz',
  '%c0%af',
  '%80',
  '%ff',
  '%ed%a0%80',
  '%f4%90%80%80',
  '%u0041'
]

const fullList = (t: Test, { body, headers }: Answer, name: string) => {
  t.equal(JSON.parse(body).data.length, 3, name)
  t.match(headers.get('content-type'), /^application\/json/)
  t.notMatch(headers.get('link'), /evil/, 'the host is nowhere in it')
}

/** What a GET may bring and nobody wants. */
const bodies: readonly (readonly [headers: string, body: string])[] = [
  ['Content-Type: application/json\r\nContent-Length: 2\r\n', '{}'],
  ['Content-Type: application/json\r\nContent-Length: 3\r\n', '{x}'],
  ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
  ['Transfer-Encoding: chunked\r\n', '1\r\n'],
  ['Content-Length: 1073741824\r\n', 'only the beginning'],
  ['Content-Length: 1073741824\r\n', 'x'.repeat(300_000)]
]

const elsewhere = [
  ...['//chats', '///', '/CHATS', '/Chats', '/chats;x=1', '/chats/x', '/chats%2fexport', '/chat'],
  ...['/chats/%2e%2e/admin', '/chats/../status', '/v1/../metrics', '/v2/chats', '/v1/v1/chats'],
  ...['/chats//', '/chats%20', '/chats\\', 'ftp://evil/chats', '*', '/%63%68%61%74%73/x/../']
]

const sameRoute = [
  ...['/chats/?limit=3', '/v1/chats?limit=3', '/v1/chats/?limit=3', '/%63hats?limit=3'],
  ...[`http://evil${list}`, `http://evil:99/v1${list}`, `HTTPS://user:pass@evil${list}`]
]

/** Would take minutes where an expression goes back and forth. */
const slow = ['a', '[', ' ', '(', '"', ',', '=', ';', 'a,', ' ,', 'W/"', '="'].flatMap(unit => {
  const text = unit.repeat(7_000 / unit.length)
  const fields = [
    'Accept',
    'If-None-Match',
    'Forwarded',
    'Accept-Encoding',
    'Cache-Control',
    'Prefer'
  ]
  return [
    get(`/chats?sort=${encodeURIComponent(text).slice(0, 7_500).replace(/%.?$/, '')}`),
    strangerOf(list, `Authorization: Bearer${text}x\r\n`),
    ...[...fields, 'traceparent'].map(name => get(list, `${name}: x${text}x\r\n`))
  ]
})
const promisedMs = 50

const service = await startService(t)
const page = await service.get(list)
const tag = page.headers.get('etag') ?? ''

const longList = Array.from({ length: 240 }, (_, index) => `"${index}-${'x'.repeat(24)}"`).join()
const conditions: readonly (readonly [field: string, status: 200 | 304])[] = [
  ['*', 304],
  [tag, 304],
  [`W/${tag}`, 304],
  [`"other", ${tag}`, 304],
  [`${longList}, ${tag}`, 304],
  [longList, 200],
  ['"other"', 200],
  [tag.slice(1, -1), 200],
  [`${tag.slice(0, -2)}"`, 200],
  ['"'.repeat(4_000), 200],
  ['', 200]
]

const rows: readonly Row[] = [
  {
    row: 'A10',
    priority: 2,
    case: 'percent-encoding that encodes nothing',
    send: ['/chats?limit=@', '/chats?@=1', '/@', '/chats/@', '/v1/@/chats', '/docs/@'].flatMap(
      place => badEncodings.map(bad => get(place.replace('@', bad)))
    ),
    demanded: refused({ status: 400, code: 'bad_request' })
  },
  {
    row: 'A10',
    priority: 2,
    case: 'a NUL',
    send: ['/%00', '/chats%00', '/chats/%00', '/chats?limit=%00', '/chats?%00=1'].map(target =>
      get(target)
    ),
    demanded: answered([400])
  },
  {
    row: 'A11',
    priority: 2,
    case: 'texts made to be slow to match',
    play: async (t, service) => {
      for (const { name, bytes } of slow) {
        const took = await service.quickestMs(bytes, promisedMs)
        t.ok(took < promisedMs, `${Math.round(took)} ms: ${name.slice(0, 60).replaceAll('#', '')}`)
      }
    }
  },
  {
    row: 'A12',
    priority: 2,
    case: 'a URL of 20 kB',
    send: [get(`/chats?x=${'a'.repeat(20_000)}`), get(`/${'a'.repeat(20_000)}`)],
    demanded: refused({ status: 414, code: 'uri_too_long' })
  },
  {
    row: 'A12',
    priority: 2,
    case: 'headers of 20 kB, or 3,000 of them',
    send: [
      get(list, `X: ${'a'.repeat(20_000)}\r\n`),
      get(list, `${'a'.repeat(20_000)}: 1\r\n`),
      get(list, 'x:1\r\n'.repeat(300)),
      get(list, 'x:1\r\n'.repeat(3_000))
    ],
    demanded: refused(headersTooLarge)
  },
  {
    row: 'A13',
    priority: 2,
    case: 'a GET with a body',
    send: bodies.map(([headers, body]) => requestOf('GET', list, headers, body)),
    demanded: answered([200], fullList)
  },
  {
    row: 'A13',
    priority: 2,
    case: 'a GET with a GB of body',
    play: async (t, service) => {
      const before = await service.restPeak()
      const body = 'x'.repeat(64 * 1024 * 1024)
      const { bytes } = requestOf('GET', list, 'Content-Length: 1073741824\r\n', body)
      const heard = await service.send(bytes)
      // Who still sends when the connection is closed may find it reset instead of its answer.
      const statuses = heard.answers.map(({ status }) => status)
      if (heard.end !== 'reset') t.same(statuses, [200])
      t.ok(statuses.every(status => status === 200))
      const peak = await service.peak()
      t.ok(peak - before < 40, `${before} MB became ${peak} MB`)
    }
  },
  {
    row: 'A14',
    priority: 2,
    case: 'a GET of a type, without a body',
    send: ['application/json', 'application/json; charset=utf-8', 'text/plain', ';;;'].map(type =>
      get(list, `Content-Type: ${type}\r\n`)
    ),
    demanded: answered([200], fullList)
  },
  {
    row: 'A15',
    priority: 2,
    case: 'another method',
    send: ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'OPTIONS', 'PROPFIND'].flatMap(method => [
      requestOf(method, list),
      requestOf(method, list, 'Content-Length: 2\r\n', '{}')
    ]),
    demanded: refused({ status: 405, code: 'method_not_allowed' }, (t, _, { headers }) => {
      t.equal(headers.get('allow'), 'GET, HEAD')
    })
  },
  {
    row: 'A16',
    priority: 2,
    case: 'HEAD',
    send: [requestOf('HEAD', list), requestOf('HEAD', `/v1${list}`)],
    demanded: answered([200], (t, { body, headers }) => {
      const same = ['content-type', 'etag', 'x-total-count', 'cache-control', 'vary']
      t.equal(body, '')
      for (const name of same) t.equal(headers.get(name), page.headers.get(name), name)
      t.equal(headers.get('content-length'), String(Buffer.byteLength(page.body)))
      t.match(headers.get('age'), /^\d+$/)
      t.match(headers.get('cache-status'), 'hit')
    })
  },
  {
    row: 'A17',
    priority: 2,
    case: 'what is no route',
    send: elsewhere.map(target => get(target)),
    demanded: answered([400, 404])
  },
  {
    row: 'A17',
    priority: 2,
    case: 'another spelling of the route',
    send: sameRoute.map(target => get(target)),
    demanded: answered([200], fullList)
  },
  {
    row: 'A17',
    priority: 2,
    case: 'OPTIONS *',
    send: [requestOf('OPTIONS', '*')],
    demanded: answered([404, 405])
  },
  {
    row: 'A18',
    priority: 2,
    case: 'whatever is accepted',
    send: ['text/html', '*/*;q=0', 'application/json;q=0', `text/${'x'.repeat(8_000)}`, ',;='].map(
      accept => get(list, `Accept: ${accept}\r\n`)
    ),
    demanded: answered([200, 406], (t, answer, name) => {
      if (answer.status === 200) fullList(t, answer, name)
    })
  },
  {
    row: 'A19',
    priority: 2,
    case: 'If-None-Match',
    play: async (t, service) => {
      for (const [field, status] of conditions) {
        const name = `${field.length} characters are ${status}`
        const { bytes } = get(list, `If-None-Match: ${field}\r\n`)
        const answer = only(t, await service.send(bytes), name)
        t.equal(answer.status, status, name)
        checkAnyProblem(t, answer, name)
        t.equal(answer.body === '', status === 304)
        for (const header of ['etag', 'cache-control', 'age']) t.ok(answer.headers.get(header))
      }
    }
  },
  {
    row: 'A20',
    priority: 3,
    case: 'ranges and dates',
    send: [
      'Range: bytes=0-10',
      'Range: bytes=-5\r\nIf-Range: "x"',
      'Range: lines=1-2',
      'If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT',
      'If-Unmodified-Since: junk',
      'If-Range: junk'
    ].map(fields => get(list, `${fields}\r\n`)),
    demanded: answered([200], fullList)
  }
]

runRows(t, service, rows)

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))
