/**
 * When a process is overloaded: on a clock that is moved by hand, with a line of input that takes
 * as long as the test says.
 */

import fc from 'fast-check'
import t from 'tap'
import { Overload } from '../../src/http/overload.ts'
import type { Load } from '../../src/load.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'

const targetMs = 100
const lastingMs = 10_000

/** A process in which somebody asks all the time, and waits as long as `wait` says. */
function rig(random: () => number = Math.random) {
  const clock = new FakeClock()
  let comeUp: (() => void) | undefined
  let suspendedMs = 0
  const load: Load = {
    afterInput: run => {
      comeUp = run
    },
    busyMs: () => clock.now() - suspendedMs
  }
  const overload = new Overload({ clock, random, load })
  /** A request is asked for and read so much later; then nothing is asked for a moment. */
  const wait = (waitMs: number, pauseMs = 20) => {
    overload.admits()
    clock.stall(waitMs)
    comeUp?.()
    comeUp = undefined
    clock.stall(pauseMs)
  }
  const waitFor = (waitMs: number, totalMs: number) => {
    for (const end = clock.now() + totalMs; clock.now() < end; ) wait(waitMs)
  }
  const suspend = (ms: number) => {
    overload.admits()
    suspendedMs += ms
    wait(ms)
  }
  return { clock, overload, suspend, wait, waitFor }
}

t.test('a wait that lasts is overload, and what is beyond the share is refused', async t => {
  let next = 0
  const { overload, waitFor } = rig(() => next)
  waitFor(4 * targetMs, lastingMs)
  t.equal(overload.share, 1, 'not yet: it has risen when the first mark came up')
  waitFor(4 * targetMs, 1000)
  t.equal(overload.share, 1 / 4)
  const admitted = [0, 0.24, 0.26, 0.99].map(value => {
    next = value
    return overload.admits()
  })
  t.same(admitted, [true, true, false, false])
})

t.test('one stall, however long, and what it left behind are not overload', async t => {
  for (const stallMs of [5_000, 90_000, 3_600_000]) {
    const { overload, wait, waitFor } = rig()
    waitFor(5, 10_000)
    wait(stallMs)
    t.equal(overload.share, 1, `${stallMs} ms`)
    // The backlog of all connections there can be, at a tenth of a millisecond each.
    waitFor(500, 5000)
    t.equal(overload.share, 1, 'while the backlog is worked off')
    waitFor(5, 1000)
    t.equal(overload.share, 1, 'afterwards')
  }
})

t.test('stalls between which somebody is answered at once are not overload', async t => {
  const stalls = fc.array(fc.integer({ min: 0, max: 9000 }), { minLength: 5, maxLength: 60 })
  await holds(
    t,
    fc.property(stalls, waits => {
      const { overload, wait } = rig()
      for (const waitMs of waits) {
        wait(waitMs)
        if (overload.share < 1) return false
        wait(targetMs)
      }
      return true
    })
  )
})

t.test('a few stalls in a row that nobody asked between are not overload', async t => {
  const { overload, wait } = rig()
  for (let stall = 0; stall < 20; stall++) {
    wait(60_000, 1000)
    t.equal(overload.share, 1)
  }
  for (let stall = 0; stall < 4; stall++) wait(20_000)
  t.equal(overload.share, 1, 'nor are four that nothing lies between')
})

t.test(
  'a process that is suspended, or given little of a processor, is not overloaded',
  async t => {
    const { clock, overload, suspend } = rig()
    for (const end = clock.now() + 600_000; clock.now() < end; ) suspend(2000)
    t.equal(overload.share, 1)
  }
)

t.test('it ends with the first request that does not wait', async t => {
  const { overload, wait, waitFor } = rig(() => 0.999)
  waitFor(1000, 20_000)
  t.equal(overload.share, 0.1)
  t.notOk(overload.admits())
  wait(targetMs)
  t.equal(overload.share, 1)
  t.ok(overload.admits())
})

t.test('what returns at once after a short calm has not to last again', async t => {
  const { overload, wait, waitFor } = rig()
  waitFor(200, 12_000)
  waitFor(5, 300)
  wait(200)
  t.equal(overload.share, 0.5)
  waitFor(5, 600)
  wait(200)
  t.equal(overload.share, 1, 'after a longer one it has')
})

t.test('who is refused is told a time that is spread, the more the deeper it is', async t => {
  const timesAt = (waitMs: number) => {
    const { overload, waitFor } = rig()
    waitFor(waitMs, 12_000 + 10 * waitMs)
    return Array.from({ length: 2000 }, () => overload.retryAfterSeconds())
  }
  for (const [waitMs, latest] of [
    [2 * targetMs, 5],
    [5 * targetMs, 11],
    [1000 * targetMs, 31]
  ] as const) {
    const times = timesAt(waitMs)
    t.ok(times.every(Number.isInteger))
    t.same([Math.min(...times), Math.max(...times)], [1, latest], `${waitMs} ms`)
    t.equal(new Set(times).size, latest)
  }
})

t.test('a process that can answer half of what is asked answers that half', async t => {
  // Callers who ask again at once: what waits is always the same number of them.
  const callers = 4000
  const [hitMs, refusalMs] = [0.1, 0.02]
  let seed = 1
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const { clock, overload, wait } = rig(random)
  const turns: number[] = []
  while (clock.now() < 1_000_000 + 60_000) {
    const admitted = Array.from({ length: callers }, () => random() < overload.share)
    const served = admitted.filter(Boolean).length
    const turnMs = served * hitMs + (callers - served) * refusalMs
    turns.push(turnMs)
    wait(turnMs, 0)
  }
  const settled = turns.slice(-50)
  t.equal(turns[0], callers * hitMs)
  t.ok(Math.max(...settled) < 0.75 * callers * hitMs, 'who is answered waits less')
  t.ok(Math.max(...settled) < 1.3 * Math.min(...settled), 'and it does not swing')
})
