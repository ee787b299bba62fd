/** What the bar says of rate and time left. */

import t from 'tap'
import { createProgress, pace } from '../../cli/progress.ts'

const planned = { total: 100_000, estimateMs: 600_000 }

t.test('the first calls are quick, and deceive nobody about the rest', async t => {
  const seen = pace({ ...planned, count: 10_000, given: 10_000, soFarMs: 10_000 })
  t.same(seen, { rate: 1000, left: '9:00' })
})

t.test('what goes slower than planned takes as long as it looks', async t => {
  const seen = pace({ ...planned, count: 50_000, given: 50_000, soFarMs: 4_000_000 })
  t.same(seen, { rate: 13, left: '1:06:40' })
})

t.test('what came by earlier requests is not counted into the rate', async t => {
  const resumed = { total: 100_000, estimateMs: 60_000, count: 95_000, given: 5000 }
  t.same(pace({ ...resumed, soFarMs: 40_000 }), { rate: 125, left: '0:40' })
})

t.test('at the start and at the end it is as good as can be', async t => {
  t.same(pace({ ...planned, count: 0, given: 0, soFarMs: 0 }), { rate: 0, left: '10:00' })
  t.match(pace({ ...planned, count: 100_001, given: 100_001, soFarMs: 1 }), { left: '0:00' })
})

t.test('a terminal sees a bar; a log file only words', async t => {
  for (const isTTY of [true, false]) {
    let seen = ''
    const write = (text: string) => {
      seen += text
      return true
    }
    const stream = { isTTY, write, columns: 100 } as unknown as NodeJS.WriteStream
    const progress = createProgress(stream)
    progress.start(0, planned)
    progress.update(50_000)
    progress.say('the connection broke')
    progress.stop()
    t.match(seen, 'export: the connection broke')
    t.equal(/100000 chats/.test(seen), isTTY)
  }
})
