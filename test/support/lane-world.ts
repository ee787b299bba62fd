/**
 * Two services that differ in nothing but the fast lane, side by side: the same upstream, the same
 * virtual time, the same requests over real sockets. Whatever one of them answers, logs, counts,
 * keeps or asks the upstream, the other must as well.
 */

import type { Socket } from 'node:net'
import { parseConfig, secretsOf } from '../../src/config.ts'
import { ServiceError } from '../../src/errors.ts'
import { createApp } from '../../src/http/app.ts'
import { createLogger } from '../../src/observe/log.ts'
import { absentPage } from '../../src/page.ts'
import { type Call, keyOf } from '../../src/ports.ts'
import { noJournal } from '../../src/schedule/journal.ts'
import { joinRooms } from '../../src/service.ts'
import { FakeClock, settled } from './fake-clock.ts'
import { chatTexts, pageFor, pageOf } from './pages.ts'
import { dial, listen } from './raw-socket.ts'
import { apiKey, tokens } from './stack.ts'

/** What the upstream has just now, for both sides. */
export interface Content {
  revision: number
  chats: number
  fails: boolean
}

export type Side = Awaited<ReturnType<typeof openSide>>

export async function openSide(
  content: Content,
  env: Readonly<Record<string, string>>,
  fastLane: boolean
) {
  const clock = new FakeClock()
  const calls: string[] = []
  const lines: string[] = []
  const config = parseConfig({
    HELPCRUNCH_API_KEY: apiKey,
    TEAM_TOKENS: `blue=${tokens.blue},green=${tokens.green}:2`,
    UPSTREAM_LIMIT: '10000',
    ...env
  })
  const logger = createLogger({
    level: 'info',
    secrets: secretsOf(config),
    destination: { write: line => void lines.push(line) }
  })
  const rooms = joinRooms({
    ...{ config, clock, journal: noJournal, random: () => 0.5 },
    attempt: async call => {
      calls.push(`${clock.now()} ${keyOf(call)}`)
      return answerTo(call, content)
    }
  })
  const { chats, emit, exports, figures, invalidate, memory } = rooms
  let isDraining = false
  let walks = 0
  const list = chats.list.bind(chats)
  chats.list = (...asked) => {
    walks++
    return list(...asked)
  }
  const { app } = await createApp({
    ...{ config, clock, logger, chats, emit, exports, fastLane },
    load: { afterInput: run => setImmediate(run), busyMs: () => 0 },
    onEvent: () => {},
    draining: () => isDraining,
    successorInMs: () => 1000,
    mostConnections: 100
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const answered = () => figures.requests.count(() => true)

  /** Stay open from one request to the next, as callers' do. */
  const sockets = new Map<string, Socket>()

  /** Until it is answered, logged and counted, and all that it set off is done. */
  async function ask(text: string, method: string, connection: string) {
    const before = answered()
    let isDone = false
    const socket = sockets.get(connection) ?? (await dial(url))
    sockets.set(connection, socket)
    const conversation = listen(socket, { answers: 1, method, stays: true }).finally(() => {
      isDone = true
    })
    socket.write(text, 'latin1')
    while (!isDone || answered() === before) await clock.advance(0)
    for (let turn = 0; turn < 5; turn++) await settled()
    const { answers, end } = await conversation
    if (end !== 'open' || answers.at(-1)?.headers.get('connection') === 'close') {
      socket.destroy()
      sockets.delete(connection)
    }
    return conversation
  }

  return {
    ...{ ask, clock, invalidate, lines, memory },
    /** How many requests went the ordinary way as far as to a list. */
    walks: () => walks,
    drain: () => {
      isDraining = true
    },
    /** Whatever both of them must have come to. */
    state: () => ({
      calls: [...calls],
      counts: figures.requests.answers.filter(({ count }) => count > 0).map(one => ({ ...one })),
      hits: figures.requests.hits.count,
      evictions: { ...figures.evictions },
      entries: memory.entries,
      bytes: memory.bytes
    }),
    close: async () => {
      app.server.closeAllConnections()
      await app.close()
    }
  }
}

function answerTo(call: Call, { chats, fails, revision }: Content) {
  if (fails) throw new ServiceError('upstream_invalid_response', 'It is out of its mind.')
  const texts = chatTexts(chats).map(text => text.replace('"at"', `"revision":${revision},"at"`))
  if (call.list.of !== 'chat') return pageFor(call, texts)
  const own = texts[Number(call.target.split('/').at(-1)) - 1]
  return own ? pageOf([own], 1, { before: '', after: '' }) : absentPage
}
