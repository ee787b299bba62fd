/** Exports the whole list again and again, from whichever instance comes first. */

import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Random } from '../simulator/random.ts'
import { systemClock } from '../src/clock.ts'
import { newAgent, type Target } from './callers.ts'
import { tokens } from './conditions.ts'

const pauseMs = 2000

export interface Exported {
  readonly instance: string
  readonly startedAt: number
  readonly endedAt: number
  /** 0 if there was no answer. */
  readonly status: number
  readonly body: string
  /** Whether the body came to its end. */
  readonly ended: boolean
}

export interface ExporterOptions {
  readonly targets: readonly Target[]
  readonly random: Random
  readonly onExport: (exported: Exported) => void
}

export class Exporter {
  readonly #agent = newAgent()
  readonly #loop: Promise<void>
  #stopped = false

  constructor(options: ExporterOptions) {
    this.#loop = this.#goOn(options)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#loop
    await this.#agent.destroy()
  }

  async #goOn({ onExport, random, targets }: ExporterOptions): Promise<void> {
    while (!this.#stopped) {
      onExport(await this.#export(random.pick(targets)))
      await sleep(pauseMs * (0.5 + random.next()))
    }
  }

  async #export({ name, url }: Target): Promise<Exported> {
    const startedAt = systemClock.now()
    const chunks: Buffer[] = []
    let [ended, status] = [false, 0]
    try {
      const { body, statusCode } = await request(`${url}/chats/export?format=ndjson`, {
        dispatcher: this.#agent,
        headers: { authorization: `Bearer ${tokens.green}` }
      })
      status = statusCode
      for await (const chunk of body) chunks.push(chunk)
      ended = true
    } catch {
      // How far it came is in what it says.
    }
    const body = Buffer.concat(chunks).toString()
    return { instance: name, startedAt, endedAt: systemClock.now(), status, body, ended }
  }
}
