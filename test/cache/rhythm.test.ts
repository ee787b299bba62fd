/** How often a page is worth a call, learnt from how much of it had changed. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { newsOf, Rhythm } from '../../src/cache/rhythm.ts'
import { chatTexts, pageOf } from '../support/pages.ts'
import { holds } from '../support/property.ts'

const lifetimes = { freshMs: 30_000, staleWhileRevalidateMs: 60_000, staleIfErrorMs: 0 }

t.test(
  'a page with as much news as pages have on the whole is worth one call a lifetime',
  async t => {
    const rhythm = new Rhythm(lifetimes)
    for (let look = 0; look < 10; look++) t.equal(rhythm.nextPeriodMs(7, 30_000), 30_000)
  }
)

t.test('a page with four times the news is worth two calls in that time', async t => {
  const rhythm = new Rhythm(lifetimes)
  for (let look = 0; look < 500; look++) rhythm.nextPeriodMs(1, 30_000)
  const periodMs = rhythm.nextPeriodMs(4, 30_000)
  t.ok(Math.abs(periodMs - 15_000) < 600, String(periodMs))
})

t.test('news that came in half the time are twice as many', async t => {
  const [one, other] = [new Rhythm(lifetimes), new Rhythm(lifetimes)]
  for (const rhythm of [one, other]) rhythm.nextPeriodMs(5, 30_000)
  t.equal(one.nextPeriodMs(4, 15_000), other.nextPeriodMs(8, 30_000))
})

t.test('a page without news is worth a call before its reader would have to wait', async t => {
  t.equal(new Rhythm(lifetimes).nextPeriodMs(0, 30_000), 54_000)
  const short = { ...lifetimes, staleWhileRevalidateMs: 4000 }
  t.equal(new Rhythm(short).nextPeriodMs(0, 30_000), 33_000)
})

t.test('whatever is seen, the period is a number within its bounds', async t => {
  const ms = fc.nat(200_000)
  const all = fc.record({ freshMs: ms, staleWhileRevalidateMs: ms, staleIfErrorMs: ms })
  const looks = fc.array(fc.tuple(fc.nat(100), ms))
  const property = fc.property(all, looks, (lifetimes, seen) => {
    const { freshMs, staleWhileRevalidateMs } = lifetimes
    const rhythm = new Rhythm(lifetimes)
    for (const [news, elapsedMs] of seen) {
      const periodMs = rhythm.nextPeriodMs(news, elapsedMs)
      assert(periodMs > freshMs / 3 - 1 && periodMs <= 2 * freshMs, `${periodMs} of ${freshMs}`)
      assert(periodMs <= freshMs + staleWhileRevalidateMs)
    }
  })
  await holds(t, property)
})

t.test('news are the items that were not there before in these words', async t => {
  const texts = chatTexts(5)
  const page = (items: readonly string[], total = 5) => pageOf(items, total)
  t.equal(newsOf(page(texts), page(texts)), 0)
  t.equal(newsOf(page(texts), page(texts, 6)), 0, 'the envelope is none')
  t.equal(newsOf(page(texts), page(texts.toReversed())), 0, 'nor is the order')
  t.equal(newsOf(page(texts), page([...chatTexts(2, 9), ...texts.slice(0, 3)])), 2)
  t.equal(newsOf(page([]), page(texts)), 5)
  t.equal(newsOf(page(texts), page([])), 0)
})
