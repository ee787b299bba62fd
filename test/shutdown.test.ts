/** The order and the times of the end, whatever callers do, on a clock that is moved by hand. */

import fc from 'fast-check'
import t from 'tap'
import { shutDown } from '../src/shutdown.ts'
import { FakeClock } from './support/fake-clock.ts'
import { holds } from './support/property.ts'

interface Ending {
  readonly graceMs: number
  readonly delayMs: number
  /** When the last caller leaves by itself; Infinity: only when cut off. */
  readonly emptyAtMs: number
}

/** What was done and when, counted from the signal. */
async function end({ delayMs, emptyAtMs, graceMs }: Ending) {
  const clock = new FakeClock(0)
  const done: [what: string, at: number][] = []
  const note = (what: string) => void done.push([what, clock.now()])
  const empty = Promise.withResolvers<void>()
  const service = {
    unready: (goneInMs: number) => note(`unready for ${goneInMs}`),
    drain: () => note('drain'),
    stopAccepting: () => {
      note('stop accepting')
      if (emptyAtMs < Infinity) clock.after(emptyAtMs - clock.now(), empty.resolve)
      return empty.promise
    },
    abandon: () => note('abandon'),
    cut: () => {
      note('cut')
      empty.resolve()
    },
    close: async () => note('close')
  }
  const ended = shutDown(service, clock, { delayMs, graceMs })
  await clock.advance(graceMs)
  await ended
  return { clock, done }
}

t.test('who leaves by themselves are neither refused nor cut off', async t => {
  const { clock, done } = await end({ graceMs: 10_000, delayMs: 2_000, emptyAtMs: 5_000 })
  t.same(done, [
    ['unready for 10000', 0],
    ['drain', 2_000],
    ['stop accepting', 2_000],
    ['close', 5_000]
  ])
  t.equal(clock.pending, 0)
})

t.test('who does not is refused first, then cut off, and it ends within the grace', async t => {
  const property = fc.asyncProperty(
    fc.record({
      graceMs: fc.integer({ min: 100, max: 100_000 }),
      delayMs: fc.nat(200_000),
      emptyAtMs: fc.constantFrom(Infinity)
    }),
    async ending => {
      const { done } = await end(ending)
      const order = done.map(([what]) => what.replace(/ for.*/, ''))
      const wanted = ['unready', 'drain', 'stop accepting', 'abandon', 'cut', 'close']
      const at = (what: string) => done.find(([one]) => one === what)?.[1] ?? Infinity
      return (
        order.join() === wanted.join() &&
        at('cut') > at('abandon') &&
        at('abandon') > at('stop accepting') &&
        at('close') < ending.graceMs
      )
    }
  )
  await holds(t, property)
})
