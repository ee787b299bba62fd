/** The simulator as a command, and the ports that the demo looks for. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'

const MAIN = fileURLToPath(new URL('../../simulator/main.ts', import.meta.url))
const HOST = '127.0.0.1'

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`the command prints its URL, answers there, and ends on ${signal} with 0`, async t => {
    const flags = ['--port', '0', '--chats', '20', '--key', 'k', '--changes-per-minute', '60']
    const command = spawn(process.execPath, [MAIN, ...flags])
    const [line] = await once(command.stdout, 'data')
    const url = String(line).trimEnd()
    t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/v1$/)
    const answer = await fetch(`${url}/chats`, { headers: { authorization: 'Bearer k' } })
    t.match(await answer.json(), { meta: { total: 20 } })
    command.kill(signal)
    t.same(await once(command, 'exit'), [0, null])
  })
}

t.test('a flag that is no number is named, and nothing starts', async t => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, '--chats', 'many'])
  t.equal(status, 1)
  t.match(String(stderr), /^--chats: .*"many"\n$/)
})

t.test('a wished port is taken if free, and replaced if not', async t => {
  const taken = createServer().listen(0, HOST)
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const [other, another, ...rest] = await freePorts(HOST, [port, port])
  t.same(rest, [])
  t.equal(new Set([port, other, another]).size, 3)
  t.same(await freePorts(HOST, [other!, another!]), [other, another])
})
