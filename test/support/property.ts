/**
 * A fast-check property as one assertion: what fails shows why, its seed and its smallest example.
 */

import fc from 'fast-check'
import type { Test } from 'tap'

export async function holds<Inputs>(
  t: Test,
  property: fc.IRawProperty<Inputs>,
  parameters: fc.Parameters<Inputs> = {}
): Promise<void> {
  const details = await fc.check(property, parameters)
  if (details.failed) t.fail(`${details.errorInstance}\n${fc.defaultReportMessage(details)}`)
  else t.pass(`held in ${details.numRuns} runs`)
}
