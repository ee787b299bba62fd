/**
 * The pages that the calls of one list brought, put together from the records: whole ones, and
 * short ones with the call that completed them.
 */

import type { Fetched } from './list-world.ts'

export const pageSize = 100

/** What one call brought: chats `from` up to, not including, `to`. */
interface Piece {
  readonly from: number
  readonly to: number
  readonly sentAt: number
  readonly endedAt: number
}

/** A page as it came, in one piece or completed: each piece is of a moment of its own. */
export interface Landed {
  readonly offset: number
  readonly pieces: readonly Piece[]
  readonly sentAt: number
  readonly landedAt: number
}

function isShort({ call, count = Infinity, total }: Pick<Fetched, 'call' | 'count' | 'total'>) {
  return count < Math.min(call.limit, total - call.offset)
}

/** Failed, or short once more where it was to complete what was short. */
export function hasFailed(fetched: Fetched): boolean {
  return fetched.count === undefined || (fetched.call.limit < pageSize && isShort(fetched))
}

/** The pages that calls of one list brought: whole ones, and short ones with what completed them. */
export function landedOf(calls: readonly Fetched[]): Landed[] {
  return calls.flatMap(fetched => {
    const { call, count, endedAt, sentAt } = fetched
    if (count === undefined || call.limit < pageSize) return []
    const [from, to] = [call.offset, call.offset + pageSize]
    const first = { from, to, sentAt, endedAt }
    if (!isShort(fetched)) return [{ offset: from, pieces: [first], sentAt, landedAt: endedAt }]
    const rest = restOf(fetched, calls)
    if (!rest) return []
    const last = { from: from + count, to, sentAt: rest.sentAt, endedAt: rest.endedAt }
    const pieces = [{ ...first, to: last.from }, last]
    return [{ offset: from, pieces, sentAt, landedAt: rest.endedAt }]
  })
}

/** What completed this page, before it was asked for anew. */
function restOf({ call, count = 0, endedAt, sentAt }: Fetched, calls: readonly Fetched[]) {
  const again = calls.find(other => other.call.target === call.target && other.sentAt > sentAt)
  return calls.find(
    other =>
      other.call.limit < pageSize &&
      other.call.offset === call.offset + count &&
      other.sentAt >= endedAt &&
      other.sentAt <= (again?.sentAt ?? Infinity) &&
      !hasFailed(other)
  )
}
