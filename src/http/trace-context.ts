/**
 * Which trace a request belongs to, as its caller says it (W3C Trace Context, section 3.2). It is
 * continued into the log and no further: the upstream learns nothing of callers, and what is made
 * for many at once has no single parent.
 */

export interface TraceContext {
  readonly traceId: string
  readonly parentId: string
}

/** Lower case only; a version to come may add fields, and ff is none. */
const format = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}(-.*)?$/

/** @param traceparent the header's value; several of them are none, as they arrive joined */
export function traceContextOf(
  traceparent: string | string[] | undefined
): TraceContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, version, traceId, parentId, more] = format.exec(traceparent) ?? []
  if (traceId === undefined || parentId === undefined) return undefined
  return version === '00' && more !== undefined ? undefined : { traceId, parentId }
}
