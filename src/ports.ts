/**
 * Ground floor: what passes through the doors between the rooms. A room takes the next room's
 * door as a function in its constructor; `service.ts` joins them.
 *
 *   http → chats → cache → schedule → upstream
 */

import type { CacheOutcome, CacheStatus } from './cache-status.ts'
import type { Signal } from './cancellation.ts'
import type { Contact, ErrorCode, ServiceError } from './errors.ts'
import type { Page } from './page.ts'

/** `interactive`: somebody waits. `refresh`: a stale page behind an answer. `bulk`: exports. */
export type Priority = 'interactive' | 'refresh' | 'bulk'

/** Who wants something, how urgently and how long; made in `http`, travels unchanged. */
export interface Need {
  readonly team: string
  /** All teams that have come to want the same call, the first among them; by default only that. */
  readonly teams?: Iterable<string> | undefined
  readonly priority: Priority
  /** The latest instant (`Clock.now()`) at which the call may be sent; joiners may move it later. */
  readonly deadline: number
  /** Aborted when whoever asked has left. */
  readonly signal: Signal
  /** What the caller asks of a stored answer; by default that it is fresh. */
  readonly conditions?: Conditions
  /** True if something stale may be served instead: then a failed call is not repeated. */
  readonly hasFallback?: boolean
  /** Called when the call leaves: from then on it is paid for, whoever still waits. */
  onSent?(): void
  /** Called when that attempt came to nothing and the call stands in line once more. */
  onRetry?(failure: ServiceError): void
  /** Called whenever the call stands in line, with its place there for as long as it has it. */
  onQueued?(place: Place): void
}

/** Where a call stands in line. */
export interface Place {
  /** Looks ahead. */
  prospect(): Prospect
  /** A further team has come to want the same call. */
  join(team: string): void
}

/** What a waiting call has to expect if nothing else arrives. */
export interface Prospect {
  /** When it will be sent; Infinity if not by its own deadline. */
  readonly sendAt: number
  /** For whoever wants the same call and cannot wait that long. */
  refusal(): ServiceError
}

/** Whether a call may still be sent at `at`. */
export function isInTime({ deadline }: Need, at: number): boolean {
  return at <= deadline + slackMs
}

/** A clock moves a little while one request passes, and a question to the store takes as long. */
export const slackMs = 10

/** A request's wishes about age (RFC 9111 section 5.2.1), in milliseconds. */
export interface Conditions {
  readonly noCache?: boolean
  readonly onlyIfCached?: boolean
  readonly maxAgeMs?: number
  readonly minFreshMs?: number
  readonly maxStaleMs?: number
  /** Stored no earlier than this instant: to mend an answer whose parts disagree. */
  readonly notBefore?: number
}

/** Whether a stored response is what the request asked for (RFC 9111 section 5.2.1). */
export function satisfies(
  { freshUntil, requestedAt, storedAt }: Stored<unknown>,
  { maxAgeMs, maxStaleMs, minFreshMs, noCache, notBefore }: Conditions,
  now: number
): boolean {
  if (noCache || storedAt < (notBefore ?? -Infinity)) return false
  if (maxAgeMs !== undefined && now - requestedAt > maxAgeMs) return false
  // Who says how old does not want it stale, unless that is said as well (section 5.2.1.1).
  if (maxAgeMs !== undefined && maxStaleMs === undefined && now >= freshUntil) return false
  if (minFreshMs !== undefined && freshUntil - now < minFreshMs) return false
  return maxStaleMs === undefined || now - freshUntil <= maxStaleMs
}

/** Something the upstream holds and hands out in parts; a single chat is a list of its own kind. */
export interface List {
  readonly of: 'chats' | 'chat' | 'messages' | 'search'
  /** Equal names mean equal lists. */
  readonly name: string
  /** What makes its parts stale, besides the chats and customers these hold. */
  readonly tags: readonly string[]
  /** The call for items `offset` up to, not including, `offset + limit`. */
  part(offset: number, limit: number): Call
}

/** One thing the upstream can be asked for; equal calls mean equal answers. */
export interface Call {
  readonly list: List
  /** The canonical request target below the base URL. */
  readonly target: string
  /** JSON; a call that has it is a POST, one without it a GET. */
  readonly body?: string
  /** Which part of the list: from `offset`, at most `limit` items. */
  readonly offset: number
  readonly limit: number
}

/** Equal for equal calls, and for no others. */
export function keyOf({ body, target }: Call): string {
  return body === undefined ? target : `${target} ${body}`
}

/** A stored response. Absolute instants (`Clock.now()`), so freshness is a comparison. */
export interface Stored<Value> {
  readonly value: Value
  /** Equal for responses with equal bytes to the same call, and for no others. */
  readonly version: number
  /** When it was asked for, from which its age counts, and when it arrived. */
  readonly requestedAt: number
  readonly storedAt: number
  readonly freshUntil: number
  /** Until then it may be served while it is refreshed behind (RFC 5861 section 3). */
  readonly revalidateUntil: number
  /** Until then it may be served if it cannot be refreshed (RFC 5861 section 4). */
  readonly errorUntil: number
  /** How long until it is worth the next call, by how often it changed. */
  readonly periodMs: number
  /** From then on whoever reads it sets off its refresh; may lie before or after `freshUntil`. */
  readonly refreshAt: number
}

/** What time has made of a stored response. */
export type Freshness = 'fresh' | 'stale-while-revalidate' | 'stale-if-error' | 'expired'

