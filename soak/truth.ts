/**
 * Whether an answer is one that the upstream would have given at some moment no longer ago than its
 * `Age` says, byte for byte, and whether that age was allowed. A window within one page has to be
 * of one moment; in one across several pages each chat has to be of some moment of the span, none
 * may be missing, and the total has to be the upstream's.
 */

import { messagesOf } from '../simulator/messages.ts'
import type { Listing } from '../simulator/store.ts'
import { freshMs, staleIfErrorMs, staleWhileRevalidateMs, upstreamTimeoutMs } from './conditions.ts'
import { type Answered, codeOf } from './exchange.ts'
import { type History, idOf } from './history.ts'
import type { Subject } from './questions.ts'

export interface Claim {
  readonly subject: Subject
  readonly startedAt: number
  readonly endedAt: number
  readonly answer: Answered
  /** How much older than it says it may be. */
  readonly allowanceMs: number
}

/** `Age` is in whole seconds, rounded down. */
const roundingMs = 1000

/** What says that there is no such chat has no `Age`: it was fresh, or on its way. */
const longestAbsentMs = Math.max(freshMs, upstreamTimeoutMs)

/** How the cache came by an answer. */
export type Source = 'hit' | 'stale' | 'forward'

export function sourceOf({ cacheStatus }: Answered): Source {
  if (!cacheStatus.includes('; hit')) return 'forward'
  return cacheStatus.includes('ttl=-') ? 'stale' : 'hit'
}

/** What is wrong with it; undefined if nothing is. */
export function falsehood(history: History, claim: Claim): string | undefined {
  const { allowanceMs, answer, endedAt, startedAt, subject } = claim
  const isAbsent = answer.status === 404
  if (isAbsent && codeOf(answer.body) !== 'chat_not_found') return 'a 404 of another kind'
  if (!isAbsent && answer.ageSeconds === undefined) return 'an answer without an age'
  const ageMs = isAbsent ? longestAbsentMs : 1000 * (answer.ageSeconds ?? 0)
  const from = startedAt - ageMs - roundingMs - allowanceMs
  const span = { from, to: endedAt }
  const isTrue = isAbsent
    ? wasAbsent(history, subject, span)
    : wasSo(history, subject, span, answer)
  if (isTrue) return undefined
  return `not what the upstream had in the ${((endedAt - from) / 1000).toFixed(1)} s before`
}

/** Whether its age has to be explained: older than what may be served while all is well. */
export function isOverdue(answer: Answered): boolean {
  return 1000 * (answer.ageSeconds ?? 0) > freshMs + staleWhileRevalidateMs + roundingMs
}

/** What is wrong with its age, whatever was going on. */
export function forbiddenAge(answer: Answered): string | undefined {
  const ageMs = 1000 * (answer.ageSeconds ?? 0)
  if (sourceOf(answer) === 'hit' && ageMs > freshMs) return `called fresh at ${ageMs} ms`
  return ageMs > freshMs + staleIfErrorMs ? `served at ${ageMs} ms` : undefined
}

interface Span {
  readonly from: number
  readonly to: number
}

function wasAbsent(history: History, subject: Subject, { from, to }: Span): boolean {
  return subject.of !== 'list' && history.chat(subject.id, from, to).includes(undefined)
}

function wasSo(history: History, subject: Subject, { from, to }: Span, { body }: Answered) {
  switch (subject.of) {
    case 'chat':
      return history.chat(subject.id, from, to).some(chat => chat?.text === body)
    case 'messages':
      return history.chat(subject.id, from, to).some(chat => {
        if (!chat) return false
        const items = messagesOf(chat, subject.offset, subject.limit)
        return body === `{"data":[${items}],"total":${chat.messages}}`
      })
    case 'list': {
      const versions = history.lists(subject.view, from, to)
      const { limit, offset } = subject
      if ((offset % 100) + limit <= 100) {
        return versions.some(version => body === windowOf(version, offset, limit))
      }
      return isJoined(history, versions, subject, { from, to }, body)
    }
  }
}

function windowOf({ items, total }: Listing, offset: number, limit: number): string {
  return `{"data":[${items.slice(offset, offset + limit)}],"meta":{"total":${total}}}`
}

const listStart = '{"data":['
const listEnd = /^\],"meta":\{"total":(\d+)\}\}$/

function isJoined(
  history: History,
  versions: readonly Listing[],
  { limit, offset }: Extract<Subject, { of: 'list' }>,
  span: Span,
  body: string
): boolean {
  if (!body.startsWith(listStart)) return false
  const { count, end } = chatsFrom(history, body, listStart.length, span)
  const total = Number(listEnd.exec(body.slice(end))?.[1] ?? Number.NaN)
  const wanted = Math.max(0, Math.min(limit, total - offset))
  return count === wanted && versions.some(version => version.total === total)
}

/** How many whole, true chats there are from here on, and where what is none begins. */
function chatsFrom(history: History, body: string, start: number, span: Span) {
  let end = start
  let count = 0
  while (body[end] === '{') {
    const text = chatAt(history, body, end, span)
    if (text === undefined) break
    count++
    end += text.length
    if (body[end] !== ',') break
    end++
  }
  return { count, end }
}

function chatAt(history: History, body: string, at: number, { from, to }: Span) {
  const id = idOf(body.slice(at, at + 60))
  const texts = history.chat(id, from, to).map(chat => chat?.text)
  return texts.find(text => text !== undefined && body.startsWith(text, at))
}
