/**
 * One set-up from its start to its drained end: a site, its callers and its nemesis, and a judge over
 * all of it. Returns figures, and what was broken.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Random } from '../simulator/random.ts'
import { systemClock } from '../src/clock.ts'
import { Callers } from './callers.ts'
import { Chronicle } from './chronicle.ts'
import { drain, type Endings, leaksOf } from './ending.ts'
import type { Exchange } from './exchange.ts'
import { type Exported, Exporter } from './exporter.ts'
import { Judge } from './judge.ts'
import type { Levels } from './levels.ts'
import { Nemesis } from './nemesis.ts'
import { doubtMs } from './outside-troubles.ts'
import { Pressure } from './pressure.ts'
import { openSite, type Site, type SiteName } from './site.ts'
import { Watch } from './watch.ts'

export interface SetUpOptions {
  readonly name: SiteName
  readonly seed: number
  readonly lastingMs: number
  readonly tell: (line: string) => void
}

export interface Result {
  readonly name: SiteName
  readonly seconds: number
  readonly answers: Readonly<Record<string, number>>
  /** Requests made while nothing would have excused a refusal. */
  readonly inCalm: number
  readonly reasons: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly exports: Judge['exports']
  readonly calls: number
  readonly largestWindow: number
  readonly longestMs: number
  readonly longestNetMs: number
  /** The last life of each instance. */
  readonly levels: Readonly<Record<string, Levels>>
  readonly endings: Endings
  readonly troubles: Readonly<Record<string, number>>
  readonly machine: Pressure['figures']
  readonly broken: readonly string[]
}

/** The first part of a long run may kill anybody; who lives from then on is measured. */
const killingPart = 0.1
const longRunMs = 420_000
const lastWordsMs = 1000

export async function runSetUp(options: SetUpOptions): Promise<Result> {
  const run = new Run(options)
  return run.result()
}

class Run {
  readonly #options: SetUpOptions
  readonly #startedAt = systemClock.now()
  readonly #chronicle = new Chronicle()
  readonly #pressure = new Pressure((from, to) => this.#stalled(from, to))
  readonly #broken: string[] = []
  #exchanges: Exchange[] = []
  #exports: Exported[] = []
  #judge: Judge | undefined

  constructor(options: SetUpOptions) {
    this.#options = options
  }

  async result(): Promise<Result> {
    const { name, seed } = this.#options
    this.#pressure.watch()
    const site = await openSite(name, seed, ({ at, lateMs }) => {
      this.#pressure.note(lateMs)
      this.#judgeUntil(at)
    })
    this.#judge = new Judge({
      ...{ history: site.upstream.history, arrivals: site.upstream.arrivals },
      ...{ chronicle: this.#chronicle, pressure: this.#pressure },
      secondOf: at => ((at - this.#startedAt) / 1000).toFixed(1),
      onBroken: what => this.#break(what)
    })
    if (site.store) this.#excuseStart()
    try {
      return await this.#soak(site, this.#judge)
    } finally {
      this.#pressure.stop()
      await site.end()
    }
  }

  async #soak(site: Site, judge: Judge): Promise<Result> {
    const { lastingMs, name, tell } = this.#options
    const watch = new Watch({
      ...{ site, chronicle: this.#chronicle, pressure: this.#pressure, tell },
      onBroken: what => this.#break(what)
    })
    const callers = this.#call(site)
    const until = this.#startedAt + lastingMs
    const nemesis = new Nemesis({
      ...{ site, chronicle: this.#chronicle, until, tell },
      randomOf: purpose => this.#random('nemesis', purpose),
      noKillsAfter: lastingMs < longRunMs ? until : this.#startedAt + killingPart * lastingMs,
      onExchange: exchange => this.#exchanges.push(exchange),
      onBroken: what => this.#break(what)
    })
    await nemesis.play()
    const levels = watch.stop()
    const endings = await drain({
      ...{ site, chronicle: this.#chronicle, pressure: this.#pressure, tell },
      onBroken: what => this.#break(what)
    })
    await Promise.all(callers.map(caller => caller.stop()))
    // The upstream's last words, after which everything can be judged.
    await sleep(lastWordsMs)
    this.#judgeUntil(Number.POSITIVE_INFINITY)
    for (const leak of leaksOf(site)) this.#break(leak)
    const { broken: lawless, count: calls, largest: largestWindow } = site.upstream.arrivals
    if (lawless !== undefined) this.#break(lawless)
    const { answers, exports, inCalm, longestMs, longestNetMs, reasons } = judge
    return {
      ...{ name, answers, inCalm, reasons, exports, calls, largestWindow, longestMs, longestNetMs },
      ...{ levels, endings, troubles: nemesis.counts, machine: this.#pressure.figures },
      seconds: (systemClock.now() - this.#startedAt) / 1000,
      broken: this.#broken
    }
  }

  #call({ instances, upstream: { history } }: Site): readonly { stop(): Promise<void> }[] {
    const callers = new Callers({
      ...{ targets: instances, history },
      randomOf: (team, index) => this.#random(team, String(index)),
      onExchange: exchange => this.#exchanges.push(exchange)
    })
    const exporter = new Exporter({
      targets: instances,
      random: this.#random('export'),
      onExport: exported => this.#exports.push(exported)
    })
    return [callers, exporter]
  }

  #judgeUntil(at: number): void {
    const [exchanges, exports] = [this.#exchanges, this.#exports]
    this.#exchanges = exchanges.filter(exchange => exchange.endedAt >= at)
    this.#exports = exports.filter(exported => exported.endedAt >= at)
    for (const exchange of exchanges) if (exchange.endedAt < at) this.#judge?.judge(exchange)
    for (const exported of exports) if (exported.endedAt < at) this.#judge?.judgeExport(exported)
  }

  /** Replicas have to join before they may send. */
  #excuseStart(): void {
    const incident = { name: 'the start', detail: 'the start', from: this.#startedAt }
    this.#chronicle.begin({
      ...{ ...incident, instance: undefined, effects: ['budget_exhausted'], lastsMs: doubtMs }
    })(systemClock.now())
  }

  #stalled(from: number, to: number): void {
    const detail = `this machine stood still for ${(to - from).toFixed()} ms`
    this.#options.tell(detail)
    const finish = this.#chronicle.begin({
      ...{ name: 'the machine stood still', detail, from, instance: undefined },
      effects: ['upstream_timeout', 'upstream_unreachable', 'budget_exhausted', 'overloaded']
    })
    finish(to)
  }

  #random(...purpose: string[]): Random {
    const letters = [this.#options.name, ...purpose].join()
    return new Random(this.#options.seed, ...Buffer.from(letters))
  }

  #break(what: string): void {
    this.#broken.push(what)
    this.#options.tell(`BROKEN: ${what}`)
  }
}
