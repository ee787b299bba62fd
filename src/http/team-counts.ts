/**
 * How many requests each team has made in its window of a minute. Counted here, at once; with a
 * store, what was counted is told to the other replicas in the background, twice a second, and what
 * they counted is learnt by that. So a request never waits for the store, and a team that uses
 * several replicas gets at most what it can send them in half a second on top of its limit. Without
 * an answer each replica goes on with what it knows.
 */

import type { Clock, Timer } from '../clock.ts'
import { type Script, type SharedStore, StoreError } from '../shared-store.ts'

export const windowMs = 60_000
const exchangeEveryMs = 500

/** The window is the store's: it begins with the first request that anybody tells of. */
const exchange: Script = {
  name: 'team counts',
  lua: `
local told = {}
for at, key in ipairs(KEYS) do
  if redis.call('TYPE', key).ok ~= 'string' then redis.call('UNLINK', key) end
  local count = tonumber(redis.call('GET', key) or 0)
  if not count or redis.call('PTTL', key) < 0 then
    count = 0
    redis.call('SET', key, 0, 'PX', ARGV[1])
  end
  redis.call('INCRBY', key, ARGV[at + 1])
  told[at] = {count + tonumber(ARGV[at + 1]), redis.call('PTTL', key)}
end
return told`
}

interface Window {
  endsAt: number
  /** Requests that came here. */
  own: number
  /** Of these, those that the others were not told of. */
  untold: number
  /** Requests at all replicas, as far as they told. */
  told: number
}

export class TeamCounts {
  readonly #clock: Clock
  readonly #store: SharedStore | undefined
  /** One for each team, and teams are configured. */
  readonly #windows = new Map<string, Window>()
  #timer: Timer | undefined
  #isStopped = false

  constructor(clock: Clock, store: SharedStore | undefined) {
    this.#clock = clock
    this.#store = store
  }

  /** Counts one request of the team. */
  count(team: string): { readonly current: number; readonly ttl: number } {
    const now = this.#clock.now()
    const window = this.#window(team, now)
    window.own++
    window.untold++
    this.#exchangeLater()
    return { current: currentOf(window), ttl: Math.max(window.endsAt - now, 0) }
  }

  /** How many it has made; counts nothing. */
  peek(team: string): { readonly current: number; readonly ttl: number } {
    const now = this.#clock.now()
    const known = this.#windows.get(team)
    if (!known || now >= known.endsAt) return { current: 0, ttl: windowMs }
    return { current: currentOf(known), ttl: known.endsAt - now }
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #window(team: string, now: number): Window {
    const known = this.#windows.get(team)
    if (known && now < known.endsAt) return known
    const window = { endsAt: now + windowMs, own: 0, untold: 0, told: 0 }
    this.#windows.set(team, window)
    return window
  }

  #exchangeLater(): void {
    if (!this.#store || this.#timer || this.#isStopped) return
    this.#timer = this.#clock.after(exchangeEveryMs, () => {
      this.#exchange().finally(() => {
        this.#timer = undefined
        if ([...this.#windows.values()].some(({ untold }) => untold > 0)) this.#exchangeLater()
      })
    })
  }

  async #exchange(): Promise<void> {
    const store = this.#store!
    if (!store.isUp) return
    const now = this.#clock.now()
    const news = [...this.#windows].filter(([, { endsAt, untold }]) => now < endsAt && untold > 0)
    if (news.length === 0) return
    const telling = news.map(([team, window]) => ({ team, window, count: window.untold }))
    // Counted as told at once: what comes in meanwhile is for the next time.
    for (const { count, window } of telling) {
      window.untold -= count
      window.told += count
    }
    const keys = telling.map(({ team }) => `${store.namespace}team:${team}`)
    const args = [windowMs, ...telling.map(({ count }) => count)]
    try {
      const answer = (await store.run(exchange, { keys, args })) as [number, number][]
      for (const [at, [total, leftMs]] of answer.entries()) {
        const { window } = telling[at]!
        window.told = total
        window.endsAt = this.#clock.now() + leftMs
      }
    } catch (error) {
      // One that may have been heard is not said twice.
      if (error instanceof StoreError && error.kind === 'unknown') return
      for (const { count, window } of telling) {
        window.untold += count
        window.told -= count
      }
    }
  }
}

/** A store that has lost its memory knows less than we do. */
function currentOf({ own, told, untold }: Window): number {
  return Math.max(told + untold, own)
}
