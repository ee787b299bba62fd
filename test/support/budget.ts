/** What a cache is told of the budget, where a test is about something else. */

import type { Foresight, Idle } from '../../src/cache/foresight.ts'

export const noneIdle: Idle = { hasSlot: () => false, pressure: () => 0 }

export const noForesight: Foresight = { adaptive: false, refreshAhead: false, readAhead: false }
