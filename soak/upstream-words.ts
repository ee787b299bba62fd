/** What the process beyond the wire and its parent say to each other. */

import type { Fault } from '../simulator/faults.ts'
import type { Direction } from '../test/support/tcp-proxy.ts'

/** What the thief of the key asks for, and nobody else. */
export const thiefTarget = '/v1/somebody-else'

/** For every call, until it is taken back. */
export const faults = {
  'too many': { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  'too many, no word when': { kind: 'status', status: 429 },
  failing: { kind: 'status', status: 500 },
  'no JSON': { kind: 'invalidJson' },
  html: { kind: 'html', status: 502 },
  'cut short': { kind: 'truncated', framing: 'length' },
  'reset midway': { kind: 'resetMidBody' },
  'stalled midway': { kind: 'stallMidBody' }
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof faults

export type Order =
  | { readonly kind: 'fault'; readonly fault: FaultName }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'cut' }
  | { readonly kind: 'swallow'; readonly direction: Direction }
  /** Line and answers are as they were. */
  | { readonly kind: 'heal' }
  | { readonly kind: 'steal'; readonly calls: number; readonly lastingMs: number }
  /** The same of the lines to the store, of all or of one. */
  | { readonly kind: 'delay store'; readonly ms: number }
  | { readonly kind: 'cut store' }
  | {
      readonly kind: 'swallow store'
      readonly line: number
      readonly directions: readonly Direction[]
    }
  | { readonly kind: 'heal store' }

/** All instants are those of `systemClock.now()`, which the processes of a machine share. */
export type Told =
  | { readonly kind: 'ready'; readonly baseUrl: string; readonly storeUrls: readonly string[] }
  | { readonly kind: 'changed'; readonly at: number }
  | {
      readonly kind: 'pulse'
      readonly at: number
      /** How much later than it should have come. */
      readonly lateMs: number
      /** Arrivals since the last one; `all` has those of whoever else uses the key as well. */
      readonly ours: readonly number[]
      readonly all: readonly number[]
    }
