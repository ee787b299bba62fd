/** Cache-Status in the words of RFC 9211, and how the parts of a joined answer add up. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  type CacheStatus,
  cacheOutcome,
  combineCacheStatus,
  formatCacheStatus
} from '../src/cache-status.ts'
import { holds } from './support/property.ts'

const forward = (about: object = {}): CacheStatus => ({
  kind: 'forward',
  reason: 'uri-miss',
  status: 200,
  stored: true,
  collapsed: false,
  ...about
})

const headers: [CacheStatus, string, string][] = [
  [{ kind: 'hit', ttlMs: 12_000 }, 'hit; ttl=12', 'hit'],
  [{ kind: 'hit', ttlMs: 12_999 }, 'hit; ttl=12', 'hit'],
  [{ kind: 'hit', ttlMs: 1 }, 'hit; ttl=0', 'hit'],
  [{ kind: 'hit', ttlMs: -1 }, 'hit; ttl=-1', 'stale'],
  [{ kind: 'hit', ttlMs: -39_500 }, 'hit; ttl=-40', 'stale'],
  [forward(), 'fwd=uri-miss; fwd-status=200; stored', 'miss'],
  [forward({ stored: false }), 'fwd=uri-miss; fwd-status=200', 'miss'],
  [forward({ reason: 'stale' }), 'fwd=stale; fwd-status=200; stored', 'miss'],
  [forward({ collapsed: true }), 'fwd=uri-miss; fwd-status=200; stored; collapsed', 'collapsed'],
  [
    forward({ stored: false, detail: 'no-budget' }),
    'fwd=uri-miss; fwd-status=200; detail=no-budget',
    'miss'
  ]
]

for (const [status, header, outcome] of headers) {
  t.test(`"${header}" is a ${outcome}`, async t => {
    t.equal(formatCacheStatus(status), `helpcrunch-proxy; ${header}`)
    t.equal(cacheOutcome(status), outcome)
  })
}

const hit = fc
  .integer({ min: -1e8, max: 1e8 })
  .map((ttlMs): CacheStatus => ({ kind: 'hit', ttlMs }))
const anyForward = fc
  .record({
    reason: fc.constantFrom('uri-miss', 'stale'),
    stored: fc.boolean(),
    collapsed: fc.boolean()
  })
  .map(forward)

t.test(
  'an answer of stored parts is a hit that lives as long as its first part to end',
  async t => {
    const property = fc.property(fc.array(hit, { minLength: 1 }), parts => {
      const ttls = parts.map(part => (part.kind === 'hit' ? part.ttlMs : Number.NaN))
      assert.deepEqual(combineCacheStatus(parts), { kind: 'hit', ttlMs: Math.min(...ttls) })
    })
    await holds(t, property)
  }
)

t.test('what a stale part stands in for is said, also if another part is staler', async t => {
  const excused = { kind: 'hit', ttlMs: -10, detail: 'upstream_timeout' } as const
  const stale = { kind: 'hit', ttlMs: -20 } as const
  const shared = { kind: 'hit', ttlMs: 5, detail: 'shared' } as const
  const both = { kind: 'hit', ttlMs: -20, detail: 'upstream_timeout' }
  t.strictSame(combineCacheStatus([stale, excused]), both)
  t.strictSame(combineCacheStatus([excused, stale, shared]), both)
  t.strictSame(combineCacheStatus([shared, { kind: 'hit', ttlMs: 2 }]), { kind: 'hit', ttlMs: 2 })
  const other = { ...stale, detail: 'upstream_error' }
  t.strictSame(combineCacheStatus([excused, other]), other)
})

t.test('an answer with any fetched part is a forward', async t => {
  const property = fc.property(fc.array(hit), anyForward, fc.array(hit), (a, part, b) => {
    assert.deepEqual(combineCacheStatus([...a, part, ...b]), part)
  })
  await holds(t, property)
})

t.test('any status is one line of parameters, the cache first', async t => {
  const property = fc.property(fc.oneof(hit, anyForward), status => {
    assert.match(formatCacheStatus(status), /^helpcrunch-proxy(; [a-z-]+(=-?[a-z0-9-]+)?)+$/)
  })
  await holds(t, property)
})
