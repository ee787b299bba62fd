/** The live stream: what it brings and when, to how many, at what cost, and how it ends. */

import type { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'
import { startSimulator } from '../../simulator/upstream.ts'
import { Events, mostStreams } from '../../src/admin/events.ts'
import { History, type Observed } from '../../src/observe/history.ts'
import { startReadyChild, until } from '../support/children.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startOperators } from '../support/operators.ts'
import { dial } from '../support/raw-socket.ts'
import { recordedStatus } from '../support/recorded-status.ts'
import { apiKey } from '../support/stack.ts'

interface Heard {
  readonly event: string
  readonly data: Told
}

/** What is looked at: of a status, and of the past. */
interface Told {
  readonly budget: { readonly used: number }
  readonly points: readonly { readonly used: number }[]
}

interface Listener {
  readonly response: Response
  readonly heard: Heard[]
  readonly text: () => string
  /** Resolves when the stream has ended in order, rejects when it broke. */
  readonly ended: Promise<void>
}

async function listen(t: Test, url: string): Promise<Listener> {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const response = await fetch(`${url}/events`, { signal: stop.signal })
  const heard: Heard[] = []
  let text = ''
  const ended = (async () => {
    let rest = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop() ?? ''
      heard.push(...blocks.flatMap(heardOf))
    }
  })()
  ended.catch(() => {})
  return { response, heard, text: () => text, ended }
}

function heardOf(block: string): Heard[] {
  const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
  return event === undefined || data === undefined ? [] : [{ event, data: JSON.parse(data) }]
}

const named = ({ heard }: Listener, event: string) => heard.filter(one => one.event === event)

t.test('at connect the past and the present, then a snapshot a second', async t => {
  const clock = new FakeClock()
  const status = recordedStatus()
  const { url } = await startOperators(t, { status: () => status, clock })
  await clock.advance(20_000)
  const listener = await listen(t, url)
  const { headers } = listener.response
  t.match(headers.get('content-type'), /^text\/event-stream/)
  t.equal(headers.get('cache-control'), 'no-store')
  await until(() => listener.heard.length === 2)
  t.match(listener.text(), /^retry: \d+\n\n/)
  t.match(named(listener, 'history'), [{ data: { everySeconds: 5, spanSeconds: 1_800 } }])
  t.equal(named(listener, 'history')[0]?.data.points.length, 5)
  t.same(named(listener, 'status')[0]?.data, await (await fetch(`${url}/status`)).json())
  status.budget.used = 99
  for (let second = 1; second <= 6; second++) {
    await clock.advance(1_000)
    await until(() => named(listener, 'status').length === 1 + second)
  }
  t.equal(named(listener, 'status').at(-1)?.data.budget.used, 99)
  const [, later] = named(listener, 'history')
  t.equal(later?.data.points.length, 1, 'of the past only what is new')
  t.equal(later?.data.points[0]?.used, 99)
})

t.test('a snapshot is made once for all who watch', async t => {
  const clock = new FakeClock()
  let made = 0
  const status = () => {
    made++
    return recordedStatus()
  }
  const { url } = await startOperators(t, { status, clock })
  const listeners = [await listen(t, url), await listen(t, url), await listen(t, url)]
  await until(() => listeners.every(({ heard }) => heard.length === 2))
  made = 0
  await clock.advance(1_000)
  await until(() => listeners.every(listener => named(listener, 'status').length === 2))
  t.equal(made, 1)
})

t.test('if nobody watches, only the past is kept up', async t => {
  const clock = new FakeClock()
  let made = 0
  const status = () => {
    made++
    return recordedStatus()
  }
  await startOperators(t, { status, clock })
  t.equal(made, 1)
  await clock.advance(20_000)
  t.equal(made, 5)
})

t.test('who reads nothing misses snapshots instead of having them kept', async t => {
  const clock = new FakeClock()
  const status = () => ({ ...recordedStatus(), ballast: 'x'.repeat(100_000) })
  const history = new History(clock, recordedStatus as () => Observed)
  history.start()
  const bodies: Readable[] = []
  const reply = { type: () => reply, send: (body: Readable) => bodies.push(body) }
  new Events({ clock, history, status }).open(reply as unknown as FastifyReply)
  const [body] = bodies
  const most = 120_000
  for (let second = 0; second < 60; second++) await clock.advance(1_000)
  t.ok(body!.readableLength > 0)
  t.ok(body!.readableLength < most, 'nothing was added to what was not taken')
  body!.setEncoding('utf8').read()
  await clock.advance(1_000)
  const points = /"points":(\[.*?\])/.exec(String(body!.read()))?.[1] ?? '[]'
  t.equal(JSON.parse(points).length, 12, 'what was missed of the past comes later')
  history.stop()
  body!.destroy()
})

t.test('there are only so many streams, and a place that is left is free again', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  const stops = Array.from({ length: mostStreams }, () => new AbortController())
  const open = (signal: AbortSignal) => fetch(`${url}/events`, { signal })
  t.teardown(() => {
    for (const stop of stops) stop.abort()
  })
  const answers = await Promise.all(stops.map(({ signal }) => open(signal)))
  t.ok(answers.every(({ status }) => status === 200))
  const refused = await fetch(`${url}/events`)
  t.equal(refused.status, 403)
  t.match(await refused.json(), { code: 'forbidden', detail: /close one of them/ })
  stops[0]?.abort()
  const late = new AbortController()
  t.teardown(() => late.abort())
  await until(async () => {
    const answer = await open(late.signal)
    if (answer.status !== 200) await answer.text()
    return answer.status === 200
  })
})

t.test('a HEAD opens no stream', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  t.equal((await fetch(`${url}/events`, { method: 'HEAD' })).status, 405)
})

t.test('streams end in order with the listener, also those that nobody reads', async t => {
  const { app, url } = await startOperators(t, { status: recordedStatus })
  const listener = await listen(t, url)
  const socket = await dial(url)
  socket.pause()
  socket.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await until(() => listener.heard.length >= 2)
  await app.close()
  await listener.ended
  t.match(named(listener, 'status')[0]?.data, { service: { name: 'helpcrunch-proxy' } })
  socket.destroy()
})

t.test('at SIGTERM the process ends the streams and leaves with 0 within the grace', async t => {
  const simulator = await startSimulator({ chats: 10, apiKey })
  t.teardown(() => simulator.close())
  const [adminPort = 0] = await freePorts('127.0.0.1', [0])
  const child = await startReadyChild(t, {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    ADMIN_PORT: String(adminPort),
    SHUTDOWN_GRACE_SECONDS: '10'
  })
  const listener = await listen(t, `http://127.0.0.1:${adminPort}`)
  await until(() => listener.heard.length >= 2)
  const askedAt = performance.now()
  child.process.kill('SIGTERM')
  t.same(await child.ended, { code: 0, signal: null })
  t.ok(performance.now() - askedAt < 10_000)
  await listener.ended
  t.ok(named(listener, 'status').length >= 1)
})
