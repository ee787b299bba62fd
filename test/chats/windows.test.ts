// Windows cut out of aligned pages: the same chats, to the byte, as a slice of the whole list.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { chatList, type Window } from '../../src/chats/lists.ts'
import {
  cutWindow,
  firstPageIndex,
  furtherPageIndexes,
  joinParts,
  newest,
  pageCall,
  pageSize
} from '../../src/chats/windows.ts'
import { chatTexts, holdsChats, pageFor, pageOf, storedAt, windowOf } from '../support/pages.ts'
import { holds } from '../support/property.ts'

const chats = chatTexts(750)

const total = fc.nat(chats.length)
const window = fc
  .record({ offset: fc.nat(900), limit: fc.integer({ min: 1, max: 500 }) })
  .map(windowOf)
const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t'), maxLength: 2 })

const indexesOf = (query: Window, total: number) => [
  firstPageIndex(query),
  ...furtherPageIndexes(query, total)
]

t.test('cutting a window from its pages is slicing the list', async t => {
  const property = fc.property(total, window, space, space, (count, query, left, right) => {
    const list = chats.slice(0, count)
    const spelling = { before: `{"data":${left}[${left}`, separator: `${left},${right}` }
    const pages = indexesOf(query, count).map(index =>
      storedAt(index, pageFor(pageCall(query.list, index), list, spelling))
    )
    const body = cutWindow(query, pages)
    assert(holdsChats(body, list.slice(query.offset, query.offset + query.limit)))
    assert.equal(JSON.parse(body.toString()).meta.total, count)
  })
  await holds(t, property, { numRuns: 200 })
})

t.test('a window touches no more pages than it must', async t => {
  const property = fc.property(total, window, (count, query) => {
    const indexes = indexesOf(query, count)
    assert(indexes.length <= Math.ceil(query.limit / pageSize) + 1)
    assert.deepEqual(
      indexes,
      indexes.map((_, step) => indexes[0]! + step),
      'they are adjacent'
    )
    for (const index of indexes.slice(1)) assert(index * pageSize < count)
    const end = Math.min(query.offset + query.limit, count)
    assert(end <= (indexes.at(-1)! + 1) * pageSize, 'none is missing')
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('any window asks for aligned pages, by explicit offset and limit', async t => {
  const property = fc.property(window, query => {
    const { target, offset, limit } = pageCall(query.list, firstPageIndex(query))
    assert.equal(target, `/chats?offset=${offset}&limit=100`)
    assert.equal(offset % pageSize, 0)
    assert.equal(limit, pageSize)
    assert(offset <= query.offset && query.offset < offset + limit)
  })
  await holds(t, property)
})

t.test('the call for a page names its list first', async t => {
  const list = chatList({ sort: 'chats.closedAt', order: 'desc' })
  t.equal(pageCall(list, 3).target, '/chats?sort=chats.closedAt&order=desc&offset=300&limit=100')
})

t.test('a joined answer has the envelope of the newest page', async t => {
  const list = chatTexts(200)
  const older = pageOf(list.slice(0, 100), 200, { before: '{"old":1,"data":[' })
  const newer = pageOf(list.slice(100), 201, { before: '{"new":1,"data":[' })
  const query = windowOf({ offset: 0, limit: 200 })
  const body = cutWindow(query, [storedAt(1, older), storedAt(2, newer)])
  t.match(JSON.parse(body.toString()), { new: 1, meta: { total: 201 } })
  t.ok(holdsChats(body, list))
  const turned = cutWindow(query, [storedAt(2, older), storedAt(1, newer)])
  t.match(JSON.parse(turned.toString()), { old: 1, meta: { total: 200 } })
  t.ok(holdsChats(turned, list))
})

t.test('the newest page is the one that arrived last', async t => {
  const pages = [3, 9, 5].map(at => storedAt(at, pageOf([], 0)))
  t.equal(newest(pages), pages[1])
})

t.test('an empty page among others leaves no stray comma', async t => {
  const list = chatTexts(100)
  const pages = [storedAt(1, pageOf(list, 200)), storedAt(2, pageOf([], 100))]
  t.ok(holdsChats(cutWindow(windowOf({ offset: 0, limit: 200 }), pages), list))
  t.ok(holdsChats(cutWindow(windowOf({ offset: 100, limit: 100 }), [pages[1]!]), []))
})

t.test(
  'two parts joined are the page that one call would have brought, places and all',
  async t => {
    const sizes = fc.record({ first: fc.nat(60), rest: fc.nat(60), total: fc.nat(120) })
    const property = fc.property(sizes, space, ({ first, rest, total }, blank) => {
      const texts = chatTexts(120)
      const parts = [texts.slice(0, first), texts.slice(first, first + rest)] as const
      const spelling = {
        before: `{"meta":{"total":${total}},${blank}"data":[`,
        after: `${blank}]}`
      }
      const [one, other] = parts.map(part => pageOf(part, total, spelling))
      const page = joinParts(one!, other!, total)
      const wanted = [...parts[0], ...parts[1]].slice(0, total)
      assert(holdsChats(page.bytes, wanted))
      assert.equal(page.count, wanted.length)
      for (const [at, text] of wanted.entries()) {
        const [start, end] = page.spans.subarray(2 * at, 2 * at + 2)
        assert.equal(page.bytes.toString('utf8', start, end), text)
        assert.equal(page.idAt(at), String(JSON.parse(text).id))
      }
      const alone = cutWindow(windowOf({ offset: 0, limit: 100 }), [storedAt(0, page)])
      assert(holdsChats(alone, wanted.slice(0, 100)))
    })
    await holds(t, property, { numRuns: 300 })
  }
)
