/** The account of the time that the machine took away. */

import t from 'tap'
import { Pressure } from '../../soak/pressure.ts'
import { systemClock } from '../../src/clock.ts'

t.test('what came late is lost time for whoever waited meanwhile, and for nobody else', async t => {
  const stalls: [number, number][] = []
  const pressure = new Pressure((from, to) => stalls.push([from, to]))
  pressure.note(400)
  const now = systemClock.now()
  t.ok(Math.abs(pressure.lostMs(now - 1000, now) - 400) < 5)
  t.ok(Math.abs(pressure.lostMs(now - 200, now) - 200) < 5)
  t.equal(pressure.lostMs(now - 3000, now - 1000), 0)
  t.same(stalls, [])
})

t.test('a long stall is told, and a short delay is ordinary', async t => {
  const stalls: number[] = []
  const pressure = new Pressure((from, to) => stalls.push(Math.round(to - from)))
  pressure.note(20)
  t.equal(pressure.lostMs(0, systemClock.now()), 0)
  pressure.note(600)
  t.same(stalls, [600])
  t.equal(pressure.figures.longestStallMs, 600)
  t.ok(Math.abs(pressure.longestStallMs(systemClock.now() - 100) - 600) < 5)
  t.equal(pressure.longestStallMs(systemClock.now() + 100), 0)
})
