/** The watch over the process's memory: when it asks V8 to save, and when it lets go again. */

import t from 'tap'
import { watchMemory } from '../../src/observe/memory.ts'
import { FakeClock } from '../support/fake-clock.ts'

const watch = (rss: () => number) => {
  const clock = new FakeClock()
  const asked: boolean[] = []
  const preferMemory = (preferred: boolean) => void asked.push(preferred)
  return {
    clock,
    asked,
    timer: watchMemory({ clock, promisedBytes: 1000, rss, preferMemory })
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
    await clock.advance(500)
    t.same(asked, wanted, `at ${now}`)
  }
})

t.test('a process that starts near its promise prefers memory at once', async t => {
  t.same(watch(() => 900).asked, [true])
})

t.test('after it is cancelled nothing is watched', async t => {
  const { clock, timer } = watch(() => 0)
  timer.cancel()
  t.equal(clock.pending, 0)
})

t.test('V8 takes the flags', async t => {
  const clock = new FakeClock()
  let used = 900
  watchMemory({ clock, promisedBytes: 1000, rss: () => used })
  used = 0
  await clock.advance(500)
  t.equal(clock.pending, 1)
})
