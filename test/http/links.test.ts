// Link headers: whoever follows them sees the whole list, and never leaves it.

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

t.test('prev is missing exactly at the start, and leaves no gap before the window', async t => {
  const property = fc.property(window, total, (query, total) => {
    const prev = linksOf(query, total).get('prev')
    assert.equal(prev !== undefined, query.offset > 0)
    if (!prev) return
    assert(prev.offset < query.offset)
    assert(prev.offset + query.limit >= Math.min(query.offset, total), 'no chat lies between')
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('every link leads into the list, to the same list and limit', async t => {
  const property = fc.property(window, list, total, (query, list, total) => {
    for (const target of linksOf({ ...list, ...query }, total).values()) {
      assert.deepEqual(target, { ...list, offset: target.offset, limit: query.limit })
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

const walk = (relation: string, start: ListQuery, total: number) => {
  const seen: number[] = []
  for (let at: ListQuery | undefined = start; at; at = linksOf(at, total).get(relation)) {
    assert(seen.length <= total, 'the walk ends')
    seen.push(at.offset)
  }
  return seen
}

t.test('walking next from the start visits every chat once and ends at last', async t => {
  const property = fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(500), (limit, total) => {
    const start = { offset: 0, limit }
    const visited = walk('next', start, total).flatMap(offset =>
      Array.from({ length: Math.max(Math.min(limit, total - offset), 0) }, (_, at) => offset + at)
    )
    assert.deepEqual(
      visited,
      Array.from({ length: total }, (_, at) => at)
    )
    assert.equal(walk('next', start, total).at(-1), linksOf(start, total).get('last')?.offset)
  })
  await holds(t, property, { numRuns: 60 })
})

t.test('walking prev from anywhere reaches the start', async t => {
  const property = fc.property(fc.nat(600), fc.integer({ min: 1, max: 200 }), (offset, limit) => {
    assert.equal(walk('prev', { offset, limit }, 600).at(-1), 0)
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
