/**
 * A door in front of the schedule's: a page that comes back shorter than its own total says is
 * completed from where it ended, once. What is still short then is never passed on as complete.
 */

import { ServiceError } from '../errors.ts'
import type { Call, Reply, Send } from '../ports.ts'
import { joinParts, missingPart } from './windows.ts'

export function completing(send: Send): Send {
  // Nothing but the promise while it waits: there may be thousands of them.
  return (call, need) =>
    send(call, need).then(first => {
      const missing = missingPart(call, first.page)
      return missing ? completed(call, first, send(missing, need)) : first
    })
}

async function completed(call: Call, first: Reply, further: Promise<Reply>): Promise<Reply> {
  const rest = await further
  const most = Math.max(rest.page.total - call.offset, 0)
  const page = joinParts(first.page, rest.page, most)
  if (missingPart(call, page)) throw tooShort()
  const timing = {
    queueMs: first.timing.queueMs + rest.timing.queueMs,
    upstreamMs: first.timing.upstreamMs + rest.timing.upstreamMs
  }
  return { ...first, page, timing }
}

function tooShort(): ServiceError {
  const detail = 'HelpCrunch sent fewer items than the total says there are, twice.'
  return new ServiceError('upstream_invalid_response', detail, { contact: 'answered' })
}
