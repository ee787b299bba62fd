/** Answers kept beside their pages: given again while nothing changed, and never after. */

import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { MemoryStore } from '../../src/cache/memory-store.ts'
import { type Coding, Rendering } from '../../src/chats/rendering.ts'
import { type Rendered, Renderings, renderedBytes } from '../../src/chats/renderings.ts'
import { isKept } from '../support/kept.ts'
import { chatsOf, chatTexts, pageOf, roomyShelf, storedAt, windowOf } from '../support/pages.ts'

const texts = chatTexts(150)
const first = storedAt(0, pageOf(texts.slice(0, 100), 150))
const second = storedAt(5, pageOf(texts.slice(100), 150))
const query = windowOf({ offset: 90, limit: 20 })

/** Waits for a coding to be made, which real threads do. */
async function made(rendering: Rendering, coding: Coding): Promise<Buffer> {
  rendering.prepare(coding)
  for (;;) {
    const bytes = rendering.coded(coding)
    if (bytes) return bytes
    await new Promise(resolve => setImmediate(resolve))
  }
}

t.test('the same window of the same pages is the same answer', async t => {
  const renderings = new Renderings(roomyShelf())
  const one = renderings.of(query, [first, second], 'blue')
  t.equal(renderings.of(query, [first, second], 'green'), one)
  t.equal(one.total, 150)
  t.equal(chatsOf(one.body).length, 20)
})

t.test('a page that arrived again unchanged does not change the answer', async t => {
  const renderings = new Renderings(roomyShelf())
  const one = renderings.of(query, [first, second], 'blue')
  t.equal(renderings.of(query, [first, { ...second, storedAt: 9, freshUntil: 99 }], 'blue'), one)
})

t.test('a new version of a page, another window or another envelope is another answer', async t => {
  const renderings = new Renderings(roomyShelf())
  const one = renderings.of(query, [first, second], 'blue')
  t.not(renderings.of({ ...query, limit: 21 }, [first, second], 'blue'), one)
  t.not(
    renderings.of(windowOf({ offset: 90, limit: 20, order: 'asc' }), [first, second], 'blue'),
    one
  )
  const newer = storedAt(6, pageOf(texts.slice(100), 151))
  t.equal(renderings.of(query, [first, newer], 'blue').total, 151)
  const again = { ...first, storedAt: 7 }
  t.equal(renderings.of(query, [again, newer], 'blue').total, 150)
})

t.test('codings hold the same bytes, and are made once', async t => {
  let grown = 0
  const body = Buffer.from(JSON.stringify(texts))
  const rendering = new Rendering(body, 1, () => void grown++)
  const [br, gzip] = await Promise.all([made(rendering, 'br'), made(rendering, 'gzip')])
  t.same(brotliDecompressSync(br), body)
  t.same(gunzipSync(gzip), body)
  t.ok(isKept(br) && isKept(gzip), 'they do not keep the larger buffers of zlib')
  t.equal(await made(rendering, 'br'), br)
  t.equal(grown, 2)
})

t.test('a body that a coding would not make smaller stays plain', async t => {
  const small = new Rendering(Buffer.from('{"data":[]}'), 0, () => {})
  small.prepare('br')
  t.equal(small.coded('br'), undefined)
  t.equal(small.bytes, 11)
})

t.test('the codings count among the bytes that are kept', async t => {
  const store = new MemoryStore({ maxBytes: 1e6, weights: new Map() })
  const renderings = new Renderings(store.shelf<Rendered>('answer', renderedBytes))
  const rendering = renderings.of(windowOf({ offset: 0, limit: 50 }), [first], 'blue')
  const before = store.bytes
  const gzip = await made(rendering, 'gzip')
  t.equal(store.bytes, before + gzip.length)
})
