/**
 * The messages of a chat, made when asked for: message number n of a chat is always the same
 * bytes, and a new message only adds a number. Newest first, as upstream lists them.
 */

import { Random } from './random.ts'
import { spacings, spellObject, spellString, spellTime } from './spelling.ts'
import { texts } from './vocabulary.ts'

export interface Thread {
  readonly id: string
  readonly startedAt: number
  readonly firstMessageId: number
  readonly secondsBetweenMessages: number
  readonly messages: number
}

export function messageId(thread: Thread, number: number): string {
  return String(thread.firstMessageId + number)
}

export function messageTime(thread: Thread, number: number): number {
  return thread.startedAt + number * thread.secondsBetweenMessages
}

/** The JSON string of a message's text. */
export function messageText(thread: Thread, number: number): string {
  const random = streamOf(thread, number)
  return spellString(random.pick(texts), random)
}

/** The JSON objects of a window of messages, newest first. */
export function messagesOf(thread: Thread, offset: number, limit: number): string[] {
  const length = Math.max(0, Math.min(limit, thread.messages - offset))
  return Array.from({ length }, (_, index) => message(thread, thread.messages - offset - index))
}

function message(thread: Thread, number: number): string {
  const random = streamOf(thread, -number)
  return spellObject(
    [
      ['id', messageId(thread, number)],
      ['chatId', thread.id],
      ['type', random.pick(['"customer"', '"agent"', '"private"'])],
      ['text', messageText(thread, number)],
      ['createdAt', spellTime(messageTime(thread, number), random).json]
    ],
    random.pick(spacings)
  )
}

function streamOf(thread: Thread, number: number): Random {
  return new Random(Number(BigInt.asIntN(32, BigInt(thread.id))), number)
}
