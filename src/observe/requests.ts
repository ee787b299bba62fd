/**
 * Answered requests by team, route, status and cache outcome. All that can happen has its place
 * from the start, and what cannot has one under `other`: so there are as many series after a
 * million requests as before the first, whatever callers send, and counting is one addition.
 */

import type { CacheOutcome } from '../cache-status.ts'
import type { Event } from '../ports.ts'
import { Histogram } from './histogram.ts'

/** How many requests were answered in one way. */
export interface Answers {
  readonly team: string
  readonly route: string
  readonly status: string
  readonly cache: CacheOutcome | 'none'
  count: number
}

/** Stands for no team and for no route; no team can be called that. */
const none = '(none)'

type Answered = Extract<Event, { type: 'http.answered' }>

interface Statuses {
  /** With each cache outcome. */
  readonly cached: readonly number[]
  readonly plain: readonly number[]
}

const outcomes: readonly CacheOutcome[] = ['hit', 'stale', 'collapsed', 'miss']
const failed = [400, 404, 429, 499, 500, 502, 503, 504]

/** What a request with a team may be answered. */
const ofTeams: Readonly<Record<string, Statuses>> = {
  '/chats': { cached: [200, 304], plain: failed },
  '/chats/{id}': { cached: [200, 304], plain: failed },
  '/chats/{id}/messages': { cached: [200, 304], plain: failed },
  '/chats/search': { cached: [200], plain: [...failed, 408, 413, 415] },
  '/chats/export': { cached: [], plain: [200, ...failed] },
  [none]: { cached: [], plain: [400, 404, 405, 429, 499, 503] }
}

const refused: Statuses = { cached: [], plain: [400, 401, 414, 431, 499, 500, 503] }
const open: Statuses = { cached: [], plain: [200, 302, 304, ...refused.plain] }

/** What a request without one may be answered. */
const ofNobody: Readonly<Record<string, Statuses>> = {
  ...Object.fromEntries(Object.keys(ofTeams).map(route => [route, refused])),
  '/': open,
  '/docs': { cached: [], plain: [...open.plain, 404] },
  '/healthz': open,
  '/openapi.yaml': open,
  '/readyz': open,
  '/webhooks/helpcrunch': { cached: [], plain: [...open.plain, 408, 413, 415] },
  [none]: { cached: [], plain: [...refused.plain, 204, 404, 405, 408, 413, 417] }
}

/** Seconds. A hit takes well under a millisecond; a miss waits for its turn and the upstream. */
const hitBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]
const missBounds = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 12, 20, 30]

export class Requests {
  /** By team and route, at `10 * status + outcome`. */
  readonly #places = new Map<string, Map<string, Map<number, Answers>>>()
  readonly #answers: Answers[] = []
  /** Durations of answers that needed no call, and of those that waited for one. */
  readonly hits = new Histogram(hitBounds)
  readonly misses = new Histogram(missBounds)

  /** @param teams all there are */
  constructor(teams: readonly string[]) {
    for (const team of teams) this.#makePlaces(team, ofTeams)
    this.#makePlaces(none, ofNobody)
  }

  /** Every way there is, counted or not. */
  get answers(): readonly Answers[] {
    return this.#answers
  }

  record({ cache, durationMs, route, status, team }: Answered): void {
    const routes = this.#places.get(team) ?? this.#places.get(none)!
    const places = routes.get(route ?? none) ?? routes.get(none)!
    const place = places.get(placeOf(status, cache)) ?? places.get(elsewhere)!
    place.count++
    if (cache === 'hit' || cache === 'stale') this.hits.observe(durationMs / 1000)
    else if (cache !== undefined) this.misses.observe(durationMs / 1000)
  }

  /** How many answers were such. */
  count(isSuch: (answers: Answers) => boolean): number {
    return this.#answers.reduce((sum, place) => sum + (isSuch(place) ? place.count : 0), 0)
  }

  #makePlaces(team: string, routes: Readonly<Record<string, Statuses>>): void {
    const byRoute = new Map<string, Map<number, Answers>>()
    this.#places.set(team, byRoute)
    for (const [route, { cached, plain }] of Object.entries(routes)) {
      const places = new Map<number, Answers>()
      byRoute.set(route, places)
      const make = (place: number, status: string, cache: Answers['cache']) => {
        const answers = { team, route, status, cache, count: 0 }
        places.set(place, answers)
        this.#answers.push(answers)
      }
      for (const status of plain) make(placeOf(status, undefined), String(status), 'none')
      for (const status of cached) {
        for (const cache of outcomes) make(placeOf(status, cache), String(status), cache)
      }
      make(elsewhere, 'other', 'none')
    }
  }
}

const elsewhere = -1

function placeOf(status: number, cache: CacheOutcome | undefined): number {
  return 10 * status + (cache === undefined ? 9 : outcomes.indexOf(cache))
}

/** Every route's name. */
export const routeNames = Object.keys(ofNobody)

/** Given without spending a call of its own. */
export function isSaved({ cache }: Answers): boolean {
  return cache === 'hit' || cache === 'stale' || cache === 'collapsed'
}
