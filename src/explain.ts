/**
 * What would happen now to a request that is not sent: which pages it needs, what is stored of
 * each, when a call would leave, who would refuse and why. It asks the same rooms by their doors
 * for lookers, so that it cannot tell another story than they do; it takes nothing, counts nothing
 * and changes nothing.
 */

import { type CacheOutcome, cacheOutcome, combineCacheStatus } from './cache-status.ts'
import type { WindowProspect } from './chats/prospect.ts'
import type { Clock } from './clock.ts'
import { ServiceError } from './errors.ts'
import {
  answerWords,
  type ExplainedAnswer,
  type ExplainedPage,
  type Explanation
} from './explanation.ts'
import { problemOf, statusOf } from './http/problem.ts'
import { NotExplainedError, type ReadTarget, readTarget } from './http/read-target.ts'
import { originForm } from './http/request-checks.ts'
import { type CallProspect, keyOf, type Need, type PageProspect } from './ports.ts'

export interface ExplainerOptions {
  readonly clock: Clock
  readonly maxLimit: number
  readonly maxWaitMs: number
  readonly prospect: (window: ReadTarget['window'], need: Need) => Promise<WindowProspect>
  readonly foresee: (asking: Asking) => readonly CallProspect[]
  /** Why this team's next request is refused, if it is. */
  readonly teamRefusal: (team: string) => ServiceError | undefined
  /** Takes secrets out of a target. */
  readonly cleanTarget: (target: string) => string
}

interface Asking {
  readonly team: string
  readonly priorities: readonly Need['priority'][]
  readonly deadline: number
}

export type Explain = (path: string, team: string) => Promise<Explanation>

/** The result rejects with `invalid_query` for a route that is not explained. */
export function createExplainer(options: ExplainerOptions): Explain {
  return async (path, team) => {
    const target = originForm(options.cleanTarget(path))
    const request = { path: target, team }
    const limited = options.teamRefusal(team)
    try {
      const read = readTarget(target, options.maxLimit)
      const about = { ...request, route: read.route, canonical: canonicalOf(read) }
      if (limited) return { ...about, ...refused(target, limited, 'team-limit') }
      return { ...about, ...(await explainRead(target, read, team, options)) }
    } catch (error) {
      if (error instanceof NotExplainedError) throw notExplained()
      if (!(error instanceof ServiceError)) throw error
      const about = { ...request, route: null, canonical: null }
      if (limited && !isUnreadable(error)) {
        return { ...about, ...refused(target, limited, 'team-limit') }
      }
      return { ...about, ...refused(target, error, 'request') }
    }
  }
}

/** Said before anybody asks whose request it is. */
function isUnreadable({ code }: ServiceError): boolean {
  return code === 'bad_request' || code === 'uri_too_long'
}

function notExplained(): ServiceError {
  const message = 'Explained are GET /chats, /chats/{id} and /chats/{id}/messages.'
  return new ServiceError('invalid_query', message, { entries: [{ code: 'path', message }] })
}

function canonicalOf({ route, window: { limit, list, offset } }: ReadTarget): string {
  return route === '/chats/{id}' ? list.name : `${list.name}offset=${offset}&limit=${limit}`
}

type Verdict = Omit<Explanation, 'path' | 'team' | 'route' | 'canonical'>

