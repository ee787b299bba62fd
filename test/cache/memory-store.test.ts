// The store in memory: bounded in bytes, least recently used out first, forgetting nothing else.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createMemoryStore } from '../../src/cache/memory-store.ts'
import type { Page, Stored } from '../../src/ports.ts'
import { chatTexts, pageOf, storedAt } from '../support/pages.ts'
import { holds } from '../support/property.ts'

const sized = (bytes: number): Stored<Page> =>
  storedAt(0, pageOf([], 0, { after: `${' '.repeat(bytes)}],"meta":{"total":0}}` }))

const weight = ({ value }: Stored<Page>) => value.bytes.length + value.spans.byteLength

t.test('what was set is got, the very same', async t => {
  const store = createMemoryStore(1e6)
  const entry = storedAt(5, pageOf(chatTexts(3), 3))
  t.ok(store.set('a', entry))
  t.equal(store.get('a'), entry)
  t.equal(store.get('b'), undefined)
})

t.test('the newer of two entries under one key stays', async t => {
  const store = createMemoryStore(1e6)
  const [older, newer] = [sized(10), sized(20)]
  store.set('a', older)
  store.set('a', newer)
  t.equal(store.get('a'), newer)
})

t.test('the least recently used entry goes first', async t => {
  const store = createMemoryStore(40_000)
  for (const key of ['a', 'b', 'c']) store.set(key, sized(9000))
  store.get('a')
  for (const key of ['d', 'e']) store.set(key, sized(9000))
  t.same(
    ['a', 'b', 'c', 'd', 'e'].filter(key => store.get(key)),
    ['a', 'c', 'd', 'e']
  )
})

t.test('an entry above a quarter of the store is not kept, nor what it was to replace', async t => {
  const store = createMemoryStore(100_000)
  t.ok(store.set('a', sized(1000)))
  t.ok(store.set('b', sized(24_000)))
  t.notOk(store.set('a', sized(25_000)))
  t.equal(store.get('a'), undefined)
  t.ok(store.get('b'))
})

t.test('names of the prototype are keys like any other', async t => {
  const store = createMemoryStore(1e6)
  t.equal(store.get('__proto__'), undefined)
  store.set('__proto__', sized(10))
  t.ok(store.get('__proto__'))
  t.equal(store.get('constructor'), undefined)
})

t.test('whatever is set, the bytes held never exceed the bound', async t => {
  const maxBytes = 50_000
  const entry = fc.tuple(fc.nat(60).map(String), fc.nat(15_000))
  const property = fc.property(fc.array(entry, { maxLength: 200 }), entries => {
    const store = createMemoryStore(maxBytes)
    for (const [key, bytes] of entries) {
      const kept = store.set(key, sized(bytes))
      assert.equal(store.get(key) !== undefined, kept)
    }
    const held = [...new Set(entries.map(([key]) => key))].flatMap(key => store.get(key) ?? [])
    assert(held.reduce((sum, entry) => sum + weight(entry), 0) <= maxBytes)
  })
  await holds(t, property)
})

t.test('many small entries count for more than their pages', async t => {
  const store = createMemoryStore(1_000_000)
  const keys = Array.from({ length: 10_000 }, (_, index) => `/chats?offset=${index}`)
  for (const key of keys) store.set(key, sized(0))
  const held = keys.filter(key => store.get(key)).length
  t.ok(held > 500 && held < 1_600, `${held} are held`)
})
