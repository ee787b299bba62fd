/**
 * The store in memory: bounded in bytes, forgetting the least recently used of whoever holds the
 * most, and nothing else.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { MemoryStore } from '../../src/cache/memory-store.ts'
import { holds } from '../support/property.ts'

const storeOf = (maxBytes: number, weights: Record<string, number> = { blue: 1 }) =>
  new MemoryStore({ maxBytes, weights: new Map(Object.entries(weights)) })

/** A shelf of plain numbers, each of which takes that many bytes. */
const sizes = (store: MemoryStore, name = 'size') => store.shelf<number>(name, bytes => bytes)

t.test('what was set is got, the very same', async t => {
  const shelf = storeOf(1e6).shelf<object>('things', () => 10)
  const thing = {}
  t.ok(shelf.set('a', thing, 'blue'))
  t.equal(shelf.get('a', 'blue'), thing)
  t.equal(shelf.get('b', 'blue'), undefined)
})

t.test('the newer of two entries under one key stays, and only its bytes count', async t => {
  const store = storeOf(1e6)
  const shelf = sizes(store)
  shelf.set('a', 1000, 'blue')
  const before = store.bytes
  shelf.set('a', 2000, 'blue')
  t.equal(shelf.get('a', 'blue'), 2000)
  t.equal(store.bytes, before + 1000)
  t.equal(store.entries, 1)
})

t.test('equal keys of two shelves are two entries', async t => {
  const store = storeOf(1e6)
  const [pages, answers] = [sizes(store, 'page'), sizes(store, 'answer')]
  pages.set('a', 1, 'blue')
  t.equal(answers.get('a', 'blue'), undefined)
  answers.set('a', 2, 'blue')
  t.equal(pages.get('a', 'blue'), 1)
})

t.test('the least recently used entry goes first', async t => {
  const shelf = sizes(storeOf(40_000))
  for (const key of ['a', 'b', 'c']) shelf.set(key, 8500, 'blue')
  shelf.get('a', 'blue')
  for (const key of ['d', 'e']) shelf.set(key, 8500, 'blue')
  t.same(
    ['a', 'b', 'c', 'd', 'e'].filter(key => shelf.get(key, 'blue')),
    ['a', 'c', 'd', 'e']
  )
})

t.test('an entry above a quarter of the store is not kept, nor what it was to replace', async t => {
  const shelf = sizes(storeOf(100_000))
  t.ok(shelf.set('a', 1000, 'blue'))
  t.ok(shelf.set('b', 23_000, 'blue'))
  t.notOk(shelf.set('a', 25_000, 'blue'))
  t.equal(shelf.get('a', 'blue'), undefined)
  t.ok(shelf.get('b', 'blue'))
})

t.test('names of the prototype are keys like any other', async t => {
  const shelf = sizes(storeOf(1e6))
  t.equal(shelf.get('__proto__', 'blue'), undefined)
  shelf.set('__proto__', 10, '__proto__')
  t.ok(shelf.get('__proto__', 'constructor'))
  t.equal(shelf.get('constructor', 'blue'), undefined)
})

t.test('a team that floods the store pushes out its own entries', async t => {
  const shelf = sizes(storeOf(100_000, { blue: 1, green: 1 }))
  for (let index = 0; index < 10; index++) shelf.set(`mine ${index}`, 1000, 'green')
  for (let index = 0; index < 1000; index++) shelf.set(`flood ${index}`, 1000, 'blue')
  const left = Array.from({ length: 10 }, (_, index) => shelf.get(`mine ${index}`, 'green'))
  t.same(left, Array(10).fill(1000))
  t.ok(shelf.get('flood 999', 'blue'))
})

t.test(
  'what a second team has used is everybody’s, and outlives the flood of the first',
  async t => {
    const shelf = sizes(storeOf(100_000, { blue: 1, green: 1 }))
    shelf.set('hot', 1000, 'blue')
    shelf.set('cold', 1000, 'blue')
    t.equal(shelf.get('hot', 'green'), 1000)
    shelf.set('hot', 1001, 'blue')
    for (let index = 0; index < 1000; index++) shelf.set(`flood ${index}`, 1000, 'blue')
    t.equal(shelf.get('hot', 'green'), 1001)
    t.equal(shelf.get('cold', 'blue'), undefined)
  }
)

t.test('a heavier team keeps more', async t => {
  const store = storeOf(120_000, { blue: 1, green: 3 })
  const shelf = sizes(store)
  for (let index = 0; index < 500; index++) {
    shelf.set(`blue ${index}`, 400, 'blue')
    shelf.set(`green ${index}`, 400, 'green')
  }
  const count = (team: string) =>
    Array.from({ length: 500 }, (_, index) => shelf.get(`${team} ${index}`, team)).filter(Boolean)
      .length
  t.ok(Math.abs(count('green') / count('blue') - 3) < 0.2, `${count('green')}:${count('blue')}`)
})

t.test('a lone team fills the store', async t => {
  const store = storeOf(100_000, { blue: 1, green: 1 })
  for (let index = 0; index < 1000; index++) sizes(store).set(`${index}`, 400, 'blue')
  t.ok(store.bytes > 98_000, `${store.bytes}`)
})

t.test('whatever is set by whom, the bytes held never exceed the bound', async t => {
  const maxBytes = 50_000
  const step = fc.record({
    key: fc.nat(60).map(String),
    bytes: fc.nat(15_000),
    team: fc.constantFrom('blue', 'green', 'red'),
    reader: fc.constantFrom('blue', 'green')
  })
  const property = fc.property(fc.array(step, { maxLength: 200 }), steps => {
    const store = storeOf(maxBytes, { blue: 1, green: 2 })
    const shelf = sizes(store)
    for (const { key, bytes, team, reader } of steps) {
      const kept = shelf.set(key, bytes, team)
      assert.equal(shelf.get(key, reader), kept ? bytes : undefined)
      assert(store.bytes <= maxBytes)
    }
    const keys = [...new Set(steps.map(({ key }) => key))]
    const held = keys.flatMap(key => shelf.get(key, 'blue') ?? [])
    assert.equal(store.entries, held.length)
    assert(held.reduce((sum, bytes) => sum + bytes, 0) <= store.bytes)
  })
  await holds(t, property)
})

t.test('many small entries count for more than their content', async t => {
  const store = storeOf(1_000_000)
  const shelf = sizes(store)
  for (let index = 0; index < 10_000; index++) shelf.set(`/chats?offset=${index}`, 0, 'blue')
  t.ok(store.entries > 500 && store.entries < 1_600, `${store.entries} are held`)
})
