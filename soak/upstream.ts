/**
 * The parent's end of `upstream-process.ts`: gives orders, and turns what is told into a history of
 * the chats and a list of arrivals.
 */

import { once } from 'node:events'
import { kill, startScript } from '../bench/processes.ts'
import { Arrivals } from './arrivals.ts'
import { History } from './history.ts'
import type { Order, Told } from './upstream-words.ts'

type Ready = Extract<Told, { kind: 'ready' }>

export interface Pulse {
  readonly at: number
  readonly lateMs: number
}

export interface UpstreamOptions {
  readonly seed: number
  /** So many lines to the store at that port. */
  readonly store: { readonly port: number; readonly lines: number } | undefined
  /** Called when all that happened until then is known. */
  readonly onPulse: (pulse: Pulse) => void
}

export class Upstream {
  readonly baseUrl: string
  readonly storeUrls: readonly string[]
  readonly history: History
  readonly arrivals = new Arrivals()
  readonly #child: ReturnType<typeof startScript>

  private constructor(child: ReturnType<typeof startScript>, ready: Ready, seed: number) {
    this.#child = child
    this.baseUrl = ready.baseUrl
    this.storeUrls = ready.storeUrls
    this.history = new History(seed)
  }

  static async start({ onPulse, seed, store }: UpstreamOptions): Promise<Upstream> {
    const script = new URL('./upstream-process.ts', import.meta.url)
    const args = [seed, store?.port ?? 0, store?.lines ?? 0].map(String)
    const child = startScript({ script, args, channel: true })
    const [ready] = (await once(child, 'message')) as [Ready]
    const upstream = new Upstream(child, ready, seed)
    child.on('message', message => {
      const told = message as Told
      if (told.kind === 'changed') upstream.history.change(told.at)
      if (told.kind !== 'pulse') return
      upstream.arrivals.add(told)
      onPulse(told)
    })
    return upstream
  }

  order(order: Order): void {
    this.#child.send(order)
  }

  end(): Promise<void> {
    return kill(this.#child)
  }
}
