/** What `GET /explain` answers: null where there is nothing to say, as JSON has it. */

import type { CacheOutcome } from './cache-status.ts'
import type { ErrorCode, ErrorEntry } from './errors.ts'
import type { PageProspect, RefusalRule } from './ports.ts'

export interface Explanation {
  readonly path: string
  readonly team: string
  /** Null if the request is none that reaches a route. */
  readonly route: string | null
  /** The same request in one spelling for all. */
  readonly canonical: string | null
  readonly pages: readonly ExplainedPage[]
  /** Calls that it makes for these pages. */
  readonly calls: number
  /** False if the first answer has to show whether further pages are needed. */
  readonly isWhole: boolean
  readonly answer: ExplainedAnswer
  /** What refuses; null if nothing does. */
  readonly refusedBy: RefusalRule | 'request' | 'team-limit' | null
}

export interface ExplainedPage {
  readonly key: string
  readonly freshness: PageProspect['freshness']
  /** Null if it is not stored. */
  readonly ageSeconds: number | null
  readonly ttlSeconds: number | null
  readonly from: PageProspect['from']
  readonly isRefreshedBehind: boolean
  /** Null if no call of its own is made, or none can be. */
  readonly call: { readonly position: number; readonly sentInSeconds: number } | null
  readonly refusal: { readonly rule: RefusalRule; readonly code: ErrorCode; detail: string } | null
  readonly why: string
}

export interface ExplainedAnswer {
  /** Of a call that is made, what it is if the upstream has it. */
  readonly status: number
  readonly code: ErrorCode | null
  readonly errors: readonly ErrorEntry[]
  /** Null if it is not made of pages. */
  readonly cache: CacheOutcome | null
  readonly dependsOnUpstream: boolean
  readonly retryAfterSeconds: number | null
  readonly detail: string
}

/** An answer in one sentence. */
export const answerWords: Readonly<Record<CacheOutcome, string>> = {
  hit: 'It is answered at once from fresh pages.',
  stale: 'It is answered at once, with something stale.',
  collapsed: 'It waits for a call that is under way already.',
  miss: 'It waits for a call of its own.'
}
