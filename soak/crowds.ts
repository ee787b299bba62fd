/** Troubles that callers make: strangers in numbers, readers who do not read, one who wants all. */

import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../src/clock.ts'
import { answerTo, newAgent } from './callers.ts'
import { tokens } from './conditions.ts'
import { codeOf } from './exchange.ts'
import type { Question } from './questions.ts'
import type { Scene } from './troubles.ts'

const strangers = 20
const greedyCallers = 30
const slowReaders = 12

/** Who is not known is told so, whatever else goes on, or finds nobody. */
export async function floodWithBadTokens({ lastingMs, onBroken, random, site }: Scene) {
  const agent = newAgent()
  const until = systemClock.now() + lastingMs
  const target = random.pick(site.instances)
  const flood = async () => {
    while (systemClock.now() < until) {
      const token = `stranger-${random.next()}`
      const answer = await answerTo({
        question: { ...anyQuestion, headers: { authorization: `Bearer ${token}` } },
        url: target.url,
        dispatcher: agent
      })
      if (answer.kind === 'failed') await sleep(100)
      else if (codeOf(answer.body) !== 'unauthenticated')
        onBroken(`a stranger got ${answer.status}`)
      await sleep(20)
    }
  }
  await Promise.all(Array.from({ length: strangers }, flood))
  await agent.destroy()
}

const anyQuestion: Question = {
  subject: { of: 'list', view: 'created', offset: 0, limit: 100 },
  method: 'GET',
  path: '/chats?limit=100',
  headers: {}
}

/** They ask for much, take none of it, and leave. */
export async function readSlowly({ lastingMs, random, site }: Scene): Promise<void> {
  const { hostname, port } = new URL(random.pick(site.instances).url)
  const sockets: Socket[] = []
  for (let index = 0; index < slowReaders; index++) {
    const path = index % 2 === 0 ? '/chats/export?format=ndjson' : '/chats?limit=500'
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer ${tokens.blue}\r\n\r\n`
    )
    socket.pause()
    sockets.push(socket)
  }
  await sleep(lastingMs)
  for (const socket of sockets) socket.destroy()
}

/** Each question is another one, so that each costs a call. */
export async function askGreedily({ lastingMs, onExchange, random, site }: Scene): Promise<void> {
  const agent = newAgent()
  const until = systemClock.now() + lastingMs
  const ids = site.upstream.history.ids
  const target = random.pick(site.instances)
  const one = async () => {
    while (systemClock.now() < until) {
      const id = random.pick(ids)
      const limit = 1 + random.below(100)
      const question: Question = {
        subject: { of: 'messages', id, offset: 0, limit },
        method: 'GET',
        path: `/chats/${id}/messages?limit=${limit}`,
        headers: { authorization: `Bearer ${tokens.red}` }
      }
      const startedAt = systemClock.now()
      const outcome = await answerTo({ question, url: target.url, dispatcher: agent })
      const endedAt = systemClock.now()
      onExchange({ question, instance: target.name, team: 'red', startedAt, endedAt, outcome })
      if (outcome.kind === 'failed' || outcome.status >= 429) await sleep(100)
    }
  }
  await Promise.all(Array.from({ length: greedyCallers }, one))
  await agent.destroy()
}
