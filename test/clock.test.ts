/** The clock of this process beside the machine's own, which those of other processes go by, too. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const clock = new URL('../src/clock.ts', import.meta.url).href

/** Reading both is not done at one instant: what is between two looks at the one is no error. */
const program = `
  import { systemClock } from ${JSON.stringify(clock)}
  const machine = () => Number(process.hrtime.bigint()) / 1e6
  const before = machine()
  const now = systemClock.now()
  console.log(JSON.stringify([now - before, machine() - now]))`

t.test('processes agree on what time it is, from their first moment on', async t => {
  for (let run = 0; run < 5; run++) {
    const flags = ['--input-type=module', '--eval', program]
    const { stdout } = await promisify(execFile)(process.execPath, flags)
    const [ahead, behind] = JSON.parse(stdout)
    t.ok(ahead >= -0.1, `${-ahead} ms behind`)
    t.ok(behind >= -0.1, `${-behind} ms ahead`)
  }
})
