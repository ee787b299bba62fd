/**
 * Everything that is counted, folded from the stream of events: since the start, and bounded
 * whatever callers send or the upstream answers. The status page and Prometheus read it.
 */

import type { BrakeMode, Event, EvictionReason, Priority } from '../ports.ts'
import { Attempts } from './attempts.ts'
import { Histogram } from './histogram.ts'
import { Requests } from './requests.ts'

/** Seconds. */
const waitBounds = [0.01, 0.1, 0.5, 1, 2, 4, 8, 16, 30, 60]

export class Figures {
  /** The configured teams, or the one that everybody is. */
  readonly teams: readonly string[]
  readonly requests: Requests
  readonly attempts = new Attempts()
  /** How long calls stood in line before they left. */
  readonly waits: Readonly<Record<Priority, Histogram>> = {
    interactive: new Histogram(waitBounds),
    refresh: new Histogram(waitBounds),
    bulk: new Histogram(waitBounds)
  }
  readonly evictions: Record<EvictionReason, number> = { room: 0, 'too-large': 0 }
  readonly pauses: Record<BrakeMode, number> = { paused: 0, 'key-refused': 0, failing: 0 }
  readonly #calls = new Map<string, number>()
  /** Whose calls are under way, by slot. */
  readonly #flying = new Map<number, string>()
  #thefts = 0

  constructor(teams: readonly string[]) {
    this.teams = teams
    this.requests = new Requests(teams)
    for (const team of teams) this.#calls.set(team, 0)
  }

  /** Calls that left, by the team in whose turn they did. */
  get calls(): ReadonlyMap<string, number> {
    return this.#calls
  }

  /** How often somebody else was found to spend from the key. */
  get thefts(): number {
    return this.#thefts
  }

  record(event: Event): void {
    switch (event.type) {
      case 'http.answered':
        this.requests.record(event)
        break
      case 'cache.evicted':
        this.evictions[event.reason]++
        break
      case 'schedule.waited':
        this.waits[event.priority].observe(event.waitedMs / 1000)
        break
      case 'schedule.sent':
        this.#flying.set(event.slot, event.team)
        this.#spend(event.team, 1)
        break
      case 'schedule.settled':
        this.#flying.delete(event.slot)
        break
      case 'schedule.released':
        this.#spend(this.#flying.get(event.slot)!, -1)
        this.#flying.delete(event.slot)
        break
      case 'schedule.braked':
        this.pauses[event.mode]++
        break
      case 'schedule.robbed':
        this.#thefts++
        break
      case 'upstream.answered':
        this.attempts.answered(event.status, event.durationMs)
        break
      case 'upstream.failed':
        this.attempts.failed(event)
        break
    }
  }

  #spend(team: string, calls: number): void {
    const spent = this.#calls.get(team)
    if (spent !== undefined) this.#calls.set(team, spent + calls)
  }
}
