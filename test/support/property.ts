/** A fast-check property as one assertion: what fails shows its seed and its smallest example. */

import fc from 'fast-check'
import type { Test } from 'tap'

export async function holds<Inputs>(
  t: Test,
  property: fc.IRawProperty<Inputs>,
  parameters: fc.Parameters<Inputs> = {}
): Promise<void> {
  const details = await fc.check(property, parameters)
  if (details.failed) t.fail(fc.defaultReportMessage(details) ?? 'failed')
  else t.pass(`held in ${details.numRuns} runs`)
}
