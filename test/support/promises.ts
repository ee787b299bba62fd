/**
 * What was promised of an answer, judged by brute force from the records of the calls: for each of
 * its pages there has to be a fetch that may still be shown, and a moment during that fetch at
 * which the upstream held exactly these chats. How old it is counts from when the fetch began.
 * Knows nothing of how the cache decides.
 */

import { ServiceError } from '../../src/errors.ts'
import type { OpenAnswer } from './chats.ts'
import { hasFailed, type Landed, landedOf, pageSize } from './landed-pages.ts'
import { type Asked, type Fetched, type ListWorld, listName, waitMs } from './list-world.ts'
import { type Parts, partsOf, type Version } from './versioned-lists.ts'

/** As the service is configured; seconds there. */
export const lifetimes = { freshMs: 30_000, revalidateMs: 60_000, errorMs: 600_000 }

/** Neither events nor callers have a page fetched more often. */
const eventsEveryMs = 2000
const wishesEveryMs = 5000

/** Pages loaded together expire by up to this part of a lifetime earlier. */
const jitterPart = 0.1

/** Pages younger than this are not fetched again because they disagree. */
const youngMs = 2000

/** @returns what is wrong with what an answer cost, if nobody else made calls; undefined if nothing */
export function tooDear(world: ListWorld, asked: Asked): string | undefined {
  return new Judge(world, asked).costly()
}

/** @returns what is wrong with an answer; undefined if nothing is */
export function brokenPromise(world: ListWorld, asked: Asked): string | undefined {
  const judge = new Judge(world, asked)
  const { answer } = asked
  if (answer instanceof ServiceError) return judge.unexplained(answer)
  const { ageMs, lifetimeMs, status } = answer
  // Counted from when it was found, which is a while ago if another part had to be waited for.
  const passedMs = asked.end - asked.start
  if (status.kind === 'hit' && Math.abs(lifetimeMs - ageMs - status.ttlMs) > passedMs)
    return `ttl ${status.ttlMs}, but ${lifetimeMs - ageMs} remains`
  const parts = partsOf(answer.body, world.lists)
  if (parts.total !== answer.total) return `total ${answer.total}, but ${parts.total} in the body`
  return judge.wrongLength(parts) ?? judge.badSeam(parts, answer) ?? judge.untimely(parts, answer)
}

class Judge {
  readonly #world: ListWorld
  readonly #asked: Asked
  readonly #list: string
  /** Whatever of the list has landed by the end. */
  readonly #landed: readonly Landed[]

