/**
 * Saturation from outside: every team always has the same number of requests under way, each for
 * another page so that none collapses with another, and asks for the next as soon as one is
 * answered. Who is refused, or finds nobody listening, asks for the same again.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { targets } from './conditions.ts'

export interface LoadOptions {
  readonly url: string
  /** By team. */
  readonly tokens: Readonly<Record<string, string>>
  readonly outstandingPerTeam: number
}

/** By team: how often each status was answered, and how often nobody did (`none`). */
export type Answers = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface Load {
  answers(): Answers
  stop(): Promise<void>
}

/** Before asking for the same again. */
const pauseMs = 100

export function startLoad({ url, tokens, outstandingPerTeam }: LoadOptions): Load {
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
  const target = targets()
  const counts: Record<string, Record<string, number>> = {}
  let stopped = false
  const keepAsking = async (token: string, ours: Record<string, number>) => {
    let page = target.next().value
    while (!stopped) {
      const status = await statusOf(url + page, token, agent).catch(() => 'none')
      if (!stopped) ours[status] = (ours[status] ?? 0) + 1
      if (status === '200') page = target.next().value
      else await sleep(pauseMs)
    }
  }
  const askers = Object.entries(tokens).flatMap(([team, token]) => {
    const ours: Record<string, number> = {}
    counts[team] = ours
    return Array.from({ length: outstandingPerTeam }, () => keepAsking(token, ours))
  })
  return {
    answers: () => counts,
    stop: async () => {
      stopped = true
      await agent.destroy()
      await Promise.all(askers)
    }
  }
}

async function statusOf(url: string, token: string, dispatcher: Agent): Promise<string> {
  const headers = { authorization: `Bearer ${token}` }
  const { statusCode, body } = await request(url, { dispatcher, headers })
  await body.dump()
  return String(statusCode)
}
