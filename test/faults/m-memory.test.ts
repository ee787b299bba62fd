/**
 * Group M, as far as it takes a real process (M1, M2): many times more pages than there is room
 * for, of which each is asked for once. What is kept stays within its bound, and what was forgotten
 * goes back, so that the process grows no further.
 */

import t from 'tap'
import { emptyList } from '../support/raw-upstream.ts'
import { type ServiceProcess, startService } from './service-process.ts'

const maxMb = 8

/** Distinct pages, a few at a time. */
async function ask(service: ServiceProcess, from: number, count: number): Promise<number[]> {
  const statuses: number[] = []
  for (let page = from; page < from + count; page += 10) {
    const asked = Array.from({ length: 10 }, (_, index) =>
      service.get(`/chats?limit=1&offset=${100 * (page + index)}`)
    )
    statuses.push(...(await Promise.all(asked)).map(({ status }) => status))
  }
  return statuses
}

t.test('M1 (P1): many times more pages than there is room for', async t => {
  const service = await startService(t, { env: { CACHE_MAX_MB: String(maxMb) } })
  const chat = JSON.stringify({ id: 1, lastMessageText: 'x'.repeat(500) })
  const body = `{"data":[${Array(100).fill(chat)}],"meta":{"total":9000000}}`
  service.simulator.faultAll({ kind: 'body', body })
  const statuses = await ask(service, 0, 300)
  const before = await service.peak()
  const { cache: first } = await service.status()
  statuses.push(...(await ask(service, 300, 300)))
  const peak = await service.peak()
  const { cache } = await service.status()
  t.same(new Set(statuses), new Set([200]))
  for (const { bytes } of [first, cache]) t.ok(bytes <= maxMb * 1e6 * 1.05, `${bytes} bytes`)
  t.ok(cache.entries <= first.entries * 1.1, `${first.entries}, then ${cache.entries} entries`)
  t.ok(peak - before < 30, `${before} MB became ${peak} MB`)
})

t.test('M2 (P1): pages of 5 MB each', async t => {
  const service = await startService(t, {
    env: { CACHE_MAX_MB: String(maxMb), CACHE_FRESH_SECONDS: '86400' }
  })
  const text = 'x'.repeat(5 * 1024 * 1024)
  const body = `{"data":[{"id":1,"lastMessageText":"${text}"}],"meta":{"total":1}}`
  const lists = ['', '?order=asc', '?order=desc', '?sort=chats.closedAt']
  for (const list of lists) {
    service.simulator.fault({ kind: 'body', body }, { kind: 'body', body: emptyList })
    const first = await service.get(`/chats${list}`)
    t.same([first.status, first.body.length], [200, body.length], 'it is served')
    t.equal((await service.get(`/chats${list}`)).body, emptyList, 'but not kept')
  }
  t.equal(service.calls(), 2 * lists.length)
  const { cache } = await service.status()
  t.ok(cache.bytes < 1e6, `${cache.bytes} bytes`)
})
