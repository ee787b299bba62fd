/** What the log says of a request, and how little one caller can make it say. */

import t, { type Test } from 'tap'
import { read } from '../support/answers.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { converse } from '../support/raw-socket.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const asBlue = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\nConnection: close\r\n\r\n`

/** The line of a request; it is written once the reply has been sent. */
async function lineOf(t: Test, { url, lines }: Stack, head: string) {
  const { answers } = await converse(url, head)
  t.equal(answers.length, 1, head.slice(0, 40))
  const id = answers[0]?.headers.get('x-request-id')
  const own = () => lines.map(line => JSON.parse(line)).filter(({ reqId }) => reqId === id)
  while (own().length === 0) await read(fetch(`${url}/healthz`))
  t.equal(own().length, 1, 'one line')
  return own()[0]
}

t.test('a line names the route, and the path only where that says more', async t => {
  const stack = await startStack(t)
  const rows: [target: string, wanted: object][] = [
    ['/chats?limit=1', { route: '/chats', path: undefined, status: 200, team: 'blue' }],
    ['/v1/chats/?limit=1', { route: '/v1/chats', path: undefined, status: 200 }],
    ['/chats?limit=0', { route: '/chats', path: undefined, error: 'invalid_query' }],
    ['/nowhere/at/all?x=1', { route: undefined, path: '/nowhere/at/all', error: 'not_found' }],
    [`/${'x'.repeat(300)}`, { route: undefined, path: `/${'x'.repeat(199)}` }],
    [`/%zz?${'x'.repeat(300)}`, { route: undefined, path: '/%zz', error: 'bad_request' }]
  ]
  for (const [target, wanted] of rows) {
    const line = await lineOf(t, stack, `GET ${target} HTTP/1.1\r\n${asBlue}`)
    t.match(line, { method: 'GET', ms: Number, msg: 'request', ...wanted }, target.slice(0, 40))
    t.notMatch(JSON.stringify(line), '?')
  }
})

t.test('a flood of refusals is cut short in the log, and counted', async t => {
  const clock = new FakeClock()
  const { url, get, lines } = await startStack(t, { clock })
  const floods: (() => Promise<unknown>)[] = [
    () => fetch(`${url}/chats`),
    () => get('/nowhere'),
    () => get('/chats?limit=0'),
    () => fetch(`${url}/healthz`),
    () => converse(url, 'garbage\r\n\r\n')
  ]
  for (const ask of floods) await Promise.all(Array.from({ length: 100 }, ask))
  const of = (msg: string) => lines.map(line => JSON.parse(line)).filter(line => line.msg === msg)
  // Once this is answered, the lines of those before it have been written.
  await read(get('/chats?limit=1'))
  await clock.advance(1000)
  t.equal(of('request').length, 5 * 20 + 1)
  t.same(
    of('lines were left out').map(({ kind, count, level }) => [kind, count, level]),
    [
      [' unauthenticated', 80, 40],
      ['blue not_found', 80, 40],
      ['blue invalid_query', 80, 40],
      [' 200', 80, 40],
      [' bad_request', 80, 40]
    ]
  )
})

t.test('answers to a team are all logged', async t => {
  const clock = new FakeClock()
  const { get, lines } = await startStack(t, { clock })
  for (let index = 0; index < 50; index++) await read(get('/chats?limit=1'))
  await read(get('/healthz'))
  const answered = lines.filter(line => JSON.parse(line).status === 200 && /blue/.test(line))
  t.equal(answered.length, 50)
})
