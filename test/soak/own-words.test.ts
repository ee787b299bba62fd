/** What a replica says of the store is heard once, whenever it is looked for. */

import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { OwnWords } from '../../soak/own-words.ts'

const late = '{"level":40,"msg":"REDIS_URL: the store is not used: no answer within 250 ms"}\n'
const tooLate =
  '{"level":40,"msg":"the shared ledger cannot be joined: an exchange arrived too late"}\n'
const other = '{"level":40,"msg":"REDIS_URL: the store is not used: the connection was closed"}\n'

t.test('that the store was late is heard once', async t => {
  const path = join(t.testdir({ output: other }), 'output')
  const words = new OwnWords(path)
  t.equal(words.lostStore(), false)
  appendFileSync(path, other + late)
  t.equal(words.lostStore(), true)
  t.equal(words.lostStore(), false)
  appendFileSync(path, tooLate)
  t.equal(words.lostStore(), true)
})
