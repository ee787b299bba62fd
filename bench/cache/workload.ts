/**
 * Who asks for what and when, from one seed: callers who look at the first page of a list, and
 * after each page go on to the next or not. Knows nothing of what is answered.
 */

import type { Random } from '../../simulator/random.ts'
import {
  goOnChance,
  leastPauseMs,
  lists,
  pageSizes,
  pauseJitterMs,
  teams,
  zipfExponent
} from './conditions.ts'

/** Chats `offset` up to, not including, `offset + limit` of a list, which is an index of `lists`. */
export interface Part {
  readonly list: number
  readonly offset: number
  readonly limit: number
}

export interface Request extends Part {
  /** Milliseconds from the start. */
  readonly at: number
  readonly team: string
}

interface WorkloadOptions {
  readonly random: Random
  readonly requestsPerSecond: number
  readonly durationMs: number
}

/** In the order of time. */
export function workload({ random, requestsPerSecond, durationMs }: WorkloadOptions): Request[] {
  const walksPerMs = (requestsPerSecond * (1 - goOnChance)) / 1000
  const requests: Request[] = []
  for (let at = gap(random, walksPerMs); at < durationMs; at += gap(random, walksPerMs)) {
    for (const request of walk(random, at)) if (request.at < durationMs) requests.push(request)
  }
  return requests.sort((a, b) => a.at - b.at)
}

/** To the next event of a Poisson process, in milliseconds. */
export function gap(random: Random, perMs: number): number {
  return -Math.log(1 - random.next()) / perMs
}

function* walk(random: Random, start: number): Generator<Request, void> {
  const same = {
    team: random.pick(teams),
    list: pickWeighted(random, listWeights),
    limit: random.pick(pageSizes)
  }
  let at = start
  for (let offset = 0; ; offset += same.limit) {
    yield { at, offset, ...same }
    if (!random.chance(goOnChance)) return
    at += leastPauseMs + random.next() * pauseJitterMs
  }
}

const listWeights = lists.map((_, index) => 1 / (index + 1) ** zipfExponent)

/** An index, by the weights. */
export function pickWeighted(random: Random, weights: readonly number[]): number {
  let left = random.next() * weights.reduce((sum, weight) => sum + weight)
  for (const [index, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return index
  }
  return weights.length - 1
}
