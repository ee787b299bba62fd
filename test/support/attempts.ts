/** The upstream room for one test, and what its attempts came to. */

import type { Test } from 'tap'
import { systemClock } from '../../src/clock.ts'
import { ServiceError } from '../../src/errors.ts'
import { systemLoad } from '../../src/load.ts'
import { createUpstream, type Upstream, type UpstreamOptions } from '../../src/upstream/client.ts'
import { callTo } from './pages.ts'
import { apiKey } from './stack.ts'

export const maxBodyBytes = 256 * 1024

export const firstPage = callTo('/chats?offset=0&limit=100')

export function upstreamTo(t: Test, url: string, options: Partial<UpstreamOptions> = {}): Upstream {
  const upstream = createUpstream({
    clock: systemClock,
    load: systemLoad,
    baseUrl: new URL(url),
    apiKey,
    timeoutMs: 5000,
    concurrency: 4,
    maxBodyBytes,
    ...options
  })
  t.teardown(() => upstream.close())
  return upstream
}

/** @throws {Error} if it did not fail, or with something else than a `ServiceError`. */
export async function failureOf(attempt: Promise<unknown>): Promise<ServiceError> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof ServiceError) return error
    throw error
  }
  throw new Error('the attempt did not fail')
}
