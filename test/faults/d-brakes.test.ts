/**
 * Group D, second part (D9, D11–D13): answers after which the upstream is left in peace, each in
 * front of a process of its own. What is stored is served meanwhile; who waits is told in the
 * upstream's words; and it comes back by itself.
 */

import t, { type Test } from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { checkProblem } from '../support/answers.ts'
import { until } from '../support/children.ts'
import { samplesOf } from '../support/metrics.ts'
import { dated, limits, refused, statuses, type UpstreamFault } from '../support/upstream-faults.ts'
import { type ServiceProcess, startService } from './service-process.ts'
import { checkBooks } from './upstream-scenes.ts'

t.jobs = 4
const aside = { buffered: true }

const upstream = { chats: 2_500 }
const env = {
  CACHE_FRESH_SECONDS: '86400',
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: '0',
  QUEUE_MAX_WAIT_SECONDS: '1'
}

let pages = 0

/** Nobody has asked for it yet. */
function newPage(): string {
  const sorts = ['createdAt', 'closedAt', 'lastMessageAt', 'lastCustomerMessageAt']
  const sort = sorts[Math.floor(pages / 25) % sorts.length]
  const order = pages % 200 < 100 ? 'asc' : 'desc'
  return `/chats?sort=chats.${sort}&order=${order}&limit=3&offset=${100 * (pages++ % 25)}`
}

const newPages = (count: number) => Array.from({ length: count }, newPage)

type Told = Pick<UpstreamFault, 'status' | 'code'>

/** Fresh: nothing is noticed. Cold: refused, within one call. Stale: the old page, marked. */
async function playAll(t: Test, service: ServiceProcess, fault: Fault, { code, status }: Told) {
  const warm = newPage()
  const stored = await service.get(warm)
  t.equal(stored.status, 200)
  service.simulator.faultAll(fault)
  const calls = service.calls()
  const hit = await service.get(warm)
  t.same([hit.body, service.calls()], [stored.body, calls], 'what is fresh is served')
  const cold = await service.get(newPage())
  const problem = checkProblem(t, cold, { status, code }, 'cold')
  await service.operator('/cache', { method: 'DELETE' })
  const stale = await service.get(warm)
  t.same([stale.status, stale.body], [200, stored.body], 'what is stale is served')
  t.match(stale.headers.get('cache-status'), /^helpcrunch-proxy; hit; ttl=-\d+; detail=/)
  t.equal((await service.get('/readyz')).status, 200, 'it stays ready')
  t.ok(service.calls() - calls <= 3, `${service.calls() - calls} calls`)
  return problem
}

/** Until a call has succeeded, and nothing is in the way of the next. */
async function recovered(service: ServiceProcess): Promise<void> {
  service.simulator.faultAll(undefined)
  const page = newPage()
  await until(async () => (await service.get(page)).status === 200)
  await until(async () => (await service.status()).budget.mode === 'open')
}

async function metric(service: ServiceProcess, name: string): Promise<number | undefined> {
  const samples = samplesOf((await service.operator('/metrics')).body)
  return samples.find(sample => sample.name === `helpcrunch_proxy_${name}`)?.value
}

const isLong = ({ retryAfter }: UpstreamFault) => retryAfter !== undefined

for (const row of [...limits, dated].filter(isLong)) {
  t.test(`D11, D12 (P1): ${row.name}`, aside, async t => {
    const service = await startService(t, { upstream, env })
    const { retryAfter = 0 } = await playAll(t, service, row.fault(Date.now()), row)
    const [least = 0, most = 0] = row.retryAfter ?? []
    t.ok(retryAfter >= least && retryAfter <= most, `Retry-After ${retryAfter}`)
    const v1 = await service.get(`/v1${newPage()}`)
    checkProblem(t, v1, { status: 429, code: row.code }, 'under /v1')
    const { budget } = await service.status()
    t.same([budget.mode, typeof budget.pausedUntil], ['paused', 'string'], 'the status says so')
    t.ok(budget.workingLimit < budget.limit, `${budget.workingLimit} calls are left to us (D12)`)
    t.equal(await metric(service, 'thefts_total'), 1)
    await checkBooks(t, service)
    await service.checkEnd(t)
  })
}

