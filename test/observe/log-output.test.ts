/** Whoever reads the log may be slow, gone or full: lines are lost, and nothing else happens. */

import fc from 'fast-check'
import t from 'tap'
import { LogOutput } from '../../src/observe/log-output.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { holds } from '../support/property.ts'

type Done = (error?: Error | null) => void

/** A reader that takes what it was handed when the test says so. */
function rig(mostWaiting = 1000) {
  const clock = new FakeClock()
  const handed: string[] = []
  const dropped: number[] = []
  let take: Done = () => t.fail('nothing is being written')
  const output = {
    write: (bytes: Uint8Array, done: Done) => {
      handed.push(Buffer.from(bytes).toString())
      take = done
    }
  }
  const onDropped = (count: number) => void dropped.push(count)
  const log = new LogOutput({ output, clock, mostWaiting, onDropped })
  return { clock, handed, dropped, log, take: (error?: Error) => take(error) }
}

t.test('lines are handed over together, some milliseconds later, in order', async t => {
  const { clock, handed, log } = rig()
  log.write('one\n')
  log.write('two\n')
  t.same(handed, [], 'nobody waits for the reader')
  await clock.advance(10)
  t.same(handed, ['one\ntwo\n'])
  t.equal(clock.pending, 0)
})

t.test('a reader that is behind is handed nothing more until it has taken that', async t => {
  const { clock, handed, log, take } = rig()
  log.write('one\n')
  await clock.advance(10)
  for (const line of ['two\n', 'three\n']) log.write(line)
  await clock.advance(1000)
  t.same(handed, ['one\n'])
  take()
  t.same(handed, ['one\n', 'two\nthree\n'])
})

t.test('what a reader does not take is kept up to a bound, then dropped and counted', async t => {
  const { clock, handed, dropped, log, take } = rig(10)
  log.write('first\n')
  await clock.advance(10)
  for (let index = 0; index < 100; index++) log.write(`${index % 10}\n`)
  t.same(dropped, [])
  take()
  t.same(dropped, [95])
  t.same(handed, ['first\n', '0\n1\n2\n3\n4\n'])
  take()
  t.same(dropped, [95], 'told once')
})

t.test('what could not be written is counted, and the next lines are tried again', async t => {
  const { clock, handed, dropped, log, take } = rig()
  log.write('lost\n')
  log.write('lost too\n')
  await clock.advance(10)
  take(new Error('no space left'))
  t.same(dropped, [], 'not told to a disk that is full')
  log.write('kept\n')
  await clock.advance(10)
  take()
  t.same(handed, ['lost\nlost too\n', 'kept\n'])
  t.same(dropped, [2])
})

t.test('flushing waits for the reader, but not for ever', async t => {
  const { clock, handed, log, take } = rig()
  await log.flushed(100)
  log.write('last\n')
  let isFlushed = false
  const flushed = log.flushed(100).then(() => {
    isFlushed = true
  })
  t.same(handed, ['last\n'], 'at once')
  await clock.advance(99)
  t.notOk(isFlushed)
  take()
  await flushed
  t.equal(clock.pending, 0)
  log.write('one more\n')
  const given = log.flushed(100)
  await clock.advance(100)
  await t.resolves(given, 'the reader never took it')
})

t.test('whatever is written, at whatever pace it is taken, comes out as it was', async t => {
  const line = fc.string({ unit: 'binary', maxLength: 300 }).map(text => `${text.toWellFormed()}\n`)
  const step = fc.oneof(line, fc.constantFrom('pass' as const, 'take' as const))
  const property = fc.asyncProperty(fc.array(step, { size: 'large' }), async steps => {
    const clock = new FakeClock()
    const waiting: { bytes: Uint8Array; done: Done }[] = []
    const output = { write: (bytes: Uint8Array, done: Done) => waiting.push({ bytes, done }) }
    const log = new LogOutput({ output, clock, onDropped: () => {} })
    let taken = ''
    const take = () => {
      const next = waiting.shift()
      // Only now: until it says that it has them, the bytes are the reader's.
      taken += Buffer.from(next?.bytes ?? []).toString()
      next?.done()
    }
    for (const one of steps) {
      if (one === 'pass') await clock.advance(10)
      else if (one === 'take') take()
      else log.write(one)
    }
    log.flush()
    while (waiting.length > 0) take()
    return taken === steps.filter(one => one !== 'pass' && one !== 'take').join('')
  })
  await holds(t, property)
})
