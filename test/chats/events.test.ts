/**
 * Which events make which stored pages stale, as a matrix: what an event says in tags held against
 * the tags of the pages of every list there is.
 */

import t from 'tap'
import { orders } from '../../simulator/query.ts'
import { pageTags, staleTags } from '../../src/chats/events.ts'
import { chatList, messageList, searchList, singleChat } from '../../src/chats/lists.ts'
import { sorts } from '../../src/chats/query.ts'
import { pageCall } from '../../src/chats/windows.ts'
import { absentPage, type Page } from '../../src/page.ts'
import type { List } from '../../src/ports.ts'
import { chatTexts, pageOf } from '../support/pages.ts'

/** Beyond 2^53, as some are. */
const ours = '9007199254740993'
const theirs = '7'
const chatText = (id: string, customer: number) => `{"id":${id},"customer":{"id":${customer}}}`

const ourPage = pageOf([chatText(ours, 50)], 1)
const theirPage = pageOf([chatText(theirs, 70)], 1)
const messages = pageOf(chatTexts(3, 40), 3)

const stored: Record<string, [list: List, page: Page]> = {
  default: [chatList({}), theirPage],
  created: [chatList({ sort: 'chats.createdAt' }), theirPage],
  lastMessage: [chatList({ sort: 'chats.lastMessageAt', order: 'asc' }), theirPage],
  lastCustomerMessage: [chatList({ sort: 'chats.lastCustomerMessageAt' }), theirPage],
  closed: [chatList({ sort: 'chats.closedAt', order: 'desc' }), theirPage],
  holder: [chatList({ sort: 'chats.createdAt', order: 'asc' }), ourPage],
  chat: [singleChat(ours), ourPage],
  absentChat: [singleChat(ours), absentPage],
  messages: [messageList(ours), messages],
  absentMessages: [messageList(ours), absentPage],
  search: [searchList(['"filter":[]']), ourPage],
  otherSearch: [searchList([]), theirPage],
  otherChat: [singleChat(theirs), theirPage],
  otherMessages: [messageList(theirs), messages]
}
const everything = Object.keys(stored)

function staleAfter(event: string, eventData: unknown): string[] {
  const stale = new Set(staleTags(event, eventData))
  return everything.filter(name => {
    const [list, page] = stored[name]!
    return stale.has('*') || pageTags(pageCall(list, 0), page).some(tag => stale.has(tag))
  })
}

const ofTheChat = ['holder', 'chat', 'absentChat', 'messages', 'absentMessages']
const searches = ['search', 'otherSearch']
const byMessages = ['default', 'lastMessage', 'lastCustomerMessage']
const byChanges = [...byMessages, 'closed']
const byBirth = [...byChanges, 'created']

const chatEvents = ['status_updated', 'assigned', 'snoozed', 'unsnoozed', 'closed', 'rated']
const messageEvents = ['chat.customer', 'email.customer', 'private', 'chat.agent', 'email.agent']
const customerEvents = [
  ...['new', 'email_updated', 'tags_changed', 'unsubscribed', 'subscribed'],
  ...['blocked', 'unblocked', 'deleted']
]

type Row = [events: readonly string[], data: unknown, stale: readonly string[]]

const rows: Record<string, Row> = {
  'a message in the chat': [
    messageEvents.map(event => `message.${event}`),
    { chat_id: ours, id: 40 },
    [...byMessages, ...ofTheChat, ...searches]
  ],
  'a change of the chat': [
    chatEvents.map(event => `chat.${event}`),
    { id: ours, customer: { id: 70 } },
    [...byChanges, ...ofTheChat, ...searches]
  ],
  'a new chat': [['chat.new'], { chat: { id: ours } }, [...byBirth, ...ofTheChat, ...searches]],
  'a customer whose chats are known': [
    customerEvents.map(event => `customer.${event}`),
    { id: 50, chat_id: theirs },
    ['holder', 'chat', ...searches]
  ],
  'a customer of whom nothing is known': [['customer.blocked'], { id: ours }, searches],
  'an event that says no chat': [
    ['chat.closed', 'chat.new', 'message.private'],
    { chat_id: null },
    everything
  ],
  'an event that says no customer': [['customer.deleted'], {}, everything],
  'an id that has lost its digits': [['chat.rated'], { id: 9007199254740992 }, everything],
  'an unknown event': [
    ['chat.deleted', 'message.chat', 'customer', 'agent.new', '', '__proto__', 'constructor'],
    { id: ours, chat_id: ours },
    []
  ]
}

for (const [name, [events, data, stale]] of Object.entries(rows)) {
  for (const event of events) {
    t.test(
      `${name} (${event || 'none'}) makes stale what it can change, and nothing else`,
      async t => {
        t.same(staleAfter(event, data).sort(), [...stale].sort())
        t.same(
          staleAfter(event, JSON.stringify(data)).sort(),
          [...stale].sort(),
          'as JSON in a text'
        )
      }
    )
  }
}

t.test('the chat is found wherever the event has it', async t => {
  const places = [
    { chat_id: ours },
    { id: ours },
    { chat: { id: ours } },
    { chat_id: ours, id: theirs }
  ]
  for (const event of ['chat.new', 'chat.closed']) {
    for (const data of places) {
      t.ok(staleAfter(event, data).includes('chat'), JSON.stringify(data))
      t.notOk(staleAfter(event, data).includes('otherChat'))
    }
  }
  t.notOk(staleAfter('message.private', { id: theirs, chat_id: ours }).includes('otherChat'))
})

t.test('messages have ids of their own, which are no chats', async t => {
  t.notOk(staleAfter('chat.closed', { id: '40' }).includes('messages'))
})

t.test('every list has tags, and equal tags for its parts', async t => {
  const lists = [undefined, ...sorts].flatMap(sort =>
    [undefined, ...orders].map(order =>
      chatList({ ...(sort && { sort }), ...(order && { order }) })
    )
  )
  t.equal(new Set(lists.map(list => list.name)).size, 15)
  for (const list of [...lists, ...Object.values(stored).map(([list]) => list)]) {
    t.ok(list.tags.length > 0, list.name)
    t.equal(pageCall(list, 3).list, list)
  }
})
