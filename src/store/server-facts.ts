/** What a server says of itself, read from `INFO`. */

import { lasting, replyError, type Trouble, troubleOf } from './trouble.ts'

export interface ServerFacts {
  /** Another one with every process. */
  readonly runId: string
  /** Why it cannot be used now. */
  readonly trouble: Trouble | undefined
  /** Another server may be the one to ask. */
  readonly isReplica: boolean
  /** What will go wrong one day, and the cure. */
  readonly warning: string | undefined
}

export function factsOf(info: string): ServerFacts {
  const lines = info.split('\r\n').map(line => line.split(':', 2) as [string, string])
  const facts = new Map(lines)
  return {
    runId: facts.get('run_id') ?? '',
    trouble: unusable(facts),
    isReplica: facts.get('role') === 'slave',
    warning: warningOf(facts.get('maxmemory_policy') ?? 'noeviction')
  }
}

function unusable(facts: ReadonlyMap<string, string>): Trouble | undefined {
  if (facts.get('redis_mode') === 'sentinel') {
    return lasting('it is a Sentinel: write redis+sentinel://host:port/name in REDIS_URL')
  }
  if (facts.get('loading') === '1') return troubleOf(replyError('LOADING'))
  if (facts.get('role') === 'slave') return troubleOf(replyError('READONLY'))
  return undefined
}

function warningOf(policy: string): string | undefined {
  if (policy === 'noeviction') return undefined
  return (
    `REDIS_URL: the store's maxmemory-policy is ${policy}, so it may throw away what is known of ` +
    'the calls made, and then nothing is sent for a window; cure: CONFIG SET maxmemory-policy noeviction'
  )
}
