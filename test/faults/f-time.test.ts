/**
 * Group F, as far as it takes a real process (F4): one that stands still, as under a long garbage
 * collection or SIGSTOP, while answers arrive. What was answered in time is no time-out, however
 * late it is read; the rest of the group is in virtual time and in test/wall-clock-process.test.ts.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../support/children.ts'
import { startService } from './service-process.ts'

const timeoutMs = 2_000

t.test('F4 (P1): answers that wait to be read when a stall ends are read', async t => {
  const service = await startService(t, {
    upstream: { chats: 2_000, latencyMs: 300 },
    env: { UPSTREAM_TIMEOUT_SECONDS: String(timeoutMs / 1000) }
  })
  const offsets = [0, 100, 200, 300, 400]
  const answers = offsets.map(offset => service.get(`/chats?limit=3&offset=${offset}`))
  await until(() => service.calls() === offsets.length)
  process.kill(service.pid, 'SIGSTOP')
  // Longer than a call may take; meanwhile all of them are answered.
  await sleep(1.5 * timeoutMs)
  process.kill(service.pid, 'SIGCONT')
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  t.same(statuses, [200, 200, 200, 200, 200])
  const { upstream } = await service.status()
  t.same([upstream.calls, upstream.byStatus], [5, { 200: 5 }])
})
