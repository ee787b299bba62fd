/** The search for secrets and chats in what a process wrote. */

import { join } from 'node:path'
import t from 'tap'
import { adminToken, apiKey, chatCanary, tokens } from '../../soak/conditions.ts'
import { leaksBelow, leaksIn } from '../../soak/leaks.ts'

t.test('every secret is found, whole, cut, and in other clothes', async t => {
  for (const secret of [apiKey, adminToken, ...Object.values(tokens)]) {
    t.equal(leaksIn(`a ${secret} b`).length, 1)
    t.equal(leaksIn(`a ${secret.slice(0, -3)}… b`).length, 1)
    t.equal(leaksIn(Buffer.from(secret).toString('base64')).length, 1)
    t.equal(leaksIn(Buffer.from(secret).toString('hex')).length, 1)
  }
})

t.test('a chat is found, also in a string', async t => {
  t.equal(leaksIn(`{"id":1,${chatCanary}:"hello"}`).length, 1)
  t.equal(leaksIn(JSON.stringify({ text: `{${chatCanary}:1}` })).length, 1)
})

t.test('what is found does not tell the secret', async t => {
  const [found = ''] = leaksIn(apiKey)
  t.ok(found.length < apiKey.length / 2)
})

t.test('files in folders are searched as well', async t => {
  const folder = t.testdir({ output: 'nothing', state: { journal: `\u0000\u00ff${apiKey}` } })
  t.strictSame(leaksBelow(folder).length, 1)
  t.match(leaksBelow(folder), [join(folder, 'state', 'journal')])
})
