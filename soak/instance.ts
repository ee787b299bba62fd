/**
 * One instance of the service, which can be killed, started again, suspended, asked to end, and
 * measured. Everything it writes is kept in its folder.
 */

import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceProcess } from '../bench/service-process.ts'
import { systemClock } from '../src/clock.ts'
import { adminToken, shutdownGraceMs } from './conditions.ts'
import { type Life, sampleOf } from './levels.ts'
import { OwnWords } from './own-words.ts'

const readyWithinMs = 60_000

export interface InstanceOptions {
  readonly name: string
  readonly port: number
  readonly adminPort: number
  readonly environment: Readonly<Record<string, string>>
  readonly folder: string
}

export interface Ending {
  readonly code: number | null
  readonly ms: number
}

export class Instance {
  readonly name: string
  readonly url: string
  readonly folder: string
  readonly lives: Life[] = []
  readonly #service: ServiceProcess
  readonly #adminUrl: string
  readonly #words: OwnWords

  constructor({ adminPort, environment, folder, name, port }: InstanceOptions) {
    this.name = name
    this.url = `http://127.0.0.1:${port}`
    this.#adminUrl = `http://127.0.0.1:${adminPort}`
    this.folder = folder
    const place = { PORT: String(port), ADMIN_PORT: String(adminPort) }
    const output = join(folder, 'output')
    this.#words = new OwnWords(output)
    this.#service = new ServiceProcess({
      ...{ folder, output },
      environment: { ...environment, ...place, STATE_DIR: join(folder, 'state') }
    })
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    this.lives.push({ samples: [], heaps: [] })
    this.#service.launch()
    const until = systemClock.now() + readyWithinMs
    while (systemClock.now() < until && !this.hasEnded) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined)
      await answer?.text()
      if (answer?.ok) return
      await sleep(20)
    }
    throw new Error(`${this.name} did not become ready`)
  }

  kill(): Promise<void> {
    return this.#service.kill()
  }

  suspend(): void {
    this.#service.signal('SIGSTOP')
  }

  resume(): void {
    this.#service.signal('SIGCONT')
  }

  /** Whether it ended without having been killed. */
  get hasEnded(): boolean {
    const { child } = this.#service
    return child !== undefined && (child.exitCode !== null || child.signalCode !== null)
  }

  sample(): void {
    const pid = this.#service.child?.pid
    const sample = pid === undefined ? undefined : sampleOf(pid, systemClock.now())
    if (sample) this.lives.at(-1)?.samples.push(sample)
  }

  /** Whether it said, since it was last asked, that the store did not answer in time. */
  lostStore(): boolean {
    return this.#words.lostStore()
  }

  /** What its own audit says of the law; undefined if it does not answer. */
  async mostInAnyWindow(): Promise<number | undefined> {
    const text = await this.#askAdmin('/status')
    return text === undefined ? undefined : JSON.parse(text).budget.maxInAnyWindow
  }

  async sampleHeap(): Promise<void> {
    const life = this.lives.at(-1)
    const text = await this.#askAdmin('/metrics')
    if (text === undefined) return
    const mb = (name: string) => Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]) / 2 ** 20
    life?.heaps.push({
      at: systemClock.now(),
      usedMb: mb('nodejs_heap_size_used_bytes'),
      totalMb: mb('nodejs_heap_size_total_bytes'),
      externalMb: mb('nodejs_external_memory_bytes')
    })
  }

  async #askAdmin(path: string): Promise<string | undefined> {
    const headers = { authorization: `Bearer ${adminToken}` }
    try {
      const answer = await fetch(this.#adminUrl + path, { headers })
      return await answer.text()
    } catch {
      return undefined
    }
  }

  /** SIGTERM; kills it if it does not end in twice the time that it has. */
  async drain(): Promise<Ending> {
    const from = systemClock.now()
    const gone = once(this.#service.child!, 'exit')
    this.#service.signal('SIGTERM')
    const timer = setTimeout(() => this.#service.signal('SIGKILL'), 2 * shutdownGraceMs)
    const [code] = await gone
    clearTimeout(timer)
    return { code, ms: systemClock.now() - from }
  }

  end(): Promise<void> {
    return this.#service.end()
  }
}
