/**
 * The source of trouble. Acts, in which every lane has one trouble after the other, alternate with
 * calm, in which whatever callers are still refused has to be unexplained sooner or later. Each lane
 * goes through all its troubles, in an order of the seed, before one of them comes again.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../simulator/random.ts'
import { systemClock } from '../src/clock.ts'
import type { Chronicle } from './chronicle.ts'
import type { Exchange } from './exchange.ts'
import type { Site } from './site.ts'
import { type Lane, type Trouble, troublesOf } from './troubles.ts'

const settleMs = 8000
const actMs = 30_000
const calmMs = 18_000
const calmSpreadMs = 12_000
const shortestMs = 1500
const longestMs = 4500
const pauseMs = 1000

export interface NemesisOptions {
  readonly site: Site
  readonly chronicle: Chronicle
  /** A stream of its own for each purpose. */
  readonly randomOf: (purpose: string) => Random
  readonly until: number
  /** From then on only the first replica is killed, so that others live long enough to be measured. */
  readonly noKillsAfter: number
  readonly tell: (line: string) => void
  readonly onExchange: (exchange: Exchange) => void
  readonly onBroken: (what: string) => void
}

export class Nemesis {
  /** How often each trouble came. */
  readonly counts: Record<string, number> = {}
  readonly #options: NemesisOptions

  constructor(options: NemesisOptions) {
    this.#options = options
    for (const troubles of Object.values(troublesOf(options.site))) {
      for (const { name } of troubles) this.counts[name] = 0
    }
  }

  /** Resolves when the last trouble is mended. */
  async play(): Promise<void> {
    const { randomOf, site, until } = this.#options
    const lanes = Object.entries(troublesOf(site)) as [Lane, readonly Trouble[]][]
    const bags = lanes.map(([lane, troubles]) => new Bag(troubles, randomOf(lane)))
    const calm = randomOf('calm')
    await sleep(settleMs)
    while (systemClock.now() + actMs / 2 < until) {
      const end = Math.min(until, systemClock.now() + actMs)
      await Promise.all(bags.map(bag => this.#playLane(bag, end)))
      await sleep(
        Math.min(calmMs + calm.below(calmSpreadMs), Math.max(until - systemClock.now(), 0))
      )
    }
  }

  async #playLane(bag: Bag, end: number): Promise<void> {
    while (systemClock.now() + shortestMs < end) {
      const lastingMs = shortestMs + bag.random.below(longestMs - shortestMs)
      const trouble = bag.draw()
      if (!trouble) return
      await this.#inflict(trouble, bag.random, lastingMs)
      await sleep(bag.random.below(2 * pauseMs))
    }
  }

  async #inflict(trouble: Trouble, random: Random, lastingMs: number): Promise<void> {
    const { chronicle, noKillsAfter, onBroken, onExchange, site, tell } = this.#options
    const from = systemClock.now()
    const some =
      trouble.isFatal && from > noKillsAfter
        ? site.instances.slice(0, site.store ? 1 : 0)
        : site.instances
    const instance = random.pick(some)
    if (!instance) return
    this.counts[trouble.name]! += 1
    const { effects, isOfOne, lastsMs = 0, name, suspends = false } = trouble
    const meant = isOfOne ? instance.name : undefined
    const detail = `${name}${meant === undefined ? '' : ` (${meant})`}`
    tell(detail)
    const finish = chronicle.begin({
      name,
      detail,
      from,
      instance: meant,
      effects,
      lastsMs,
      suspends
    })
    try {
      await trouble.befall({ site, instance, random, lastingMs, onExchange, onBroken })
    } catch (error) {
      onBroken(`${detail}: ${(error as Error).message}`)
    }
    finish(systemClock.now())
    tell(`${detail}: over`)
  }
}

/** All of them in some order, and then all of them again. */
class Bag {
  readonly random: Random
  readonly #troubles: readonly Trouble[]
  #left: Trouble[] = []

  constructor(troubles: readonly Trouble[], random: Random) {
    this.#troubles = troubles
    this.random = random
  }

  draw(): Trouble | undefined {
    if (this.#left.length === 0) this.#left = [...this.#troubles]
    return this.#left.splice(this.random.below(this.#left.length), 1)[0]
  }
}
