/**
 * Group G, as far as it takes a real process under load (G1, G7): those who ask without a pause
 * when it has to end, and a log for which there is no room. What else there is of the group is in
 * test/process.test.ts and test/process-law.test.ts.
 */

import { Agent, get } from 'node:http'
import t, { type Test } from 'tap'
import { startSimulator } from '../../simulator/upstream.ts'
import { read } from '../support/answers.ts'
import { startLoggingChild, until } from '../support/children.ts'
import { dial, listen } from '../support/raw-socket.ts'
import { apiKey, tokens } from '../support/stack.ts'
import { asBlue, startService } from './service-process.ts'

interface Heard {
  readonly status: number
  readonly connection: string | undefined
  /** The whole body has come. */
  readonly isWhole: boolean
}

/** One request on a connection that is kept; undefined if there was no answer at all. */
function ask(url: string, agent: Agent): Promise<Heard | undefined> {
  return new Promise(resolve => {
    const request = get(url, { agent, headers: asBlue }, answer => {
      const { headers, statusCode: status = 0 } = answer
      const finish = () =>
        resolve({ status, connection: headers.connection, isWhole: answer.complete })
      answer
        .on('error', () => {})
        .on('close', finish)
        .resume()
    })
    request.on('error', () => resolve(undefined))
  })
}

/** Asks one after the other on a connection of its own, until nobody answers any more. */
async function client(t: Test, url: (turn: number) => string): Promise<Heard[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const heard: Heard[] = []
  for (let turn = 0; ; turn++) {
    const answer = await ask(url(turn), agent)
    if (!answer) return heard
    heard.push(answer)
  }
}

t.test('G1 (P1): who asks without a pause is answered until the end, and whole', async t => {
  const service = await startService(t, {
    upstream: { chats: 20_000, latencyMs: 100 },
    env: { SHUTDOWN_GRACE_SECONDS: '30' }
  })
  const pages = Array.from({ length: 30 }, (_, lane) =>
    client(t, turn => {
      // A large body that is there, or one that has to be fetched.
      const offset = lane % 3 ? 0 : 100 * ((lane * 20 + turn) % 200)
      return `${service.url}/chats?limit=100&offset=${offset}`
    })
  )
  await until(() => service.calls() > 30)
  service.child.process.kill('SIGTERM')
  const all = await Promise.all(pages)
  t.same(await service.child.ended, { code: 0, signal: null })
  const answers = all.flat()
  t.ok(answers.length > all.length)
  t.same(
    answers.filter(({ isWhole, status }) => !isWhole || ![200, 503].includes(status)),
    [],
    'no body is cut, and nobody is told anything else'
  )
  const last = all.map(heard => heard.at(-1)?.connection)
  t.ok(last.filter(connection => connection === 'close').length > all.length / 2)
  t.equal(service.child.stderr(), '')
})

t.test('G1 (P1): who was connected and had asked when the signal came is answered', async t => {
  const service = await startService(t)
  await read(fetch(`${service.url}/chats`, { headers: asBlue }))
  service.child.process.kill('SIGSTOP')
  // The system takes them in and the process does not.
  const sockets = await Promise.all(Array.from({ length: 20 }, () => dial(service.url)))
  const lines = ['GET /chats HTTP/1.1', 'Host: x', `Authorization: ${asBlue.authorization}`]
  for (const socket of sockets) socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  service.child.process.kill('SIGTERM')
  service.child.process.kill('SIGCONT')
  for (const { answers } of await Promise.all(sockets.map(socket => listen(socket)))) {
    t.same(
      answers.map(({ status }) => status),
      [200]
    )
  }
  t.same(await service.child.ended, { code: 0, signal: null })
})

t.test('G7 (P2): a log for which there is no room costs its lines, and nothing else', async t => {
  const simulator = await startSimulator({ chats: 435, apiKey })
  t.teardown(() => simulator.close())
  const env = {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue}`
  }
  const { ended, process, url } = await startLoggingChild(t, env, '/dev/full')
  for (let times = 0; times < 200; times++) {
    const { status } = await read(fetch(`${url}/chats?limit=1`, { headers: asBlue }))
    if (status !== 200) t.fail(`${status}`)
  }
  t.equal(simulator.hits(), 1)
  process.kill('SIGTERM')
  t.same(await ended, { code: 0, signal: null })
})