  constructor(world: ListWorld, asked: Asked) {
    this.#world = world
    this.#asked = asked
    this.#list = listName(asked.query)
    const calls = world.fetched.filter(({ call }) => call.list.name === this.#list)
    this.#landed = landedOf(calls).filter(({ landedAt }) => landedAt <= asked.end)
  }

  wrongLength({ chats, total }: Parts): string | undefined {
    const { limit, offset } = this.#asked.query
    const wanted = Math.max(Math.min(limit, total - offset), 0)
    return chats.length === wanted ? undefined : `${chats.length} chats instead of ${wanted}`
  }

  /** Errors are for failures and for what was forbidden. */
  unexplained({ code }: ServiceError): string | undefined {
    if (code === 'not_cached' && this.#asked.conditions?.onlyIfCached) return undefined
    return this.#hasFailed(() => true) ? undefined : `${code}, but no call failed`
  }

  /** A chat that stands on both sides of a border between pages is said, and only after a try. */
  badSeam({ chats }: Parts, { status }: OpenAnswer): string | undefined {
    const { conditions, end, query } = this.#asked
    const { offset } = query
    const isSaid = status.detail === 'seam'
    const at = chats.findIndex(
      (chat, step) =>
        (offset + step) % pageSize === 0 && step > 0 && idOf(chat) === idOf(chats[step - 1]!)
    )
    if (at >= 0 && !isSaid) return `chat ${at} stands there twice`
    const isYoung = this.#landed.some(({ landedAt }) => end - landedAt < youngMs)
    const hasTried = isYoung || this.#calls().length > 0
    return isSaid && !hasTried && !conditions?.onlyIfCached
      ? 'it says seam without having tried to mend it'
      : undefined
  }

  /** Whether some choice of fetches explains chats, total, age and what remains of freshness. */
  untimely(parts: Parts, { ageMs, lifetimeMs }: OpenAnswer): string | undefined {
    const { end } = this.#asked
    const pages = this.#indexes().map(index => this.#showable(index * pageSize))
    const all = parts.chats.length > 0 ? pages.flat() : [...pages.flat(), ...this.#ends()]
    const oldestAt = end - ageMs
    if (!all.some(({ sentAt }) => sentAt === oldestAt)) return `no page is ${ageMs} ms old`
    const newest = all.filter(page => this.#tells(page, parts)).map(({ landedAt }) => landedAt)
    if (newest.length === 0) return `no page that may be shown tells total ${parts.total}`
    const holders = pages.map(candidates => candidates.filter(page => this.#holds(page, parts)))
    const explained = (remainsMs: number) =>
      newest.some(newestAt =>
        holders.every((candidates, step) => {
          const inTime = candidates.filter(
            page =>
              page.sentAt >= oldestAt &&
              page.landedAt <= newestAt &&
              remainsMs <= Math.max(this.#freshFor(page), 0)
          )
          return inTime.length > 0 || !this.#reaches(step, parts)
        })
      )
    if (!explained(-Infinity)) return 'a page of it is of no moment that may be shown'
    const remainsMs = lifetimeMs - ageMs
    return explained(remainsMs) ? undefined : `fresh for ${remainsMs} ms, which a page of it is not`
  }

  /** A call a page, one to mend a seam, one to repeat what failed, one to complete what was short. */
  costly(): string | undefined {
    const { end, query, start } = this.#asked
    const pages = this.#indexes()
    const made = new Set(this.#world.fetched.slice(...this.#asked.calls))
    const calls = this.#calls().filter(
      one => made.has(one) && pages.includes(Math.floor(one.call.offset / pageSize))
    )
    const failed = calls.filter(({ count }) => count === undefined)
    const rests = calls.filter(({ call }) => call.limit < pageSize)
    // A list that grows meanwhile makes a last page short once more.
    const changes = this.#world.lists.between(this.#list, start, end).length - 1
    const most = Math.ceil(query.limit / pageSize) + 2 + failed.length + rests.length + changes
    if (calls.length > most) return `${calls.length} calls instead of at most ${most}`
    if (calls.length > 0 && this.#wasAllFresh()) return 'a call although all was there and fresh'
    const oftenFailed = failed.find(
      ({ call }) => failed.filter(other => other.call.target === call.target).length > 2
    )
    return oftenFailed && `it tried ${oftenFailed.call.target} more than twice`
  }

  /** Whether every page of the window was stored, fresh, and of the same version as the others. */
  #wasAllFresh(): boolean {
    const { conditions, start } = this.#asked
    const known = this.#landed.filter(
      page =>
        page.landedAt < start &&
        start - page.sentAt < lifetimes.freshMs * (1 - jitterPart) &&
        this.#invalidated(page).length === 0
    )
    const since = Math.min(...known.map(({ sentAt }) => sentAt))
    const versions = this.#world.lists.between(this.#list, since, start)
    if (conditions || versions.length !== 1) return false
    const total = versions[0]!.chats.length
    const wanted = this.#indexes().filter(index => index * pageSize < total)
    const isKnown = (index: number) => known.some(({ offset }) => offset === index * pageSize)
    return wanted.length > 0 && wanted.every(isKnown)
  }

  #indexes(): number[] {
    const { limit, offset } = this.#asked.query
    const first = Math.floor(offset / pageSize)
    const count = Math.ceil((offset + limit) / pageSize) - first
    return Array.from({ length: count }, (_, step) => first + step)
  }

  /** Whether the window has chats of its page at `step`. */
  #reaches(step: number, { chats }: Parts): boolean {
    const { offset } = this.#asked.query
    const pageStart = (Math.floor(offset / pageSize) + step) * pageSize
    return chats.length > 0 && pageStart < offset + chats.length
  }

  /** The fetches of the page at this offset that may have been shown. */
  #showable(offset: number): Landed[] {
    const { start } = this.#asked
    const known = this.#landed.filter(page => page.offset === offset)
    const before = known.filter(({ landedAt }) => landedAt < start)
    const stored = before.filter(page => before.every(other => other.landedAt <= page.landedAt))
    const during = known.filter(({ landedAt }) => landedAt >= start)
    return [
      // Who comes after an event is not answered by a call from before it.
      ...during.filter(page => this.#invalidated(page).length === 0 || this.#maySee(page)),
      ...stored.filter(page => this.#maySee(page))
    ]
  }

  /** An empty answer past the end rests on a total that is fresh. */
  #ends(): Landed[] {
    return this.#landed.filter(page => this.#freshFor(page) > 0)
  }

  /** Whether a page that was there before this request may be its answer. */
  #maySee(page: Landed): boolean {
    const { conditions = {}, end, start } = this.#asked
    const age = start - page.sentAt
    const { errorMs, freshMs, revalidateMs } = lifetimes
    const isCall = ({ offset }: Fetched['call']) =>
      offset >= page.offset && offset < page.offset + pageSize
    const usable = age < freshMs + Math.max(revalidateMs, errorMs)
    if (!usable || conditions.onlyIfCached) return usable
    // Once a first part took all of its time, no call for another can be made.
    if (this.#hasFailed(isCall) || end - start >= waitMs) return true
    const within = (ms: number) =>
      this.#calls(start - ms).some(({ call, sentAt }) => isCall(call) && sentAt >= start - ms) ||
      this.#world.refusals.some(at => at >= start - ms && at <= end)
    const { maxAgeMs = Infinity, maxStaleMs, minFreshMs = -Infinity, noCache } = conditions
    // A page that was invalidated again is as stale as that: only the last time is known.
    const staleFor =
      start - Math.min(page.sentAt + freshMs, this.#invalidated(page).at(-1) ?? Infinity)
    // Who says how old does not want it stale, unless that is said as well.
    const stalest = maxStaleMs ?? (maxAgeMs < Infinity ? 0 : Infinity)
    const asWished = !noCache && age <= maxAgeMs && staleFor <= -minFreshMs && staleFor <= stalest
    if (!asWished) return within(wishesEveryMs)
    if (maxStaleMs !== undefined) return true
    const current = this.#invalidated(page).length === 0 && age < freshMs + revalidateMs
    return current || within(eventsEveryMs)
  }

  /** Milliseconds until it is no longer fresh; at or below 0 if it was invalidated. */
  #freshFor(page: Landed): number {
    const until = Math.min(page.sentAt + lifetimes.freshMs, this.#invalidated(page)[0] ?? Infinity)
    return until - this.#asked.end
  }

  /** The instants before the request at which it was: an answer from it has to know of these. */
  #invalidated(page: Landed): number[] {
    const { start } = this.#asked
    const sort = /[?&]sort=([^&]*)/.exec(this.#list)?.[1] ?? ''
    const tags = new Set(['*', `sort:${sort}`])
    const chats = this.#versions(page).map(({ chats }) =>
      chats.slice(page.offset, page.offset + pageSize).map(chat => `chat:${idOf(chat)}`)
    )
    // What it held cannot be known if the list changed meanwhile.
    if (chats.length === 1) for (const tag of chats[0]!) tags.add(tag)
    return this.#world.invalidations
      .filter(({ at, tag }) => at > page.sentAt && at < start && tags.has(tag))
      .map(({ at }) => at)
  }

  #versions({ pieces }: Landed): readonly Version[] {
    const { endedAt, sentAt } = pieces.at(-1)!
    return this.#world.lists.between(this.#list, sentAt, endedAt)
  }

  #tells(page: Landed, { total, version }: Parts): boolean {
    return this.#versions(page).some(
      ({ chats, number }) => number === version && chats.length === total
    )
  }

  /** Whether each piece of it is, where the window shows it, of one moment of its call. */
  #holds(page: Landed, { chats }: Parts): boolean {
    const { offset } = this.#asked.query
    return page.pieces.every(({ endedAt, from, sentAt, to }) => {
      const start = Math.max(from, offset)
      const shown = chats.slice(Math.max(start - offset, 0), Math.max(to - offset, 0))
      const versions = this.#world.lists.between(this.#list, sentAt, endedAt)
      return versions.some(version =>
        shown.every((chat, step) => version.chats[start + step] === chat)
      )
    })
  }

  /** Calls for the list that were under way during the request, or since a moment before it. */
  #calls(from = this.#asked.start): Fetched[] {
    const { end } = this.#asked
    return this.#world.fetched.filter(
      ({ call, endedAt, sentAt }) =>
        call.list.name === this.#list && endedAt >= from && sentAt <= end
    )
  }

  #hasFailed(isMeant: (call: Fetched['call']) => boolean): boolean {
    return this.#calls().some(
      fetched => hasFailed(fetched) && fetched.endedAt <= this.#asked.end && isMeant(fetched.call)
    )
  }
}

const idOf = (chat: string) => /"id":(\d+)/.exec(chat)?.[1]
