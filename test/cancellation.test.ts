/** A cancellation does what the platform's AbortController does, as far as the rooms ask for it. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { type CancelListener, Cancellation, eitherOf, type Signal } from '../src/cancellation.ts'
import { holds } from './support/property.ts'

const step = fc.record({
  act: fc.constantFrom('add', 'remove', 'abort'),
  listener: fc.nat({ max: 3 })
})

interface Step {
  readonly act: string
  readonly listener: number
}

interface Source {
  readonly signal: Signal
  abort(reason: string): void
}

/** What the listeners see of these steps; two of them take another one off when they are called. */
function seen(steps: readonly Step[], { abort, signal }: Source) {
  const said: string[] = []
  const listeners: CancelListener[] = [0, 1, 2, 3].map(one => {
    const called = () => {
      said.push(`${one} ${signal.aborted} ${signal.reason}`)
      if (one > 1) signal.removeEventListener('abort', listeners[one - 2]!)
    }
    return one % 2 ? called : { handleEvent: called }
  })
  for (const [at, { act, listener }] of steps.entries()) {
    if (act === 'add') signal.addEventListener('abort', listeners[listener]!)
    if (act === 'remove') signal.removeEventListener('abort', listeners[listener]!)
    if (act === 'abort') abort(`reason ${at}`)
    said.push(`${at} ${signal.aborted} ${signal.reason}`)
  }
  return said
}

t.test('it tells whom, and when, and why, as an AbortController does', async t => {
  const property = fc.property(fc.array(step, { maxLength: 12 }), steps => {
    const theirs = new AbortController()
    const ours = new Cancellation()
    const expected = seen(steps, { abort: reason => theirs.abort(reason), signal: theirs.signal })
    const found = seen(steps, { abort: reason => ours.abort(reason), signal: ours })
    assert.deepEqual(found, expected)
  })
  await holds(t, property, { numRuns: 1000 })
})

t.test('work on something that is over already does not begin', async t => {
  const cancellation = new Cancellation()
  t.doesNotThrow(() => cancellation.throwIfAborted())
  cancellation.abort(new Error('the caller has left'))
  t.throws(() => cancellation.throwIfAborted(), { message: 'the caller has left' })
})

t.test('either of two is enough, the first one counts, and one may be over already', async t => {
  for (const first of [0, 1]) {
    const both = [new Cancellation(), new AbortController()] as const
    const either = eitherOf(both[0], both[1].signal)
    t.notOk(either.aborted)
    both[first]!.abort('first')
    both[1 - first]!.abort('second')
    t.equal(either.reason, 'first')
    t.equal(eitherOf(both[0], both[1].signal).aborted, true)
  }
})
