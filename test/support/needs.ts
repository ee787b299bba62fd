/** The need of a caller, of whom a test says only what it is about. */

import type { Need } from '../../src/ports.ts'

export function needOf(about: Partial<Need> = {}): Need {
  return {
    team: 'blue',
    priority: 'interactive',
    deadline: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
    ...about
  }
}
