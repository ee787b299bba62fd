/**
 * Group A, last part (A21): bodies that are none, at the two routes that take one and at those
 * that take none. Refused within the promised 100 ms, before anything is made of them.
 */

import { gzipSync } from 'node:zlib'
import t from 'tap'
import { event, type Posted, post } from './requests.ts'
import { answered, type Demand, type Row, refused, runRows, type Sent } from './runner.ts'
import { asOperator, startService } from './service-process.ts'

const utf16 = (text: string) => Buffer.from(text, 'utf16le')
const bytes = (text: string) => Buffer.from(text)

/** No JSON object, whoever reads it. */
const broken: readonly (readonly [name: string, body: Buffer])[] = [
  ['nothing', bytes('')],
  ['white space', bytes('  \n\t')],
  ['an object that is cut off', bytes('{"filter":[{"field":"chats.st')],
  ['an object and more', bytes('{}{}')],
  ['a list', bytes('[]')],
  ['null', bytes('null')],
  ['a number', bytes('1e400')],
  ['NaN', bytes('{"limit":NaN}')],
  ['Infinity', bytes('{"limit":-Infinity}')],
  ['single quotes', bytes("{'limit':1}")],
  ['a comma too many', bytes('{"limit":1,}')],
  ['a comment', bytes('{/* */}')],
  ['a byte order mark', bytes('\ufeff{}')],
  ['UTF-16', utf16('{}')],
  ['UTF-16 with a mark', utf16('\ufeff{}')],
  ['a NUL', bytes('{"limit":1}\0')],
  ['half a character', Buffer.from([0x7b, 0x22, 0xc3])],
  ['60,000 brackets', bytes('['.repeat(60_000))],
  ['10,000 objects', bytes('{"a":'.repeat(10_000))],
  ['gzip', gzipSync('{}')]
]

/** JSON, but no search. */
const noSearches: readonly (readonly [name: string, body: Buffer])[] = [
  ['a number beyond all', bytes('{"filter":[{"value":1e400}]}')],
  ['a name twice, the last one wrong', bytes('{"limit":5,"limit":"x"}')],
  ['a wrong member and the prototype', bytes('{"__proto__":{"limit":5},"limit":-1}')],
  ['the wrong types', bytes('{"filter":{},"order":1}')],
  ['latin1', Buffer.from('{"filter":[{"value":"\xe9"}]}', 'latin1')]
]

/** An object that no event is, and that changes nothing. */
const odd: readonly string[] = [
  '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}',
  '{"event":"a","event":"b","id":1e400}',
  `{"event":${'['.repeat(9_000)}${']'.repeat(9_000)}}`,
  '{"event":null,"id":{},"eventData":"{"}'
]

const promisedMs = 100
const searchLimit = 64 * 1024
const eventLimit = 256 * 1024

const padded = (length: number) => bytes(`{"filter":[]}${' '.repeat(length - 13)}`)

const searches = (bodies: readonly (readonly [name: string, body: Buffer])[]) =>
  bodies.flatMap(([name, body]) =>
    ['application/json', undefined, 'application/json; charset=latin1', 'text/plain'].map(type =>
      post('/chats/search', { name, body, ...(type && { type }) } as Posted)
    )
  )

const toOperators = (method: string, target: string, body: Buffer): Sent => ({
  name: `${method} ${target}`,
  bytes: Buffer.concat([
    bytes(
      `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n` +
        `Authorization: ${asOperator.authorization}\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n`
    ),
    body
  ])
})

const row = (about: string, send: readonly Sent[], demanded: Demand): Row => ({
  ...{ row: 'A21', priority: 1, case: about },
  ...{ send, demanded }
})

const invalid = refused({ status: 400, code: 'invalid_body' })
const tooLarge = refused({ status: 413, code: 'body_too_large' })

const chunked = 'Transfer-Encoding: chunked\r\n'
const inChunks = (target: string, body: string): Sent => {
  const { bytes: head } = post(target, { name: '', body: Buffer.alloc(0), headers: chunked })
  const framed = head.toString().replace('Content-Length: 0\r\n', '')
  return {
    name: 'in chunks',
    bytes: `${framed}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  }
}

const rows: readonly Row[] = [
  row('bodies that are no JSON object, to the search', searches(broken), invalid),
  row('bodies that are no search', searches(noSearches), invalid),
  row(
    'a byte more than a search may have',
    [
      post('/chats/search', { name: 'by length', body: padded(searchLimit + 1) }),
      inChunks('/chats/search', padded(searchLimit + 1).toString()),
      post('/chats/search', { name: '200,000 brackets', body: bytes('['.repeat(200_000)) })
    ],
    tooLarge
  ),
  row(
    'a coded search',
    ['gzip', 'br', 'rot13', 'gzip, gzip'].map(coding =>
      post('/chats/search', {
        name: coding,
        body: gzipSync('{"filter":[]}'),
        headers: `Content-Encoding: ${coding}\r\n`
      })
    ),
    refused({ status: 415, code: 'unsupported_media_type' })
  ),
  row(
    'signed bodies that are no event',
    broken.map(([name, body]) => event(name, body)),
    invalid
  ),
  row(
    'signed objects that are odd',
    odd.map(body => event(body.slice(0, 40), body)),
    answered([200])
  ),
  row(
    'a byte more than an event may have',
    [
      event('by length', bytes(' '.repeat(eventLimit + 1))),
      event('300,000 brackets', bytes('['.repeat(300_000)))
    ],
    tooLarge
  ),
  row(
    'bodies to where none belongs',
    broken.flatMap(([name, body]) =>
      ['/chats', '/healthz', '/chats/100001'].map(target => post(target, { name, body }))
    ),
    refused({ status: 405, code: 'method_not_allowed' })
  )
]

const service = await startService(t)

runRows(t, service, [
  ...rows,
  {
    row: 'A21',
    priority: 1,
    case: 'bodies to the operators',
    play: async (t, service) => {
      for (const [name, body] of broken) {
        for (const [method, target] of [
          ['POST', '/cache'],
          ['PUT', '/status'],
          ['POST', '/nowhere']
        ] as const) {
          const { bytes } = toOperators(method, target, body)
          const heard = await service.send(bytes, {}, service.adminUrl)
          answered([400, 404, 405, 413, 415])(t, heard, name)
        }
      }
    }
  },
  {
    row: 'A21',
    priority: 1,
    case: 'none of them takes long',
    play: async (t, service) => {
      const all = rows.flatMap(row => ('send' in row ? row.send : []))
      t.ok(all.length > 100)
      for (const { name, bytes } of all) {
        const took = await service.quickestMs(bytes, promisedMs)
        t.ok(took < promisedMs, `${Math.round(took)} ms: ${name.replaceAll('#', '').slice(0, 60)}`)
      }
    }
  }
])

t.test('S1 (P1): no secret in anything that it wrote', t => service.checkEnd(t))
