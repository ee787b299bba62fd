/** How late a real store is for everybody: known while it stands still, and for a while after. */

import t from 'tap'
import { StoreProbe } from '../../soak/store-probe.ts'
import { systemClock } from '../../src/clock.ts'
import { needsRedis, startRedis, untilTrue } from '../support/redis.ts'

needsRedis(t)

t.test('a store that stands still is late for the soak as well', async t => {
  const store = await startRedis(t)
  const probe = new StoreProbe(store.url)
  t.teardown(() => probe.end())
  await untilTrue(() => probe.longestMs(0) > 0)
  store.pause()
  await untilTrue(() => probe.longestMs(0) > 500)
  store.resume()
  const resumedAt = systemClock.now()
  await untilTrue(() => probe.longestMs(resumedAt + 200) > 0)
  t.ok(probe.longestMs(resumedAt) > 500, 'what was late then is remembered')
})

t.test('one that went away and came back is asked again', async t => {
  const store = await startRedis(t)
  const probe = new StoreProbe(store.url)
  t.teardown(() => probe.end())
  await store.restart()
  const at = systemClock.now()
  await untilTrue(() => {
    const ms = probe.longestMs(at)
    return ms > 0 && ms < 250
  })
  t.pass()
})
