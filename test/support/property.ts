/**
 * A fast-check property as one assertion: what fails shows why, its seed and its smallest example.
 */

import fc from 'fast-check'
import type { Test } from 'tap'

/** A smaller example is worth some time, but not a test's, which tells nothing if it is cut off. */
const shrinkingMs = 20_000

export async function holds<Inputs>(
  t: Test,
  property: fc.IRawProperty<Inputs>,
  parameters: fc.Parameters<Inputs> = {}
): Promise<void> {
  const details = await fc.check(property, { ...parameters, endOnFailure: true })
  if (details.failed) {
    const { counterexamplePath: path, seed } = details
    const again = { ...parameters, seed, ...(path !== null && { path }) }
    const smaller = await fc.check(property, { ...again, interruptAfterTimeLimit: shrinkingMs })
    const shown = smaller.counterexample ? smaller : details
    t.fail(`${shown.errorInstance}\n${fc.defaultReportMessage(shown)}`)
  } else t.pass(`held in ${details.numRuns} runs`)
}
