/** One timer for many deadlines: each of them passes once, in its turn and not before its time. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { Deadlines } from '../../src/schedule/deadlines.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'

const plan = fc.array(
  fc.record({
    gapMs: fc.nat(30),
    waitMs: fc.integer({ min: 1, max: 100 }),
    /** After how long it is taken off, if it has not passed by then. */
    leavesAfterMs: fc.option(fc.integer({ min: 1, max: 100 }), { nil: Infinity })
  }),
  { maxLength: 30 }
)

interface Caller {
  readonly due: number
  readonly leavesAt: number
}

t.test('those who stay until their deadline are told of it then, by one timer', async t => {
  const property = fc.asyncProperty(plan, async callers => {
    const clock = new FakeClock(0)
    const passed: number[] = []
    const expected: number[] = []
    const deadlines = new Deadlines<Caller>(clock, ({ due }) => {
      assert.equal(clock.now(), due)
      passed.push(due)
    })
    const leavers: Caller[] = []
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left--) {
        await clock.advance(1)
        for (const caller of leavers) if (caller.leavesAt <= clock.now()) deadlines.remove(caller)
      }
    }
    for (const { gapMs, leavesAfterMs, waitMs } of callers) {
      await pass(gapMs)
      const due = clock.now() + waitMs
      if (leavesAfterMs >= waitMs) expected.push(due)
      const caller = { due, leavesAt: clock.now() + leavesAfterMs }
      leavers.push(caller)
      deadlines.add(caller, due)
      assert(clock.pending <= 1, 'one timer')
    }
    await pass(200)
    assert.deepEqual(
      passed,
      expected.toSorted((a, b) => a - b)
    )
    assert.equal(clock.pending, 0)
  })
  await holds(t, property)
})
