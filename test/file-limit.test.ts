/** How many connections are taken, by what the system allows and how many callers may wait. */

import t from 'tap'
import { connectionLimit } from '../src/file-limit.ts'

t.test('there is room for all who may wait, as far as the system allows', async t => {
  for (const [waiting, own, openFiles, most] of [
    [1000, 8, Infinity, 5000],
    [0, 8, Infinity, 5000],
    [10_000, 8, Infinity, 12_000],
    [10_000, 8, 20_000, 12_000],
    [10_000, 8, 1024, 916],
    [1000, 8, 256, 148],
    [1000, 8, 64, 10]
  ] as const) {
    t.equal(
      connectionLimit({ waiting, own }, openFiles),
      most,
      `${waiting} waiting of ${openFiles}`
    )
  }
})
