/**
 * Clients of three teams: each asks, reads the whole answer, thinks for a moment and asks again,
 * whichever instance comes first. Some remember entity tags and ask whether anything is new.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Random } from '../simulator/random.ts'
import { systemClock } from '../src/clock.ts'
import { type Team, tokens } from './conditions.ts'
import type { Exchange } from './exchange.ts'
import type { History } from './history.ts'
import { ask, type Question } from './questions.ts'

/** Whoever waits longer is told so, and nobody ever should. */
const patienceMs = 60_000

export interface Target {
  readonly name: string
  readonly url: string
}

export interface CallersOptions {
  readonly targets: readonly Target[]
  readonly history: History
  /** A stream of its own for each caller. */
  readonly randomOf: (team: string, index: number) => Random
  readonly onExchange: (exchange: Exchange) => void
}

const callersPerTeam = 4
const thinkMs = 200
/** After an answer that is none. */
const pauseMs = 200

export class Callers {
  readonly #options: CallersOptions
  readonly #agent = newAgent()
  readonly #loops: Promise<void>[]
  #stopped = false

  constructor(options: CallersOptions) {
    this.#options = options
    this.#loops = (Object.keys(tokens) as Team[]).flatMap(team =>
      Array.from({ length: callersPerTeam }, (_, index) =>
        this.#goOn(team, options.randomOf(team, index))
      )
    )
  }

  /** Resolves when everybody has an answer. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#loops)
    await this.#agent.destroy()
  }

  async #goOn(team: Team, random: Random): Promise<void> {
    const known = new Map<string, Remembered>()
    while (!this.#stopped) {
      const question = ask(random, this.#options.history)
      const target = random.pick(this.#options.targets)
      const remembers = question.method === 'GET' && random.chance(0.5)
      const outcome = await this.#ask({
        question,
        target,
        team,
        known: remembers ? known : undefined
      })
      const failed = outcome.kind === 'failed' || outcome.status >= 429
      await sleep(failed ? pauseMs : 2 * thinkMs * random.next())
    }
  }

  async #ask({ known, question, target, team }: Asking): Promise<Exchange['outcome']> {
    const startedAt = systemClock.now()
    const headers = { ...question.headers, authorization: `Bearer ${tokens[team]}` }
    const asked = { ...question, headers }
    const outcome = await answerTo({
      question: asked,
      url: target.url,
      dispatcher: this.#agent,
      known
    })
    const endedAt = systemClock.now()
    this.#options.onExchange({
      ...{ question, instance: target.name, team, startedAt, endedAt, outcome }
    })
    return outcome
  }
}

interface Asking {
  readonly question: Question
  readonly target: Target
  readonly team: Team
  readonly known: Map<string, Remembered> | undefined
}

/** What is known of a path. */
interface Remembered {
  readonly etag: string
  readonly body: string
}

const rememberedAtMost = 50

export interface Dispatch {
  readonly question: Question
  readonly url: string
  readonly dispatcher: Agent
  /** By path; asked whether it is still right, and kept up to date. */
  readonly known?: Map<string, Remembered> | undefined
}

export async function answerTo(dispatch: Dispatch): Promise<Exchange['outcome']> {
  const { dispatcher, known, question, url } = dispatch
  const remembered = known?.get(question.path)
  let during: 'head' | 'body' = 'head'
  try {
    const { body, headers, statusCode } = await request(url + question.path, {
      dispatcher,
      method: question.method,
      headers: { ...question.headers, ...(remembered && { 'if-none-match': remembered.etag }) },
      ...(question.body !== undefined && { body: question.body })
    })
    during = 'body'
    const text = await body.text()
    const { age, etag } = headers
    if (known && statusCode === 200 && typeof etag === 'string') {
      if (known.size >= rememberedAtMost) known.clear()
      known.set(question.path, { etag, body: text })
    }
    return {
      kind: 'answered',
      status: statusCode,
      ageSeconds: age === undefined ? undefined : Number(age),
      cacheStatus: String(headers['cache-status'] ?? ''),
      body: statusCode === 304 ? (remembered?.body ?? '') : text
    }
  } catch (error) {
    const { code, name } = error as { code?: string; name: string }
    return { kind: 'failed', during, code: code ?? name }
  }
}

export function newAgent(): Agent {
  return new Agent({
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
    connectTimeout: patienceMs
  })
}
