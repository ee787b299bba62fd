/**
 * A request's Cache-Control (RFC 9111 section 5.2), as data, and junk.
 */

import fc from 'fast-check'
import t from 'tap'
import { conditionsOf } from '../../src/http/request-directives.ts'

const rows: [field: string, conditions: object | undefined][] = [
  ['no-cache', { noCache: true }],
  ['No-Cache , max-age=5', { noCache: true, maxAgeMs: 5000 }],
  ['max-age="7"', { maxAgeMs: 7000 }],
  ['max-age=0', { maxAgeMs: 0 }],
  ['min-fresh=10', { minFreshMs: 10_000 }],
  ['max-stale', { maxStaleMs: Infinity }],
  ['max-stale=60', { maxStaleMs: 60_000 }],
  ['only-if-cached', { onlyIfCached: true }],
  ['max-age=5, max-age=9', { maxAgeMs: 5000 }],
  ['max-stale=99999999999999999999', { maxStaleMs: 2 ** 31 * 1000 }],
  ['max-age=-1', undefined],
  ['max-age=1e3', undefined],
  ['max-age', undefined],
  ['no-store, foo=bar', undefined],
  ['', undefined]
]

t.test('each directive becomes its condition, and anything else nothing', async t => {
  for (const [field, conditions] of rows) t.strictSame(conditionsOf(field), conditions, field)
})

t.test('junk never throws', async t => {
  fc.assert(fc.property(fc.string({ maxLength: 3000 }), field => void conditionsOf(field)))
  t.equal(conditionsOf(undefined), undefined)
})
