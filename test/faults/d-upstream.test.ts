/**
 * Group D, first part: the table of faults that test/http/faults.test.ts plays in virtual time, and
 * every garbled answer, against the real process. Those that wait for the time limit go side by
 * side; the others one by one, so that who fails twice is not taken for an upstream that is gone.
 * What makes us leave the upstream in peace (401, 429, many failures) is in the second part.
 */

import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { garbled } from '../support/garbled-answers.ts'
import {
  bodies,
  invalid,
  refused,
  statuses,
  type UpstreamFault,
  wires
} from '../support/upstream-faults.ts'
import { checkBooks, openScenes, play } from './upstream-scenes.ts'

const faultOf = (name: string, fault: Fault): UpstreamFault => ({
  ...{ name, fault: () => fault },
  ...invalid
})

const unheard = Object.entries(garbled).map(([name, [bytes]]) =>
  faultOf(`${name} (D18)`, { kind: 'raw', bytes })
)

const huge = [
  faultOf('64 MB in chunks (D7)', { kind: 'bodyOfBytes', bytes: 2 ** 26 }),
  faultOf('64 MB of junk (D7)', { kind: 'bodyOfBytes', bytes: 2 ** 26, content: 'junk' }),
  faultOf('a bomb of 256 MB (D7)', { kind: 'gzipBomb', bytes: 2 ** 28 })
]

const rows = [...wires, ...bodies, ...huge, ...statuses, ...unheard].filter(
  ({ code }) => code !== refused.code
)
const numberOf = ({ name }: UpstreamFault) => /\((D\d+)\)$/.exec(name)?.[1] ?? 'none'
const isSlow = ({ takes }: UpstreamFault) => takes === 'the time limit'

const scenes = await openScenes(t)

t.test('every number of the table has rows', async t => {
  const numbers = ['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7', 'D10', 'D13', 'D14', 'D18']
  t.same(new Set(rows.map(numberOf)), new Set(numbers))
})

for (const row of rows.filter(row => !isSlow(row))) {
  t.test(`${numberOf(row)}: ${row.name}`, t => play(t, scenes, row))
}

t.test('D2, D3: those that wait for the time limit', async t => {
  t.jobs = 20
  for (const row of rows.filter(isSlow)) {
    t.test(`${numberOf(row)}: ${row.name}`, { buffered: true }, t => play(t, scenes, row))
  }
})

t.test('D7 (P1): no answer is too large for our memory', async t => {
  const { fresh } = scenes
  const before = await fresh.restPeak()
  for (const [index, row] of huge.entries()) {
    fresh.simulator.fault(row.fault(0))
    const { status } = await fresh.get(`/chats?sort=chats.closedAt&offset=${100 * index}`)
    t.equal(status, row.status)
  }
  const peak = await fresh.peak()
  t.ok(peak - before < 50, `${before} MB became ${peak} MB`)
})

t.test('each call was counted, and nothing is left', async t => {
  await checkBooks(t, scenes.fresh)
  await checkBooks(t, scenes.stale)
})

t.test('S1 (P1): no secret in anything that they wrote', async t => {
  await scenes.fresh.checkEnd(t)
  await scenes.stale.checkEnd(t)
})
