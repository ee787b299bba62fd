/** Memory and open files: growth is seen through all their ups and downs, and they are no growth. */

import t from 'tap'
import { Random } from '../../simulator/random.ts'
import { type Life, levelsOf, type Sample, sampleOf, unevenness } from '../../soak/levels.ts'

const random = new Random(1)

/** A life of so many minutes, sampled once a second. */
function life(minutes: number, of: (minute: number) => Partial<Sample>): Life {
  const samples = Array.from({ length: 60 * minutes }, (_, second) => ({
    ...{ at: 1000 * second, rssMb: 100, files: 40 },
    ...of(second / 60)
  }))
  return { samples, heaps: [] }
}

const noise = () => 30 * random.next()

t.test('a level that goes up and down is level', async t => {
  const samples = life(8, () => ({ rssMb: 100 + noise(), files: 40 + random.below(20) }))
  t.strictSame(unevenness(levelsOf(samples)), [])
})

t.test('so is one that rises only while it warms up', async t => {
  const samples = life(8, minute => ({ rssMb: 60 + 40 * Math.min(minute, 2) + noise() }))
  t.strictSame(unevenness(levelsOf(samples)), [])
})

t.test('a process that grows is found, however noisy', async t => {
  const samples = life(8, minute => ({ rssMb: 100 + 2 * minute + noise() }))
  t.match(unevenness(levelsOf(samples)), [/memory grows by (1\.[5-9]|2\.[0-5])\d MB\/min/])
})

t.test('so is one that leaves files open', async t => {
  const samples = life(8, minute => ({ files: 40 + Math.floor(3 * minute) + random.below(9) }))
  t.match(unevenness(levelsOf(samples)), [/open files grow by/])
})

t.test('a short life shows no slope', async t => {
  const levels = levelsOf(life(3, minute => ({ rssMb: 100 * minute })))
  t.equal(levels.rssMbPerMinute, undefined)
  t.strictSame(unevenness(levels), [])
})

t.test('a process is measured where the system tells', async t => {
  const sample = sampleOf(process.pid, 7)
  t.ok(process.platform !== 'linux' || (sample && sample.rssMb > 10 && sample.files > 3))
  t.equal(sampleOf(2 ** 30, 7), undefined)
})
