/**
 * Ground floor: what the cache did for a request, in the words of RFC 9211. The same value feeds
 * the `Cache-Status` header and the log line, so the two can never tell different stories.
 */

export type ForwardReason = 'uri-miss' | 'stale' | 'request'

export type CacheStatus =
  /** `ttlMs` is negative once it is stale; `detail` says why it was served all the same. */
  | { readonly kind: 'hit'; readonly ttlMs: number; readonly detail?: string }
  | {
      readonly kind: 'forward'
      readonly reason: ForwardReason
      readonly status?: number
      readonly stored: boolean
      readonly collapsed: boolean
      readonly detail?: string
    }

/** The contract's name of this cache in the header. */
const cacheName = 'helpcrunch-proxy'

/** The header's value: RFC 9211 section 2, parameters in the order the RFC lists them. */
export function formatCacheStatus(status: CacheStatus): string {
  const parts = [cacheName]
  if (status.kind === 'hit') {
    parts.push('hit', `ttl=${Math.floor(status.ttlMs / 1000)}`)
  } else {
    parts.push(`fwd=${status.reason}`)
    if (status.status !== undefined) parts.push(`fwd-status=${status.status}`)
    if (status.stored) parts.push('stored')
    if (status.collapsed) parts.push('collapsed')
  }
  if (status.detail !== undefined) parts.push(`detail=${status.detail}`)
  return parts.join('; ')
}

/**
 * The status of an answer made of several stored responses: a forward if any of them was one, and
 * rather the one that made a call; otherwise a hit that lives as long as its shortest-lived part.
 */
export function combineCacheStatus(parts: readonly CacheStatus[]): CacheStatus {
  const forwards = parts.filter(part => part.kind === 'forward')
  const forward = forwards.find(part => !part.collapsed) ?? forwards[0]
  if (forward) return forward
  const hits = parts.filter(part => part.kind === 'hit')
  const least = hits.reduce((least, hit) => (hit.ttlMs < least.ttlMs ? hit : least))
  // That a newer one could not be had is said whichever part it was.
  const excused = hits.find(({ detail, ttlMs }) => detail !== undefined && ttlMs < 0)
  return { ...excused, ...least }
}

/** One word per outcome, for logs and counters. */
export type CacheOutcome = 'hit' | 'miss' | 'stale' | 'collapsed'

export function cacheOutcome(status: CacheStatus): CacheOutcome {
  if (status.kind === 'hit') return status.ttlMs >= 0 ? 'hit' : 'stale'
  return status.collapsed ? 'collapsed' : 'miss'
}
