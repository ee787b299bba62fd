/**
 * Replicas on one store under everything at once, seed after seed. A failing seed is printed and
 * can be run alone: SIMULATION_SEED=17 node test/simulation/replicas.test.ts
 */

import { mkdir } from 'node:fs/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { needsRedis, startRedis } from '../support/redis.ts'
import { type ReplicasRun, simulateReplicas } from './replicas.ts'

needsRedis(t)

const only = process.env.SIMULATION_SEED
const seeds = only === undefined ? Array.from({ length: 24 }, (_, seed) => seed) : [Number(only)]

t.setTimeout(300_000)

async function runAll(t: Test, extraSlots: number) {
  const server = await startRedis(t)
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  const runs: ReplicasRun[] = []
  const failures: string[] = []
  for (const seed of seeds) {
    const directory = `${t.testdir()}/${seed}`
    await mkdir(directory)
    await simulateReplicas({ seed, directory, redis, extraSlots }).then(
      run => runs.push(run),
      (error: Error) => failures.push(error.message)
    )
    // One is enough where one has to be seen.
    if (extraSlots > 0 && failures.length > 0) break
  }
  return { runs, failures }
}

t.test('all replicas together keep the law, whatever becomes of them and the store', async t => {
  const { runs, failures } = await runAll(t, 0)
  const sum = (count: keyof ReplicasRun) => runs.reduce((total, run) => total + run[count], 0)
  t.comment(
    `${runs.length} seeds: ${sum('answered')} answered, ${sum('refused')} refused, ` +
      `${sum('arrivals')} calls, ${sum('aloneCalls')} without the store, ${sum('kills')} kills`
  )
  t.strictSame(failures, [])
  t.ok(sum('answered') > 10 * runs.length)
  t.ok(sum('aloneCalls') > runs.length)
})

t.test('with one slot too many the law is seen to break', async t => {
  const { failures } = await runAll(t, 1)
  t.match(failures[0], /the law is broken/)
})
