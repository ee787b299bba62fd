/**
 * The soak: `npm run soak -- --minutes 10 --seed 7` lets the real service, one alone and three
 * replicas with a real store, live through whatever can happen to it, and checks all the time that it
 * keeps what it promises. What happens comes from the seed, as far as real time allows. Prints every
 * trouble and, at the end, figures and a verdict, writes the same to `soak/results/`, and exits 1 if
 * anything was broken.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { leaveNothingBehind } from '../bench/processes.ts'
import { systemClock } from '../src/clock.ts'
import { hasRedisServer } from '../test/support/redis.ts'
import { libfaketime } from '../test/support/wall-clock.ts'
import { report } from './report.ts'
import { runSetUp } from './set-up.ts'
import type { SiteName } from './site.ts'

const usage = 'npm run soak -- --minutes <1 or more> --seed <number>'
const shownAtMost = 40

leaveNothingBehind()
const { minutes, seed } = readArguments()
const startedAt = systemClock.now()
print(`soak: ${minutes} minutes, seed ${seed}`)
const results = await Promise.all(
  setUps().map(name =>
    runSetUp({ name, seed, lastingMs: minutes * 60_000, tell: line => tell(name, line) })
  )
)
const folder = new URL('./results/', import.meta.url)
mkdirSync(folder, { recursive: true })
const file = new URL(`${minutes}-minutes-seed-${seed}.json`, folder)
writeFileSync(file, `${JSON.stringify({ minutes, seed, results }, undefined, 2)}\n`)
print(`\n${report(results)}\n`)
process.exitCode = verdict()

/** What this machine has no server or library for is left out, visibly; not where it has to be. */
function setUps(): SiteName[] {
  const missing = [
    !hasRedisServer && 'no redis-server on this machine: replicas are left out',
    !libfaketime() && 'no libfaketime on this machine: wall clocks do not jump'
  ].filter(line => line !== false)
  for (const line of missing) print(line)
  if (process.env.CI && missing.length > 0) process.exit(1)
  return hasRedisServer ? ['alone', 'replicas'] : ['alone']
}

function verdict(): number {
  const broken = results.flatMap(({ broken, name }) => broken.map(line => `${name}: ${line}`))
  for (const line of broken.slice(0, shownAtMost)) print(`BROKEN: ${line}`)
  const more = broken.length - shownAtMost
  if (more > 0) print(`BROKEN: ${more} more, see the results`)
  const kept = `KEPT: everything, for ${minutes} minutes with seed ${seed}`
  print(broken.length === 0 ? kept : `${broken.length} promises BROKEN with seed ${seed}`)
  return broken.length === 0 ? 0 : 1
}

function readArguments(): { minutes: number; seed: number } {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' }
      }
    })
    const [minutes, seed] = [Number(values.minutes), Number(values.seed)]
    if (!(minutes >= 1)) throw new Error(`--minutes: got "${values.minutes}"`)
    if (!Number.isInteger(seed)) throw new Error(`--seed: got "${values.seed}"`)
    return { minutes, seed }
  } catch (error) {
    process.stderr.write(`soak: ${(error as Error).message}; usage: ${usage}\n`)
    process.exit(1)
  }
}

function tell(setUp: string, line: string): void {
  const seconds = ((systemClock.now() - startedAt) / 1000).toFixed(1)
  print(`${seconds.padStart(6)} s  ${setUp.padEnd(8)}  ${line}`)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
