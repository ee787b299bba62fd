/** Retry-After: seconds or a date, clamped; junk says nothing. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { parseRetryAfter } from '../../src/upstream/retry-after.ts'
import { holds } from '../support/property.ts'

const longestMs = 5 * 60_000
const now = Date.parse('2026-11-22T10:00:00Z')

const spellings: [string, number][] = [
  ['7', 7000],
  [' 7 ', 7000],
  ['0', 0],
  ['007', 7000],
  ['99999999999', longestMs],
  ['99999999999999999999', longestMs],
  ['Sun, 22 Nov 2026 10:00:30 GMT', 30_000],
  ['Sunday, 22-Nov-26 10:00:30 GMT', 30_000],
  ['Sun Nov 22 10:00:30 2026', 30_000],
  ['Sun, 22 Nov 2026 09:00:00 GMT', 0],
  ['Fri, 22 Nov 2126 10:00:00 GMT', longestMs]
]

for (const [value, expected] of spellings) {
  t.test(`"${value}" is ${expected} ms`, async t => {
    t.equal(parseRetryAfter(value, now), expected)
  })
}

const junk = [
  undefined,
  '',
  ' ',
  '-5',
  '+5',
  '1.5',
  '1e3',
  '0x10',
  '7s',
  'soon',
  'Soon, 5',
  'Later 99999',
  '５',
  '1'.repeat(21),
  '2026-11-22T10:00:30Z',
  'Sun, 22 Foo 2026 10:00:30 GMT',
  'Sun, 99 Nov 2026 99:99:99 GMT',
  'Sun, 22 Nov 2026 10:00:30 +0100'
]

for (const value of junk) {
  t.test(`${JSON.stringify(value)} says nothing`, async t => {
    t.equal(parseRetryAfter(value, now), undefined)
  })
}

t.test('an RFC 850 or asctime date is universal time wherever the machine is', async t => {
  const zone = process.env.TZ
  process.env.TZ = 'Pacific/Apia'
  t.teardown(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })
  t.equal(parseRetryAfter('Sun Nov 22 10:00:30 2026', now), 30_000)
  t.equal(parseRetryAfter('Sunday, 22-Nov-26 10:00:30 GMT', now), 30_000)
})

t.test('whatever it says, it is nothing or between now and five minutes from now', async t => {
  const value = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.date({ noInvalidDate: true }).map(date => date.toUTCString())
  )
  const wall = fc.integer({ min: -1e13, max: 1e13 })
  const property = fc.property(value, wall, (text, wallNow) => {
    const delayMs = parseRetryAfter(text, wallNow)
    assert(delayMs === undefined || (delayMs >= 0 && delayMs <= longestMs))
  })
  await holds(t, property, { numRuns: 500 })
})

t.test('any date of today is understood to the second', async t => {
  const property = fc.property(fc.nat(longestMs / 1000), seconds => {
    const date = new Date(now + seconds * 1000).toUTCString()
    assert.equal(parseRetryAfter(date, now), seconds * 1000)
  })
  await holds(t, property)
})
