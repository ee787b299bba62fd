/**
 * The service under everything at once, seed after seed. A failing seed is printed and can be run
 * alone: SIMULATION_SEED=17 node test/simulation/simulation.test.ts
 */

import { mkdir } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { type Run, simulate } from './simulation.ts'

const only = process.env.SIMULATION_SEED
const seeds = only === undefined ? Array.from({ length: 200 }, (_, seed) => seed) : [Number(only)]

t.setTimeout(300_000)

async function runAll(t: Test, extraSlots: number): Promise<{ runs: Run[]; failures: string[] }> {
  const root = t.testdir()
  const runs: Run[] = []
  const failures: string[] = []
  for (const seed of seeds) {
    const directory = `${root}/${seed}`
    await mkdir(directory)
    await simulate({ seed, directory, extraSlots }).then(
      run => runs.push(run),
      (error: Error) => failures.push(error.message)
    )
    // One is enough where one has to be seen.
    if (extraSlots > 0 && failures.length > 0) break
  }
  return { runs, failures }
}

t.test('every promise holds for every seed', async t => {
  const { runs, failures } = await runAll(t, 0)
  const sum = (count: keyof Run) => runs.reduce((total, run) => total + run[count], 0)
  t.comment(
    `${runs.length} seeds: ${sum('answered')} answered, ${sum('refused')} refused, ${sum('arrivals')} calls, ${sum('kills')} kills`
  )
  t.strictSame(failures, [])
  t.ok(sum('answered') > 10 * runs.length)
})

t.test('with one slot too many the law is seen to break', async t => {
  const { failures } = await runAll(t, 1)
  t.match(failures[0], /the law is broken/)
})