function refused(
  target: string,
  error: ServiceError,
  refusedBy: Explanation['refusedBy'],
  pages: readonly ExplainedPage[] = []
): Verdict {
  const { code, detail, errors, retryAfter = null } = problemOf(error, target)
  const status = statusOf(error, /^\/v1\//.test(target))
  return {
    ...{ pages, calls: 0, isWhole: true, refusedBy },
    answer: {
      ...{ status, code, errors, detail, cache: null },
      ...{ dependsOnUpstream: false, retryAfterSeconds: retryAfter }
    }
  }
}

/** A page, and what would become of its call if it needs one. */
interface Foreseen {
  readonly page: PageProspect
  readonly call: CallProspect | undefined
}

async function explainRead(
  target: string,
  { window }: ReadTarget,
  team: string,
  options: ExplainerOptions
): Promise<Verdict> {
  const deadline = options.clock.now() + options.maxWaitMs
  const need: Need = { team, priority: 'interactive', deadline, signal: neverAborted }
  const prospect = await options.prospect(window, need)
  const now = options.clock.now()
  const { end, further } = prospect
  const foresee = (pages: readonly PageProspect[]) => foreseen(pages, need, options)
  let all = foresee(prospect.pages)
  let isWhole = prospect.isWhole
  if (further.length > 0 && !all.some(isWaitedFor)) {
    all = foresee([...prospect.pages, ...further])
    isWhole = true
  }
  const pages = all.map(one => explainPage(one, now))
  const failed = all.find(({ call, page }) => isRefused(call) && !page.hasFallback)?.call
  if (isRefused(failed)) {
    return { ...refused(target, failed.refusal, failed.rule, pages), isWhole }
  }
  const ends = end ? [{ kind: 'hit', ttlMs: end.freshUntil - now } as const] : []
  const statuses = [...ends, ...all.map(one => statusOfPage(one, now))]
  const cache = cacheOutcome(combineCacheStatus(statuses))
  const isWaited = all.some(isWaitedFor)
  const isAbsent = !isWaited && all.some(({ page }) => page.stored?.value.isAbsent)
  const calls = pages.filter(({ call }) => call !== null).length
  const answer = answerOf({ cache, isWaited, isAbsent })
  return { pages, calls, isWhole, refusedBy: null, answer }
}

function foreseen(
  pages: readonly PageProspect[],
  { deadline, team }: Need,
  { foresee }: ExplainerOptions
): readonly Foreseen[] {
  const wanting = pages.filter(page => priorityOf(page) !== undefined)
  const priorities = wanting.flatMap(page => priorityOf(page) ?? [])
  const calls = foresee({ team, priorities, deadline })
  return pages.map(page => {
    return { page, call: page.from === 'store' ? undefined : calls[wanting.indexOf(page)] }
  })
}

/** Of the call that is made for a page, if one is. */
function priorityOf({ from, isRefreshed, isTooLate }: PageProspect): Need['priority'] | undefined {
  // Who boards a call that leaves too late is told what a call of its own would have been told.
  if (from === 'call' || isTooLate) return 'interactive'
  return isRefreshed ? 'refresh' : undefined
}

function isWaitedFor({ call, page }: Foreseen): boolean {
  return page.from !== 'store' && !isRefused(call)
}

const neverAborted = new AbortController().signal

function isRefused(
  call: CallProspect | undefined
): call is Extract<CallProspect, { refusal: ServiceError }> {
  return call !== undefined && 'refusal' in call
}

function statusOfPage({ call, page }: Foreseen, now: number) {
  const { from, isUnderWay, stored } = page
  if (stored && (from === 'store' || isRefused(call))) {
    return { kind: 'hit', ttlMs: stored.freshUntil - now } as const
  }
  const reason = 'uri-miss' as const
  return { kind: 'forward', reason, stored: true, collapsed: isUnderWay } as const
}

interface Outcome {
  readonly cache: CacheOutcome
  readonly isWaited: boolean
  readonly isAbsent: boolean
}

function answerOf({ cache, isAbsent, isWaited }: Outcome): ExplainedAnswer {
  const common = { errors: [], retryAfterSeconds: null, dependsOnUpstream: isWaited }
  if (isAbsent) {
    const detail = 'HelpCrunch has just said that there is no such chat.'
    return { ...common, status: 404, code: 'chat_not_found', cache: null, detail }
  }
  return { ...common, status: 200, code: null, cache, detail: answerWords[cache] }
}

function explainPage({ call, page }: Foreseen, now: number): ExplainedPage {
  const { freshness, from, isRefreshed, stored } = page
  return {
    key: keyOf(page.call),
    freshness,
    ageSeconds: stored ? (now - stored.requestedAt) / 1000 : null,
    ttlSeconds: stored ? (stored.freshUntil - now) / 1000 : null,
    from,
    isRefreshedBehind: isRefreshed,
    call:
      call && !isRefused(call)
        ? { position: call.position, sentInSeconds: (call.sendAt - now) / 1000 }
        : null,
    refusal: isRefused(call)
      ? { rule: call.rule, code: call.refusal.code, detail: call.refusal.message }
      : null,
    why: wordsFor({ call, page })
  }
}

function wordsFor({ call, page }: Foreseen): string {
  const { freshness, from, hasFallback, isRefreshed } = page
  if (from === 'flight') return 'A call for it is under way; it is waited for.'
  if (isRefused(call)) {
    return hasFallback
      ? `Stored, ${freshness}; no call can be made, so it is served as it is.`
      : `It is ${freshness === 'absent' ? 'not stored' : freshness}, and no call can be made.`
  }
  if (call) return `It is ${freshness === 'absent' ? 'not stored' : freshness}: a call is made.`
  const behind = isRefreshed ? ', and refreshed behind the answer' : ''
  return `Stored and ${freshness}: it is served${behind}.`
}
