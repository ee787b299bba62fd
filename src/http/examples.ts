/**
 * Examples for the description of the routes: what is sent and what comes back, by operation and
 * media type. The lint holds them against the schemas, a test against what the routes really answer.
 */

import { type FormatName, formats } from '../chats/export/formats.ts'
import { directory } from './about-routes.ts'

const agent = { id: 103, name: 'Іван Бойко', email: 'agent2@example.com', role: 'agent' }

const chat = {
  id: 100008,
  closedBy: 'customer',
  lastCustomerMessageAt: 1700051753,
  status: 'closed',
  closedAt: 1700052037,
  rating: 'great',
  createdAt: '1700000549.125',
  lastMessageAt: '1700051754',
  createdWith: 'email',
  snoozedUntil: null,
  lastMessageText: 'Дякую 👍',
  lastMessageId: 1070019,
  applicationId: 4217,
  lastCommunicatedAgentId: 103,
  agents: [agent],
  customer: { id: 1301, name: 'Bob', email: 'customer1301@example.com', userId: '1301' },
  assignee: agent,
  department: { id: 12, name: 'Sales' }
}

const message = {
  id: 1070019,
  chatId: 100008,
  type: 'customer',
  text: 'Дякую 👍',
  createdAt: 1700051754
}

const summary = { count: 1, total: 1, complete: true } as const

/** An export of this one chat. */
function exported(name: FormatName): string {
  const format = formats[name]
  const parts = [format.start(false), format.chats([Buffer.from(JSON.stringify(chat))], true)]
  return Buffer.concat([...parts, format.end(summary)]).toString()
}

type Bodies = Readonly<Record<string, unknown>>

interface OperationExamples {
  readonly request?: Bodies
  /** Of status 200, by media type. */
  readonly response: Bodies
}

const json = (value: unknown): Bodies => ({ 'application/json': value })

/** By operation id; routes about the service itself have the one answer that they ever give. */
export const operationExamples: Readonly<Record<string, OperationExamples>> = {
  listChats: { response: json({ data: [chat], meta: { total: 5000 } }) },
  getChat: { response: json(chat) },
  listMessages: { response: json({ data: [message], total: 1 }) },
  searchChats: {
    request: json({
      comparison: 'AND',
      filter: [{ field: 'chats.status', operator: '=', value: 'closed' }],
      sort: 'chats.createdAt',
      order: 'DESC',
      limit: 10
    }),
    response: json({ data: [chat], meta: { total: 337 } })
  },
  exportChats: {
    response: {
      'application/x-ndjson': exported('ndjson'),
      'text/csv': exported('csv'),
      'application/json': JSON.parse(exported('json'))
    }
  },
  receiveEvent: {
    request: json({
      event: 'chat.closed',
      eventData: { chat_id: 100008 },
      attempts: 1,
      lastAttemptAt: 1700052037,
      createdAt: 1700052037,
      id: '1f0c5b0e-7a4c-4d7e-9a57-8a8b6f3f0f10'
    }),
    response: json({ status: 'ok' })
  },
  getDirectory: { response: json(directory) },
  getHealth: { response: json({ status: 'ok' }) },
  getReadiness: { response: json({ status: 'ready' }) }
}
