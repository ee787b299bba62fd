/**
 * The bench: `npm run bench` runs all suites, `npm run bench <suite>` one of them. Prints a table
 * per suite, writes the same as `bench/results/<suite>.json`, and exits 1 if a suite finds that the
 * service does not keep what it promises.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { budget } from './budget/budget.ts'
import { cache } from './cache/cache.ts'
import { exporting } from './export/export.ts'
import { hit } from './hit/hit.ts'
import { memory } from './memory/memory.ts'
import { miss } from './miss/miss.ts'
import { leaveNothingBehind } from './processes.ts'
import { replicas } from './replicas/replicas.ts'
import type { Suite, SuiteOptions } from './suite.ts'

const suites: Readonly<Record<string, Suite>> = {
  budget,
  cache,
  export: exporting,
  hit,
  memory,
  miss,
  replicas
}

const resultsFolder = new URL('./results/', import.meta.url)
const usage = `npm run bench [${Object.keys(suites).join('|')}] [-- --windows <2 or more> --seed <number> --only <subject,…>]`

leaveNothingBehind()
const { names, options } = readArguments()
let broken = 0
for (const name of names) broken += await run(name, suites[name]!, options)
// Not left to Node, which after all is over may wait for ever for a socket that nobody has.
process.exit(broken > 0 ? 1 : 0)

/** Returns how many promises were found broken. */
async function run(name: string, suite: Suite, options: SuiteOptions): Promise<number> {
  const { table, results, broken } = await suite(options)
  mkdirSync(resultsFolder, { recursive: true })
  const file = new URL(`${name}.json`, resultsFolder)
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`)
  print(`\n${table}\n`)
  for (const line of broken) print(`BROKEN: ${line}`)
  return broken.length
}

function readArguments(): { names: string[]; options: SuiteOptions } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        windows: { type: 'string', default: '5' },
        seed: { type: 'string', default: '1' },
        only: { type: 'string' }
      }
    })
    const [windows, seed] = [Number(values.windows), Number(values.seed)]
    if (!Number.isInteger(windows) || windows < 2) {
      throw new Error(`--windows: an integer from 2 on is needed; got "${values.windows}"`)
    }
    if (!Number.isInteger(seed)) {
      throw new Error(`--seed: an integer is needed; got "${values.seed}"`)
    }
    const unknown = positionals.find(name => !Object.hasOwn(suites, name))
    if (unknown !== undefined) throw new Error(`there is no suite "${unknown}"`)
    const names = positionals.length > 0 ? positionals : Object.keys(suites)
    const only = values.only?.split(',')
    return { names, options: { windows, seed, ...(only && { only }) } }
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}; usage: ${usage}\n`)
    process.exit(1)
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
