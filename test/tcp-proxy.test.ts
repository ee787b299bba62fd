/** The line that tests and the soak put between two sides: whatever it is told, bytes keep their order. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import t from 'tap'
import { startTcpProxy } from './support/tcp-proxy.ts'

t.test('what is sent when a delay is over does not overtake what came before', async t => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const proxy = await startTcpProxy(t, (server.address() as AddressInfo).port)
  let delayMs = 150
  const { promise: isPassing, resolve } = Promise.withResolvers<void>()
  Object.defineProperty(proxy, 'delayMs', {
    get: () => {
      resolve()
      return delayMs
    }
  })
  const client = connect(proxy.port, '127.0.0.1')
  const [received] = await once(server, 'connection')
  client.write('slow ')
  await isPassing
  delayMs = 0
  client.write('quick')
  client.end()
  let text = ''
  for await (const chunk of received) text += chunk
  t.equal(text, 'slow quick')
})
