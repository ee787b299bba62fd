/**
 * The points of the last half hour, as the service remembers them, turned into the columns that
 * plots draw. Counters become shares of what happened between two points. Pure.
 */

/**
 * @typedef {{
 *   at: number, used: number, workingLimit: number, waiting: number,
 *   hits?: number, stale?: number, collapsed?: number, misses?: number,
 *   latencyP50?: number | null, latencyP99?: number | null
 * }} Point
 * @typedef {{ fresh: number, stale: number, collapsed: number, miss: number }} Shares
 */

/** A minute after the start its first points are to be seen, and not to look like all of the past. */
const leastSpanMs = 120_000

/** Over how long answers are counted for one share. */
const shareMs = 60_000

export class Past {
  /** @type {Point[]} */
  #points = []
  #spanMs = 30 * 60_000

  /** Before the points of another connection, which brings all of them. */
  clear() {
    this.#points = []
  }

  /** @param {{ spanSeconds: number, points: readonly Point[] }} history */
  add({ points, spanSeconds }) {
    this.#spanMs = spanSeconds * 1000
    this.#points.push(...points)
    const from = (this.#points.at(-1)?.at ?? 0) - this.#spanMs
    this.#points = this.#points.filter(({ at }) => at >= from)
  }

  /** Unix milliseconds, from the first point to the latest: what is short is drawn large. */
  get span() {
    const until = this.#points.at(-1)?.at ?? 0
    return { from: Math.min(this.#points[0]?.at ?? 0, until - leastSpanMs), until }
  }

  /** In seconds, as plots want it. */
  get times() {
    return this.#points.map(({ at }) => at / 1000)
  }

  /** @param {'used' | 'workingLimit' | 'waiting' | 'latencyP50' | 'latencyP99'} name */
  column(name) {
    return this.#points.map(point => point[name] ?? null)
  }

  /** Of the answers in the minute before each point; undefined where there were none. */
  get shares() {
    let first = 0
    return this.#points.map((point, index) => {
      while (first < index && (this.#points[first]?.at ?? 0) < point.at - shareMs) first++
      return sharesBetween(this.#points[first] ?? point, point)
    })
  }
}

/**
 * @param {Point} before
 * @param {Point} after
 * @returns {Shares | undefined}
 */
function sharesBetween(before, after) {
  const grown = (/** @type {'hits' | 'stale' | 'collapsed' | 'misses'} */ name) =>
    (after[name] ?? 0) - (before[name] ?? 0)
  const [fresh, stale] = [grown('hits'), grown('stale')]
  const [collapsed, miss] = [grown('collapsed'), grown('misses')]
  const all = fresh + stale + collapsed + miss
  // Less than before: the service was started anew in between.
  if (all <= 0 || Math.min(fresh, stale, collapsed, miss) < 0) return undefined
  return { fresh: fresh / all, stale: stale / all, collapsed: collapsed / all, miss: miss / all }
}
