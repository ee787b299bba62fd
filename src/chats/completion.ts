/**
 * A door in front of the schedule's: a page that comes back shorter than its own total says is
 * completed from where it ended, once. What is still short then is never passed on as complete.
 */

import { ServiceError } from '../errors.ts'
import type { Send } from '../ports.ts'
import { joinParts, missingPart } from './windows.ts'

export function completing(send: Send): Send {
  return async (call, need) => {
    const first = await send(call, need)
    const missing = missingPart(call, first.page)
    if (!missing) return first
    const rest = await send(missing, need)
    const most = Math.max(rest.page.total - call.offset, 0)
    const page = joinParts(first.page, rest.page, most)
    if (missingPart(call, page)) throw tooShort()
    const timing = {
      queueMs: first.timing.queueMs + rest.timing.queueMs,
      upstreamMs: first.timing.upstreamMs + rest.timing.upstreamMs
    }
    return { ...first, page, timing }
  }
}

function tooShort(): ServiceError {
  const detail = 'HelpCrunch sent fewer chats than the total says there are, twice.'
  return new ServiceError('upstream_invalid_response', detail, { contact: 'answered' })
}
