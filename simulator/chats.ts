/**
 * The simulated chats: for one seed and count always the same bytes, in every variant that either
 * generation of the upstream documents shows, and some that they do not. A chat is a value. A
 * change makes another one, in which only the changed members differ.
 */

import { messageId, messageText, messageTime, type Thread } from './messages.ts'
import { drawPeople, type People } from './people.ts'
import { Random } from './random.ts'
import {
  type Member,
  never,
  type Spacing,
  spacings,
  spellObject,
  spellString,
  spellTime,
  type Time
} from './spelling.ts'
import { createdWith, openStatuses, ratings, unknownMembers } from './vocabulary.ts'

export interface Chat extends Thread, People {
  /** Digits; kept as text because some are past 2^53. */
  readonly id: string
  /** The JSON that goes over the wire. */
  readonly text: string
  readonly createdAt: number
  readonly lastMessageAt: number | null
  readonly lastCustomerMessageAt: number | null
  readonly closedAt: number | null
  readonly status: string
  readonly rating: string | null
  readonly members: readonly Member[]
  readonly spacing: Spacing
}

const epoch = 1_700_000_000
const firstId = 100_001
const applicationId = '4217'

export function generateChats(seed: number, count: number): Chat[] {
  const gaps = new Random(seed)
  let createdAt = epoch
  return Array.from({ length: count }, (_, index) => {
    createdAt += gaps.chance(0.1) ? 0 : gaps.below(300)
    return generateChat({ seed, index, createdAt })
  })
}

export interface Birth {
  readonly seed: number
  readonly index: number
  readonly createdAt: number
}

export function generateChat(birth: Birth): Chat {
  const random = new Random(birth.seed, birth.index)
  const spacing = random.pick(spacings)
  const thread = drawThread(random, birth)
  const course = drawCourse(random, thread)
  const { members: people, ...ids } = drawPeople(random, spacing)
  return withText({
    ...thread,
    ...ids,
    createdAt: course.created.value,
    lastMessageAt: course.lastMessage.value,
    lastCustomerMessageAt: course.lastCustomerMessage.value,
    closedAt: course.closed.value,
    status: course.status,
    rating: course.rating,
    members: [...ownMembers(random, thread, course), ...people, ...drawUnknownMembers(random)],
    spacing
  })
}

export function withNewMessage(chat: Chat, at: number): Chat {
  const messages = chat.messages + 1
  return amended(
    { ...chat, messages, lastMessageAt: at },
    {
      lastMessageAt: String(at),
      lastMessageText: messageText(chat, messages),
      lastMessageId: messageId(chat, messages)
    }
  )
}

export function withClosing(chat: Chat, at: number): Chat {
  return amended(
    { ...chat, status: 'closed', closedAt: at },
    { closedBy: '"agent"', status: '"closed"', closedAt: String(at) }
  )
}

function amended(chat: Chat, changes: Readonly<Record<string, string>>): Chat {
  const members = chat.members.map(([name, json]): Member => [name, changes[name] ?? json])
  return withText({ ...chat, members })
}

function withText(chat: Omit<Chat, 'text'>): Chat {
  return { ...chat, text: spellObject(chat.members, chat.spacing) }
}

function drawThread(random: Random, { index, createdAt }: Birth): Thread {
  // 2^53 + an odd number has no double: whoever parses such an id as a number changes it.
  const id = random.chance(0.03) ? 2n ** 53n + BigInt(2 * index + 1) : BigInt(firstId + index)
  return {
    id: String(id),
    startedAt: createdAt,
    firstMessageId: 1_000_000 + index * 10_000,
    secondsBetweenMessages: 1 + random.below(3_000),
    messages: drawMessageCount(random)
  }
}

function drawMessageCount(random: Random): number {
  if (random.chance(0.05)) return 0
  return random.chance(0.05) ? 90 + random.below(250) : 1 + random.below(30)
}

interface Course {
  readonly status: string
  readonly rating: string | null
  readonly created: Time<number>
  readonly lastMessage: Time
  readonly lastCustomerMessage: Time
  readonly closed: Time
  readonly snoozed: Time
}

/** What happened to the chat, and when. */
function drawCourse(random: Random, thread: Thread): Course {
  const ended = messageTime(thread, thread.messages)
  const silent = thread.messages === 0
  const closed = random.chance(0.5)
  return {
    status: silent ? 'empty' : closed ? 'closed' : random.pick(openStatuses),
    rating: random.pick(ratings),
    created: spellTime(thread.startedAt, random),
    lastMessage: silent ? never : spellTime(ended, random),
    lastCustomerMessage: silent || random.chance(0.1) ? never : spellTime(ended - 1, random),
    closed: closed ? spellTime(ended + random.below(600), random) : never,
    snoozed: random.chance(0.1) ? spellTime(ended + 86_400, random) : never
  }
}

function ownMembers(random: Random, thread: Thread, course: Course): Member[] {
  const closedBy = random.pick(['"customer"', '"agent"'])
  return [
    ['id', thread.id],
    ['closedBy', course.closed === never ? 'null' : closedBy],
    ['lastCustomerMessageAt', course.lastCustomerMessage.json],
    ['status', spellString(course.status, random)],
    ['closedAt', course.closed.json],
    ['rating', JSON.stringify(course.rating)],
    ['createdAt', course.created.json],
    ['lastMessageAt', course.lastMessage.json],
    ['createdWith', spellString(random.pick(createdWith), random)],
    ['snoozedUntil', course.snoozed.json],
    ['lastMessageText', thread.messages ? messageText(thread, thread.messages) : 'null'],
    ['lastMessageId', messageId(thread, thread.messages)],
    ['applicationId', applicationId],
    ['lastCommunicatedAgentId', String(101 + random.below(5))]
  ]
}

function drawUnknownMembers(random: Random): Member[] {
  const drawn = Array.from({ length: random.below(3) }, () => random.pick(unknownMembers))
  return [...new Map(drawn)]
}
