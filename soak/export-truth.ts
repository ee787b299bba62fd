/**
 * Whether an export is what it says: each line a chat as the upstream had it while it was read, none
 * twice, none missing that was there all the time; and whether it says that it is complete exactly
 * if it is. Who asks for the same as somebody else did up to ten seconds ago gets what was read for
 * that one.
 */

import { upstreamTimeoutMs } from './conditions.ts'
import { type History, idOf } from './history.ts'

export interface ExportClaim {
  readonly startedAt: number
  readonly endedAt: number
  readonly body: string
  /** Whether the body came to its end, instead of being broken off. */
  readonly ended: boolean
  /** How much longer than a call may take what came first can have been on its way. */
  readonly allowanceMs: number
}

/** As long after its start others may join a walk through the list. */
const joinMs = 10_000

export interface ExportVerdict {
  readonly complete: boolean
  readonly wrong: string | undefined
}

const endMark = /^\{"export":\{"count":(\d+),"total":\d+,"complete":true\}\}$/

/** The line that was being sent when it was broken off does not count. */
export function judgeExport(history: History, claim: ExportClaim): ExportVerdict {
  const lines = claim.body.split('\n')
  const rest = lines.pop()
  const mark = endMark.exec(lines.at(-1) ?? '')
  const chats = mark ? lines.slice(0, -1) : lines
  const complete = mark !== null
  const wrong =
    falseLine(history, claim, chats) ??
    (claim.ended !== complete ? 'what it says of its end is not so' : undefined) ??
    (complete && rest !== '' ? 'something follows the end' : undefined) ??
    (mark && Number(mark[1]) !== chats.length ? 'the count is wrong' : undefined) ??
    (complete ? missing(history, claim, chats) : undefined)
  return { complete, wrong }
}

function falseLine(history: History, claim: ExportClaim, chats: readonly string[]) {
  const { allowanceMs, endedAt, startedAt } = claim
  const readFrom = startedAt - joinMs - upstreamTimeoutMs - allowanceMs
  const seen = new Set<string>()
  for (const line of chats) {
    const id = idOf(line)
    if (seen.has(id)) return `chat ${id} is there twice`
    seen.add(id)
    const texts = history.chat(id, readFrom, endedAt).map(chat => chat?.text)
    if (!texts.includes(line)) return `chat ${id} is not what the upstream had meanwhile`
  }
  return undefined
}

function missing(history: History, { endedAt, startedAt }: ExportClaim, chats: readonly string[]) {
  const given = new Set(chats.map(idOf))
  const lost = history.ids.find(
    id => !given.has(id) && !history.chat(id, startedAt, endedAt).includes(undefined)
  )
  return lost && `chat ${lost} was there all the time and is missing`
}
