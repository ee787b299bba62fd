/**
 * The generated chats: the same bytes for a seed, every variant among them, and the facts kept
 * beside a chat's JSON in agreement with it.
 */

import { createHash } from 'node:crypto'
import t from 'tap'
import { type Chat, generateChats } from '../../simulator/chats.ts'

const chats = generateChats(1, 5_000)
const texts = (seed: number, count: number) => generateChats(seed, count).map(chat => chat.text)

t.test('a seed and a count always give the same bytes', async t => {
  t.same(texts(7, 300), texts(7, 300))
})

t.test('a smaller count gives the beginning of a larger one', async t => {
  t.same(texts(7, 300).slice(0, 100), texts(7, 100))
})

t.test('another seed gives other chats', async t => {
  t.notSame(texts(7, 100), texts(8, 100))
})

t.test('the bytes of a seed do not change from one version to the next', async t => {
  const digest = createHash('sha256').update(texts(1, 1_000).join('\n')).digest('hex')
  t.equal(digest.slice(0, 16), '2199423128ff3721')
})

t.test('ids are unique, and stand in the text digit by digit', async t => {
  t.equal(new Set(chats.map(chat => chat.id)).size, chats.length)
  t.same(
    chats.map(chat => /"id"\s*:\s*(\d+)/.exec(chat.text)?.[1]),
    chats.map(chat => chat.id)
  )
})

t.test('the sort keys are the times in the text', async t => {
  const keys = ['createdAt', 'lastMessageAt', 'lastCustomerMessageAt', 'closedAt'] as const
  const spelled = (chat: Chat, key: (typeof keys)[number]) => {
    const value = JSON.parse(chat.text)[key]
    return value === null ? null : Number(value)
  }
  for (const key of keys) {
    t.same(
      chats.map(chat => spelled(chat, key)),
      chats.map(chat => chat[key]),
      key
    )
  }
})

t.test('the facts that a search compares are those in the text', async t => {
  for (const chat of chats.slice(0, 500)) {
    const json = JSON.parse(chat.text)
    t.match(json, { status: chat.status, rating: chat.rating })
    t.same(
      [json.agents].flat().map(agent => agent.id),
      chat.agentIds
    )
    t.same(json.assignee?.id ?? null, chat.assigneeId)
    t.same(json.department?.id ?? null, chat.departmentId)
    t.match(json.customer, { id: chat.customerId, email: chat.customerEmail })
  }
})

t.test('most chats were created at different moments, some at the same', async t => {
  const moments = new Set(chats.map(chat => chat.createdAt)).size
  t.ok(moments > chats.length * 0.8 && moments < chats.length, `${moments} moments`)
})

t.test('no chat has a raw line break, so that each can be a line of NDJSON', async t => {
  t.notOk(chats.some(chat => /[\r\n]/.test(chat.text)))
})

const VARIANTS: Readonly<Record<string, RegExp>> = {
  'a time as an integer': /"createdAt"\s*:\s*\d+\s*,/,
  'a time as a string': /"createdAt"\s*:\s*"\d+"/,
  'a time as a float in a string': /"createdAt"\s*:\s*"\d+\.\d{3}"/,
  'no last message': /"lastMessageAt"\s*:\s*null/,
  'no message of the customer': /"lastCustomerMessageAt"\s*:\s*null/,
  'no text of a last message': /"lastMessageText"\s*:\s*null/,
  'not closed': /"closedAt"\s*:\s*null/,
  'not snoozed': /"snoozedUntil"\s*:\s*null/,
  snoozed: /"snoozedUntil"\s*:\s*"?\d/,
  'closed by the customer': /"closedBy"\s*:\s*"customer"/,
  'closed by an agent': /"closedBy"\s*:\s*"agent"/,
  'an array of agents': /"agents"\s*:\s*\[\s*\{/,
  'no agents': /"agents"\s*:\s*\[\]/,
  'a bare agent': /"agents"\s*:\s*\{/,
  'an assignee': /"assignee"\s*:\s*\{/,
  'no assignee': /"assignee"\s*:\s*null/,
  'a department': /"department"\s*:\s*\{/,
  'no department': /"department"\s*:\s*null/,
  notes: /"notes"/,
  readByAgent: /"readByAgent"/,
  readByCustomer: /"readByCustomer"/,
  'an id past 2^53': /"id"\s*:\s*90071992547\d{5}\b/,
  'a line break': /\\n/,
  'raw Ukrainian': /будь ласка/,
  'escaped Ukrainian': /\\u0431\\u0443\\u0434\\u044c/,
  'a raw emoji': /👍🏽/u,
  'an escaped emoji': /\\ud83d\\udc4d/,
  'a raw U+2028 and U+2029': /\u2028.*\u2029/,
  'a closing script tag': /<\/script>/,
  'an escaped solidus': /<\\\/script>/,
  'a lone surrogate as an escape': /\\ud83d and its other half \\ude00/,
  'escaped quotes': /\\"/,
  'an escaped capital': /\\u0048ello/,
  '__proto__ as a key': /"__proto__":\{/,
  '1.0': /"score"\s*:\s*1\.0/,
  '1e3': /"waitedMs"\s*:\s*1e3/,
  'spaces inside objects': /\{ "id": /,
  'tabs around colons': /"id" :\t/
}

for (const [variant, pattern] of Object.entries(VARIANTS)) {
  t.test(`among the chats there is ${variant}`, async t => {
    t.ok(chats.some(chat => pattern.test(chat.text)))
  })
}

const STATUSES = [
  'new',
  'opened',
  'pending',
  'onhold',
  'on hold',
  'on-hold',
  'no communication',
  'closed',
  'empty'
]

t.test('every documented status and rating appears, and no other', async t => {
  const ratings = ['great', 'average', 'poor', 'perfect', null]
  t.same(new Set(chats.map(chat => chat.status)), new Set(STATUSES))
  t.same(new Set(chats.map(chat => chat.rating)), new Set(ratings))
})
