/** Content codings: which one a client gets, and what the others make of it (RFC 9110 12.5.3). */

import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { acceptedCodings } from '../../src/http/content-coding.ts'
import { bareRequest } from '../support/bare-request.ts'
import { quickestMs } from '../support/quickest.ts'
import { startStack } from '../support/stack.ts'

const wishes: readonly [field: string | undefined, codings: string][] = [
  [undefined, ''],
  ['', ''],
  ['gzip', 'gzip'],
  ['GZIP', 'gzip'],
  ['br', 'br'],
  ['gzip, deflate, br', 'br gzip'],
  ['br;q=0.5, gzip', 'gzip br'],
  ['gzip;q=0.5, identity', ''],
  ['br;q=0', ''],
  ['br;q=0, *', 'gzip'],
  ['*', 'br gzip'],
  ['*;q=0', ''],
  ['identity;q=0', ''],
  ['identity;q=0, gzip', 'gzip'],
  ['zstd, compress', ''],
  ['gzip;q=junk', ''],
  ['\u0000,;=q', '']
]

for (const [field, codings] of wishes) {
  t.test(`Accept-Encoding: ${field} asks for ${codings || 'plain bytes'}`, async t => {
    t.equal(acceptedCodings(field).join(' '), codings)
  })
}

t.test('any number of different fields is answered, and 8 kB of one at once', async t => {
  for (let index = 0; index < 1000; index++) acceptedCodings(`x${index}, gzip`)
  t.same(acceptedCodings('x999, gzip'), ['gzip'])
  for (const part of ['gzip,', 'a;q=', ',', ' ', ';', '*']) {
    const ms = quickestMs(() => acceptedCodings(part.repeat(2000)))
    t.ok(ms < 50, `${part}: ${ms} ms`)
  }
})

const decode = { br: brotliDecompressSync, gzip: gunzipSync }

t.test('a hit is sent in the coding that was made behind an earlier answer', async t => {
  const { url } = await startStack(t)
  const plain = await bareRequest(`${url}/chats?limit=20`)
  t.equal(plain.headers['content-encoding'], undefined)
  t.equal(plain.headers.vary, 'Accept-Encoding')
  for (const coding of ['br', 'gzip'] as const) {
    const ask = () => bareRequest(`${url}/chats?limit=20`, { 'accept-encoding': coding })
    let coded = await ask()
    while (coded.headers['content-encoding'] === undefined) coded = await ask()
    t.equal(coded.headers['content-encoding'], coding)
    t.equal(coded.headers.vary, 'Accept-Encoding')
    t.same(decode[coding](coded.body), plain.body)
    t.equal(coded.headers['content-length'], String(coded.body.length))
    t.not(coded.headers.etag, plain.headers.etag)
    const head = await bareRequest(`${url}/chats?limit=20`, { 'accept-encoding': coding }, 'HEAD')
    t.equal(head.headers.etag, coded.headers.etag)
    t.equal(head.headers['content-length'], coded.headers['content-length'])
    t.equal(head.body.length, 0)
    for (const known of [plain.headers.etag!, coded.headers.etag!]) {
      const headers = { 'accept-encoding': coding, 'if-none-match': known }
      const same = await bareRequest(`${url}/chats?limit=20`, headers)
      t.equal(same.status, 304)
      t.equal(same.headers.etag, known)
      t.equal(same.headers['content-encoding'], undefined)
    }
  }
})
