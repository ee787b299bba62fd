/** The whole service with its webhook turned on, a clock moved by hand, and whoever signs events. */

import { createHmac } from 'node:crypto'
import type { Test } from 'tap'
import { FakeClock } from './fake-clock.ts'
import { type Stack, type StackOptions, startStack } from './stack.ts'

export const signingKey = 'webhook-canary-key-0123456789'

export const sign = (body: string | Buffer, key = signingKey) =>
  createHmac('sha1', key).update(body).digest('hex')

export interface Site extends Stack {
  readonly clock: FakeClock
  /** Rightly signed, unless the headers say otherwise. */
  post(body: string, headers?: Record<string, string>, path?: string): Promise<Response>
  event(event: string, eventData?: unknown, id?: string): Promise<Response>
  /** What the cache does for a list: `hit`, or how it was forwarded. */
  outcome(path: string): Promise<string | undefined>
  /** Whether what is stored of a list is stale; no call is made to find out. */
  isStale(path: string): Promise<boolean>
}

export async function openSite(t: Test, options: StackOptions = {}): Promise<Site> {
  const clock = new FakeClock()
  const env = { WEBHOOK_SIGNING_KEY: signingKey, ...options.env }
  const stack = await startStack(t, { clock, ...options, env })
  const post: Site['post'] = (body, headers = {}, path = '/webhooks/helpcrunch') =>
    fetch(stack.url + path, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-helpcrunch-signature': sign(body),
        ...headers
      }
    })
  let count = 0
  const event: Site['event'] = (name, eventData = {}, id = `id-${count++}`) =>
    post(JSON.stringify({ event: name, eventData, id, attempts: 1 }))
  const statusOf = async (path: string, headers = {}) => {
    const answer = await stack.get(path, { headers })
    await answer.text()
    return answer.headers.get('cache-status')?.split('; ').slice(1)
  }
  const outcome = async (path: string) => (await statusOf(path))?.[0]
  const isStale = async (path: string) => {
    // Until this moment, it is as fresh as it is stale.
    await clock.advance(1)
    const [hit, ttl = ''] = (await statusOf(path, { 'cache-control': 'only-if-cached' })) ?? []
    if (hit !== 'hit') throw new Error(`${path} is not stored`)
    return ttl.startsWith('ttl=-')
  }
  return { ...stack, clock, post, event, outcome, isStale }
}
