/** What the chronicle of troubles tells of spans of time. */

import t from 'tap'
import { Chronicle } from '../../soak/chronicle.ts'

const sleepy = { name: 'SIGSTOP', detail: '', instance: 'one', effects: [], suspends: true }

t.test('who slept in a span slept as long as it did, also before the span', async t => {
  const chronicle = new Chronicle()
  chronicle.begin({ ...sleepy, from: 1000 })(4000)
  t.equal(chronicle.suspendedMs(3500, 9000), 3000)
  t.equal(chronicle.suspendedMs(4500, 9000), 0)
  t.equal(chronicle.suspendedMs(0, 2000), 1000)
})

t.test('other troubles let nobody sleep', async t => {
  const chronicle = new Chronicle()
  chronicle.begin({ ...sleepy, suspends: false, from: 1000 })(4000)
  t.equal(chronicle.suspendedMs(0, 9000), 0)
})

t.test('an instance is away while it is killed or asleep, and no other is', async t => {
  const chronicle = new Chronicle()
  const wake = chronicle.begin({ ...sleepy, from: 1000 })
  t.equal(chronicle.awayMs('one', 0, 3000), 2000)
  wake(1500)
  t.equal(chronicle.awayMs('one', 0, 3000), 500)
  t.equal(chronicle.awayMs('two', 0, 3000), 0)
})

t.test('what is known of the upstream lasts while nobody may ask it, and no longer', async t => {
  const failing = { name: 'upstream: failing', detail: '', effects: ['upstream_error'] } as const
  const emptied = { name: 'store: emptied', detail: '', effects: ['budget_exhausted'] } as const
  const chronicle = new Chronicle()
  const asked = (at: number, effect: 'upstream_error' | 'budget_exhausted') =>
    chronicle.explains({ effect, instance: 'one', startedAt: at, endedAt: at })?.name
  chronicle.begin({ ...failing, from: 0, instance: undefined })(3000)
  t.equal(asked(10_000, 'upstream_error'), 'upstream: failing')
  t.equal(asked(13_000, 'upstream_error'), undefined)
  chronicle.begin({ ...emptied, from: 4000, lastsMs: 20_000, instance: undefined })(5000)
  t.equal(asked(25_000, 'upstream_error'), 'upstream: failing')
  t.equal(asked(26_000, 'upstream_error'), undefined)
  t.equal(asked(26_000, 'budget_exhausted'), 'store: emptied')
})
