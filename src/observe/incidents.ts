/**
 * What operators should find in the log even if nobody watched the figures: that the upstream holds
 * sending up, and that somebody else spends from the key. Each is said once when it begins, and
 * none can come more often than answers of the upstream do.
 */

import type { BrakeMode, Event } from '../ports.ts'
import type { Logger } from './log.ts'

const words: Readonly<Record<BrakeMode, string>> = {
  paused: 'HelpCrunch answered 429: sending pauses',
  'key-refused': 'HelpCrunch refuses the API key: nothing is sent but a probe now and then',
  failing: 'HelpCrunch keeps failing: one call at a time is sent'
}

export function noteIncident(event: Event, logger: Pick<Logger, 'warn'>): void {
  if (event.type === 'schedule.braked') logger.warn({ mode: event.mode }, words[event.mode])
  if (event.type === 'schedule.robbed') {
    logger.warn({ calls: event.calls }, 'somebody else spends calls of the same key')
  }
}
