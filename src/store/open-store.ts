/**
 * Opens the store that replicas share. One that is away, is loading or is just changing its master
 * is none of the reasons not to start: it is told, and used once it can be. What only an operator
 * can mend is one, so that a wrong password ends a deployment at its first replica.
 */

import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { StoreAddress } from '../config-store.ts'
import { otherTongue } from './other-tongue.ts'
import { RedisStore, type StoreLog } from './redis-store.ts'

export interface StoreOptions {
  readonly address: StoreAddress
  /** Whose budget it is: replicas share what they keep if both are the same, and nothing else. */
  readonly baseUrl: URL
  readonly apiKey: string
  readonly clock: Clock
  readonly log: StoreLog
}

/** @returns the store, or what somebody has to mend before there can be one */
export async function openStore(options: StoreOptions): Promise<RedisStore | string> {
  const { address, clock, log } = options
  const store = new RedisStore({ address, clock, log, namespace: namespaceOf(options) })
  let trouble = await store.open()
  if (trouble?.kind === 'silence') trouble = await otherTongue(address, clock)
  if (trouble?.kind !== 'lasting') return store
  store.close()
  return trouble.reason
}

/** Prefix, version of what is kept, and the hash tag that keeps all of it on one server. */
function namespaceOf({ apiKey, baseUrl }: Pick<StoreOptions, 'apiKey' | 'baseUrl'>): string {
  const budget = createHash('sha256').update(`${baseUrl.href} ${apiKey}`).digest('hex').slice(0, 8)
  return `{helpcrunch-proxy:1:${budget}}:`
}
