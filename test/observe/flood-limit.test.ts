/** So many lines of a kind in a second, and then how many there would have been. */

import t from 'tap'
import { FloodLimit } from '../../src/observe/flood-limit.ts'
import { FakeClock } from '../support/fake-clock.ts'

function rig(mostPerSecond = 3) {
  const clock = new FakeClock()
  const reports: [string, number][] = []
  const report = (kind: string, count: number) => void reports.push([kind, count])
  return { clock, reports, limit: new FloodLimit({ clock, mostPerSecond, report }) }
}

t.test('a flood of one kind is cut, reported once, and hides no other kind', async t => {
  const { clock, reports, limit } = rig()
  const admitted = Array.from({ length: 10 }, () => limit.admits('noise'))
  t.same(
    admitted,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(index => index < 3)
  )
  t.ok(limit.admits('signal'))
  t.same(reports, [])
  await clock.advance(1000)
  t.same(reports, [['noise', 7]], 'without any further line')
  t.equal(clock.pending, 0)
  t.ok(limit.admits('noise'), 'a new second')
})

t.test('what stays below it is never reported, and keeps no timer', async t => {
  const { clock, reports, limit } = rig()
  for (let second = 0; second < 5; second++) {
    for (let line = 0; line < 3; line++) t.ok(limit.admits('steady'))
    t.equal(clock.pending, 0)
    await clock.advance(1000)
  }
  t.same(reports, [])
})

t.test('a flood that goes on is reported every second', async t => {
  const { clock, reports, limit } = rig()
  for (let step = 0; step < 30; step++) {
    for (let line = 0; line < 10; line++) limit.admits('noise')
    await clock.advance(100)
  }
  t.same(reports, [
    ['noise', 97],
    ['noise', 97],
    ['noise', 97]
  ])
})
