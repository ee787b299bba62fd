/** The watch over the process's memory: when it asks V8 to save, and when it lets go again. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { saveWhileLoading, watchMemory } from '../../src/observe/memory.ts'
import { FakeClock } from '../support/fake-clock.ts'

const watch = (rss: () => number) => {
  const clock = new FakeClock()
  const asked: boolean[] = []
  const collectedAt: number[] = []
  const preferMemory = (preferred: boolean) => void asked.push(preferred)
  const collect = () => void collectedAt.push(clock.now())
  return {
    clock,
    asked,
    collectedAt,
    timer: watchMemory({ clock, promisedBytes: 1000, rss, preferMemory, collect })
  }
}

t.test('memory is preferred near the promise, until there is room again', async t => {
  let used = 700
  const { asked, clock } = watch(() => used)
  for (const [now, wanted] of [
    [799, []],
    [801, [true]],
    [700, [true]],
    [651, [true]],
    [649, [true, false]],
    [799, [true, false]],
    [950, [true, false, true]]
  ] as const) {
    used = now
    await clock.advance(100)
    t.same(asked, wanted, `at ${now}`)
  }
})

t.test('a process that starts near its promise prefers memory at once', async t => {
  t.same(watch(() => 900).asked, [true])
})

t.test('it is collected on coming near, and on coming where there is no room', async t => {
  let used = 700
  const { clock, collectedAt } = watch(() => used)
  for (const [now, forMs, times] of [
    [801, 3000, 1],
    [950, 3000, 1],
    [951, 100, 2],
    [940, 100, 2],
    // At most once a second, and in vain at most once a minute.
    [951, 700, 2],
    [951, 200, 3],
    [951, 59_900, 3],
    [951, 100, 4],
    [649, 3000, 4],
    [801, 3000, 5]
  ] as const) {
    used = now
    await clock.advance(forMs)
    t.equal(collectedAt.length, times, `at ${now} for ${forMs} ms`)
  }
})

t.test('after it is cancelled nothing is watched', async t => {
  const { clock, timer } = watch(() => 0)
  timer.cancel()
  t.equal(clock.pending, 0)
})

t.test('coming near the promise collects what is not needed any more, at once', async t => {
  const clock = new FakeClock()
  const unneeded = new WeakRef({ nobody: 'keeps this' })
  let used = 0
  watchMemory({ clock, promisedBytes: 1000, rss: () => used })
  used = 900
  await clock.advance(500)
  t.equal(unneeded.deref(), undefined)
  t.equal(clock.pending, 1)
})

t.test(
  'what is turned off while the code is loaded is turned on again, and nothing else',
  async t => {
    const told: string[] = []
    const names = () => told.map(flag => flag.replace(/^--(no-)?/, '').replace(/=.*/, ''))
    const loaded = saveWhileLoading(flag => void told.push(flag))
    const before = names()
    told.length = 0
    loaded()
    t.same(names(), before)
    t.notOk(told.some(flag => flag.startsWith('--no-')))
  }
)

/** Prints the young generation's size after work that lets it grow, while the code is loaded and then. */
const work = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { saveWhileLoading } from ${JSON.stringify(new URL('../../src/observe/memory.ts', import.meta.url).href)}
  const young = () => getHeapSpaceStatistics().find(space => space.space_name === 'new_space').space_size
  const survive = () => {
    const kept = []
    for (let at = 0; at < 400_000; at++) kept.push({ at })
    return kept.length
  }
  const loaded = saveWhileLoading()
  survive()
  const before = young()
  loaded()
  survive()
  console.log(JSON.stringify([before, young()]))`

t.test(
  'the young generation grows only when the code is loaded, by flags that V8 knows',
  async t => {
    const flags = ['--input-type=module', '--eval', work]
    const { stderr, stdout } = await promisify(execFile)(process.execPath, flags)
    t.equal(stderr, '')
    const [before, then] = JSON.parse(stdout)
    t.ok(before * 2 <= then, `${before} bytes, then ${then}`)
  }
)
