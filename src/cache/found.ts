/**
 * What the cache says it found: a stored response, or one that a flight brought, with its status in
 * RFC 9211's words. Pure.
 */

import type { CacheStatus, ForwardReason } from '../cache-status.ts'
import { ServiceError } from '../errors.ts'
import type { Page } from '../page.ts'
import type { Found, Stored, Timing } from '../ports.ts'

/** What a flight brought, and whether there was room for it. */
export interface Landed {
  readonly stored: Stored<Page>
  readonly kept: boolean
  /** If it was a call of ours. */
  readonly timing?: Timing
  /** Where it came from otherwise: it was there, or another replica's call brought it. */
  readonly via?: 'store' | 'peer'
}

/** What is said where no call is allowed, and nothing is stored that would do. */
export function notCached(): ServiceError {
  return new ServiceError('not_cached', 'No such answer is stored, and no call was allowed.')
}

export function hit(page: Stored<Page>, now: number, detail?: string): Found {
  const ttlMs = page.freshUntil - now
  return { stored: page, status: { kind: 'hit', ttlMs, ...(detail && { detail }) } }
}

/** RFC 9211 section 2.2: `request` if a fresh response was there and the request did not want it. */
export function reasonOf(known: Stored<Page> | undefined, now: number): ForwardReason {
  if (!known) return 'uri-miss'
  return now < known.freshUntil ? 'request' : 'stale'
}

export function forwarded(
  reason: ForwardReason,
  { kept, stored }: Landed,
  collapsed: boolean
): CacheStatus {
  const status = stored.value.isAbsent ? 404 : 200
  return { kind: 'forward', reason, status, stored: kept, collapsed }
}