t.test('D11 (P1): a 429 that does not say for how long', aside, async t => {
  const service = await startService(t, { upstream, env })
  for (const row of limits.filter(row => !isLong(row))) {
    const { retryAfter = 0 } = await playAll(t, service, row.fault(0), row)
    t.ok(retryAfter >= 1 && retryAfter <= 60, `${row.name}: Retry-After ${retryAfter}`)
    await recovered(service)
  }
  await checkBooks(t, service)
  await service.checkEnd(t)
})

t.test('D11 (P1): a 429 that can be waited out is, by everybody', aside, async t => {
  const service = await startService(t, { upstream, env: { ...env, QUEUE_MAX_WAIT_SECONDS: '60' } })
  service.simulator.fault({ kind: 'status', status: 429, headers: { 'retry-after': '2' } })
  const first = service.get(newPage())
  await until(async () => (await service.status()).budget.mode === 'paused')
  const [refusedCall] = service.simulator.arrivals()
  const answers = await Promise.all([first, ...newPages(10).map(page => service.get(page))])
  t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
  const [, next] = service.simulator.arrivals()
  const gap = (next?.at ?? 0) - (refusedCall?.at ?? 0)
  t.ok(gap >= 1_990, `the next call comes ${Math.round(gap)} ms after it`)
  t.equal(service.calls(), 12, 'one of them was refused')
  await checkBooks(t, service)
})

t.test('D9 (P1): a key that is refused', aside, async t => {
  const service = await startService(t, { upstream, env })
  for (const row of statuses.filter(({ code }) => code === refused.code)) {
    await playAll(t, service, row.fault(0), row)
    const { code, status } = row
    const [calls, started] = [service.calls(), performance.now()]
    for (const page of newPages(20)) {
      checkProblem(t, await service.get(page), { code, status }, 'and the next')
    }
    const probes = Math.ceil((performance.now() - started) / 5_000)
    t.ok(service.calls() - calls <= probes, `${service.calls() - calls} calls, all told`)
    t.equal((await service.status()).budget.mode, 'key-refused', 'loud on the status page')
    await recovered(service)
  }
  await checkBooks(t, service)
  await service.checkEnd(t)
})

const failed = { status: 502, code: 'upstream_error' } as const

t.test('D13 (P1): an upstream that keeps failing', aside, async t => {
  const service = await startService(t, { upstream, env })
  const { simulator } = service
  for (const [index, page] of newPages(50).entries()) {
    if (index % 2) simulator.fault({ kind: 'status', status: 500 })
    t.equal((await service.get(page)).status, index % 2 ? 502 : 200, 'every other call')
  }
  t.same([service.calls(), (await service.status()).budget.mode], [50, 'open'])
  simulator.faultAll({ kind: 'status', status: 500 })
  for (const page of newPages(20)) checkProblem(t, await service.get(page), failed, 'one of 20')
  t.equal((await service.status()).budget.mode, 'failing')
  const before = simulator.arrivals().length - 1
  const crowd = await Promise.all(newPages(20).map(page => service.get(page)))
  for (const answer of crowd) checkProblem(t, answer, failed, 'one of a crowd')
  const times = simulator.arrivals().map(({ at }) => at)
  const gaps = times.slice(before + 1).map((at, index) => at - (times[before + index] ?? 0))
  // The gap is between sends; on the way a call may take a moment.
  t.ok(
    gaps.every(gap => gap > 700),
    gaps.map(Math.round).join()
  )
  await recovered(service)
  await checkBooks(t, service)
  await service.checkEnd(t)
})
