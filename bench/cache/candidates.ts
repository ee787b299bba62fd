/** Who is measured at which rates: the models, the service, and the service without each mechanism. */

import { alignedPages, exactUrls, exactUrlsRevalidated } from './models.ts'
import { ours } from './ours.ts'
import type { Candidate } from './subject.ts'

/** Requests per second; the targets name the three of them that are measured most closely. */
export const rates = [2, 4, 20, 200, 500] as const
export const targetRates = [20, 200, 500] as const

/** Looking for what an event made stale costs real time, too. */
export const webhookRates = [20, 200] as const

export const exact = exactUrls
export const service = ours({ name: 'helpcrunch-proxy' })

export const compared: readonly Candidate[] = [exact, exactUrlsRevalidated, alignedPages, service]

export const withWebhooks = ours({ name: 'helpcrunch-proxy, webhooks', webhooks: true })

/** Each mechanism turned off alone, and all of them. */
export const ablations: readonly Candidate[] = [
  without('adaptive', ['CACHE_ADAPTIVE']),
  without('refresh-ahead', ['CACHE_REFRESH_AHEAD']),
  without('read-ahead', ['CACHE_READ_AHEAD']),
  without('all three', ['CACHE_ADAPTIVE', 'CACHE_REFRESH_AHEAD', 'CACHE_READ_AHEAD'])
]

function without(name: string, variables: readonly string[]): Candidate {
  const environment = Object.fromEntries(variables.map(variable => [variable, 'false']))
  return ours({ name: `  without ${name}`, environment })
}
