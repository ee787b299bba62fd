/**
 * Freshness as arithmetic on absolute instants (RFC 9111 section 4.2): stored responses say until
 * when they are fresh, so asking is a comparison and nothing has to be kept up to date.
 */

import type { Stored } from '../ports.ts'

export type Freshness = 'fresh' | 'expired'

export interface Lifetimes {
  readonly freshMs: number
}

/** A response that arrived at `now`. */
export function stored<Value>(value: Value, now: number, { freshMs }: Lifetimes): Stored<Value> {
  return { value, storedAt: now, freshUntil: now + freshMs }
}

export function assess({ freshUntil }: Stored<unknown>, now: number): Freshness {
  return now < freshUntil ? 'fresh' : 'expired'
}
