/** A place behind the input of this process, on its real event loop. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import t from 'tap'
import { systemLoad } from '../src/load.ts'

/** Whoever stands behind input does not keep a process alive by that; a service has sockets. */
const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
t.teardown(() => server.close())

t.test('who stands behind input again and again lets what has come meanwhile go first', async t => {
  const caller = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[socket]] = await Promise.all([once(server, 'connection'), once(caller, 'connect')])
  t.teardown(() => caller.destroy())
  t.teardown(() => socket.destroy())

  const stood = 500
  let left = stood
  let leftWhenHeard: number | undefined
  socket.on('data', () => {
    leftWhenHeard ??= left
  })
  await new Promise<void>(resolve => {
    const standAgain = () => {
      if (left === stood) caller.write('hello')
      left--
      if (left > 0) systemLoad.afterInput(standAgain)
      else resolve()
    }
    systemLoad.afterInput(standAgain)
  })
  t.ok((leftWhenHeard ?? 0) > stood / 2, `heard when ${leftWhenHeard} of ${stood} were left`)
})

t.test('all that stand there have their turn, in order, whatever one of them does', async t => {
  const order: number[] = []
  await new Promise<void>(resolve => {
    for (let at = 0; at < 10; at++) systemLoad.afterInput(() => void order.push(at))
    systemLoad.afterInput(resolve)
  })
  t.same(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

t.test('a processor is busy longer the more it has to do', async t => {
  const before = systemLoad.busyMs()
  while (systemLoad.busyMs() === before);
  t.ok(systemLoad.busyMs() > before)
})
