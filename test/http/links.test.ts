/** Link headers: whoever follows them sees the whole list, and never leaves it. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type ListQuery, orders, parseListQuery, sorts } from '../../src/chats/query.ts'
import { listLinks } from '../../src/http/links.ts'
import { holds } from '../support/property.ts'

const maxLimit = 1000

type Links = Map<string, ListQuery>

/** The links by relation, each read as the query it asks for. */
const linksOf = (query: ListQuery, total: number, path = '/chats'): Links =>
  new Map(
    listLinks(path, query, total)
      .split(', ')
      .map(link => {
        const [, target = '', relation = ''] = /^<([^>]*)>; rel="([a-z]+)"$/.exec(link) ?? []
        assert(target.startsWith(`${path}?`))
        return [relation, parseListQuery(target.slice(path.length + 1), maxLimit)]
      })
  )

const window = fc.record({ offset: fc.nat(2000), limit: fc.integer({ min: 1, max: maxLimit }) })
const list = fc.record(
  { sort: fc.constantFrom(...sorts), order: fc.constantFrom(...orders) },
  { requiredKeys: [], noNullPrototype: true }
)
const total = fc.nat(1500)

t.test('next is missing exactly where there is nothing more', async t => {
  const property = fc.property(window, total, (query, total) => {
    const next = linksOf(query, total).get('next')
    assert.equal(next !== undefined, query.offset + query.limit < total)
    if (next) assert.equal(next.offset, query.offset + query.limit)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('prev is missing exactly at the start, and ends where the window begins', async t => {
  const property = fc.property(window, total, (query, total) => {
    const prev = linksOf(query, total).get('prev')
    assert.equal(prev !== undefined, query.offset > 0)
    if (!prev) return
    assert.equal(Math.min(prev.offset + prev.limit, total), Math.min(query.offset, total))
    assert(prev.limit <= query.limit)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('every link leads into the list, to the same list and limit', async t => {
  const property = fc.property(window, list, total, (query, list, total) => {
    for (const [relation, target] of linksOf({ ...list, ...query }, total)) {
      const limit = relation === 'prev' ? Math.min(query.limit, query.offset) : query.limit
      assert.deepEqual(target, { ...list, offset: target.offset, limit })
      assert(target.offset === 0 || target.offset < total)
    }
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('first is the start, and last holds the last chat', async t => {
  const property = fc.property(window, total, (query, total) => {
    const links = linksOf(query, total)
    const last = links.get('last')!.offset
    assert.equal(links.get('first')?.offset, 0)
    assert(last + query.limit >= total)
    assert(total === 0 || last < total)
    if (query.offset < total) assert.equal((last - query.offset) % query.limit, 0)
  })
  await holds(t, property, { numRuns: 300 })
})

/** The windows from `start` on, each as the places of the list that it shows. */
const walk = (relation: string, start: ListQuery, total: number) => {
  const seen: ListQuery[] = []
  for (let at: ListQuery | undefined = start; at; at = linksOf(at, total).get(relation)) {
    assert(seen.length <= total + 1, 'the walk ends')
    seen.push(at)
  }
  return seen
}

const places = ({ offset, limit }: ListQuery, total: number) =>
  Array.from({ length: Math.max(Math.min(limit, total - offset), 0) }, (_, at) => offset + at)

const small = fc.record({ offset: fc.nat(600), limit: fc.integer({ min: 1, max: 200 }) })

t.test('walking next from first shows every chat exactly once and ends at last', async t => {
  const property = fc.property(small, fc.nat(500), (query, total) => {
    const windows = walk('next', linksOf(query, total).get('first')!, total)
    const shown = windows.flatMap(window => places(window, total))
    assert.deepEqual(shown, places({ offset: 0, limit: total }, total))
    assert.equal(windows.at(-1)?.offset, linksOf(windows[0]!, total).get('last')?.offset)
  })
  await holds(t, property, { numRuns: 60 })
})

t.test('walking prev from last shows every chat exactly once and ends at the start', async t => {
  const property = fc.property(small, fc.nat(500), (query, total) => {
    const windows = walk('prev', linksOf(query, total).get('last')!, total)
    const shown = windows.reverse().flatMap(window => places(window, total))
    assert.deepEqual(shown, places({ offset: 0, limit: total }, total))
    assert.equal(windows[0]?.offset, 0)
  })
  await holds(t, property, { numRuns: 60 })
})

t.test('walking prev from anywhere shows everything before it, once', async t => {
  const property = fc.property(small, fc.nat(500), (query, total) => {
    const [, ...windows] = walk('prev', query, total)
    const shown = windows.reverse().flatMap(window => places(window, total))
    assert.deepEqual(shown, places({ offset: 0, limit: query.offset }, total))
  })
  await holds(t, property, { numRuns: 60 })
})

t.test('links keep the path of the caller and the parameters of the list', async t => {
  const query = { sort: 'chats.closedAt', order: 'desc', offset: 100, limit: 50 } as const
  t.equal(
    listLinks('/v1/chats', query, 435),
    [
      '</v1/chats?sort=chats.closedAt&order=desc&offset=0&limit=50>; rel="first"',
      '</v1/chats?sort=chats.closedAt&order=desc&offset=50&limit=50>; rel="prev"',
      '</v1/chats?sort=chats.closedAt&order=desc&offset=150&limit=50>; rel="next"',
      '</v1/chats?sort=chats.closedAt&order=desc&offset=400&limit=50>; rel="last"'
    ].join(', ')
  )
})

t.test('before a window that starts within the first one, prev is what lies before', async t => {
  const links = linksOf({ offset: 30, limit: 100 }, 435)
  t.match(links.get('prev'), { offset: 0, limit: 30 })
  t.match(links.get('first'), { offset: 0, limit: 100 })
})

t.test('an empty list has only its start', async t => {
  t.equal(
    listLinks('/chats', { offset: 0, limit: 10 }, 0),
    '</chats?offset=0&limit=10>; rel="first", </chats?offset=0&limit=10>; rel="last"'
  )
})

t.test('far beyond the end, prev leads back to the last window', async t => {
  const links = linksOf({ offset: 10_000, limit: 100 }, 435)
  t.equal(links.get('prev')?.offset, 400)
  t.equal(links.has('next'), false)
})