/** A bounded place for values of one kind; what it has no room for is forgotten. */
export interface Shelf<Value> {
  /** @param team who uses it */
  get(key: string, team: string): Value | undefined
  /** The same for who only looks: as if nobody had used it. */
  peek(key: string): Value | undefined
  /** False if it was not kept. */
  set(key: string, value: Value, team: string): boolean
}

/** How long a call took, in milliseconds: waiting for a slot, and at the upstream. */
export interface Timing {
  readonly queueMs: number
  readonly upstreamMs: number
}

/** upstream's door: one attempt, one answer or one `ServiceError`. */
export type Attempt = (call: Call) => Promise<Page>

/** What a call brought. `sentAt`: when it left, if that was later than it was asked for. */
export interface Reply {
  readonly page: Page
  readonly timing: Timing
  readonly sentAt?: number
}

/** schedule's door: the attempt, made when a slot is free. */
export type Send = (call: Call, need: Need) => Promise<Reply>

/** What the cache found or fetched; `timing` only if a call was made for it. */
export interface Found {
  readonly stored: Stored<Page>
  readonly status: CacheStatus
  readonly timing?: Timing
}

/** cache's doors. */
export interface PageSource {
  /** What is stored and may be served; undefined if it has to be fetched. */
  find(call: Call, need: Need): Found | undefined
  /** The same of one version, while it is fresh; undefined otherwise, and nothing has happened. */
  again(call: Call, version: number, need: Need): Found | undefined
  /** The same, fetched if need be. Rejects with a `ServiceError`. */
  fetch(call: Call, need: Need): Promise<Found>
  /** Fetches what nobody asked for yet, if the budget idles and it is not there. */
  readAhead(call: Call, team: string): void
}

/** What would become of the wish for a page, now. */
export interface PageProspect {
  readonly call: Call
  /** Whatever of it is there. */
  readonly stored: Stored<Page> | undefined
  readonly freshness: Freshness | 'absent'
  /** `flight`: it waits for a call that is under way; `call`: for one of its own. */
  readonly from: 'store' | 'flight' | 'call'
  /** That call leaves too late for who wishes for it now. */
  readonly isTooLate: boolean
  /** A call for the same is under way, even if nobody should wait for that one. */
  readonly isUnderWay: boolean
  /** It is served, and reading it sets off a refresh. */
  readonly isRefreshed: boolean
  /** What is stored may be served if no newer one can be had. */
  readonly hasFallback: boolean
}

/** cache's door for who asks before doing: what would become of it; changes nothing. */
export type Look = (call: Call, need: Need) => PageProspect

/** What would become of a call that came now: when it is sent, behind how many, or why it is not. */
export type CallProspect =
  | { readonly sendAt: number; readonly position: number }
  | { readonly refusal: ServiceError; readonly rule: RefusalRule }

export type RefusalRule = 'brake' | 'deadline' | 'queue-full' | 'shutting-down'

/** What happened, past tense, room first: one stream that the audit, the figures and the tests read. */
export type Event =
  /** A request has its answer, or nobody was left to have it (499). */
  | {
      readonly type: 'http.answered'
      /** Empty if there is none. */
      readonly team: string
      /** As the contract writes it, without `/v1`; undefined if there is no such route. */
      readonly route: string | undefined
      readonly status: number
      /** Undefined if it was not answered from pages. */
      readonly cache: CacheOutcome | undefined
      readonly durationMs: number
    }
  /** A value had to go, or was not kept at all, for want of room. */
  | { readonly type: 'cache.evicted'; readonly reason: EvictionReason }
  /** One attempt brought a page. */
  | { readonly type: 'upstream.answered'; readonly status: 200 | 404; readonly durationMs: number }
  /** One attempt brought none. */
  | {
      readonly type: 'upstream.failed'
      readonly at: number
      readonly durationMs: number
      readonly code: ErrorCode
      /** The upstream's status, if it answered one. */
      readonly status: number | undefined
      readonly contact: Contact | undefined
      /** In words for people; no secret, no chat content. */
      readonly detail: string
    }
  /** A call leaves, after this wait. */
  | { readonly type: 'schedule.waited'; readonly priority: Priority; readonly waitedMs: number }
  /** The upstream's answers hold sending up. */
  | { readonly type: 'schedule.braked'; readonly at: number; readonly mode: BrakeMode }
  /** Somebody else spends from the key: so many calls of a window. */
  | { readonly type: 'schedule.robbed'; readonly at: number; readonly calls: number }
  /** At the start: when the calls of an earlier process, whose slots are still held, were done. */
  | { readonly type: 'schedule.restored'; readonly doneAt: readonly number[] }
  /** A call waits, which will be sent in time if nothing else arrives. */
  | {
      readonly type: 'schedule.queued'
      readonly at: number
      readonly team: string
      readonly priority: Priority
    }
  | {
      readonly type: 'schedule.sent'
      readonly slot: number
      readonly at: number
      readonly team: string
      readonly priority: Priority
    }
  /** The call in this slot can no longer arrive after `doneAt`. */
  | { readonly type: 'schedule.settled'; readonly slot: number; readonly doneAt: number }
  /** The call in this slot certainly never left. */
  | { readonly type: 'schedule.released'; readonly slot: number }

export type Emit = (event: Event) => void

/** `room`: the least recently used of whoever holds too much. `too-large`: more than one may take. */
export type EvictionReason = 'room' | 'too-large'

/** Why sending is held up by what the upstream answered. */
export type BrakeMode = 'paused' | 'key-refused' | 'failing'
