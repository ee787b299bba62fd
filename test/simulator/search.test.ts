/** The filter of `POST /chats/search`, condition by condition, and what it refuses. */

import t from 'tap'
import type { Chat } from '../../simulator/chats.ts'
import { generateChats } from '../../simulator/chats.ts'
import { Refusal } from '../../simulator/errors.ts'
import { readSearch } from '../../simulator/search.ts'

const chats = generateChats(2, 500)
const middle = chats[250]!

const CONDITIONS: readonly [string, string, unknown, (chat: Chat) => boolean][] = [
  ['chats.assignee', '=', 101, chat => chat.assigneeId === 101],
  ['chats.assignee', '=', '101', chat => chat.assigneeId === 101],
  ['chats.assignee', '!=', 101, chat => chat.assigneeId !== 101],
  ['chats.agents', '=', 102, chat => chat.agentIds.includes(102)],
  ['chats.agents', '!=', 102, chat => !chat.agentIds.includes(102)],
  ['chats.department', '>=', 12, chat => chat.departmentId !== null && chat.departmentId >= 12],
  ['chats.customer', '=', middle.customerId, chat => chat.customerId === middle.customerId],
  [
    'chats.customer.email',
    '=',
    middle.customerEmail,
    c => c.customerEmail === middle.customerEmail
  ],
  ['chats.customer.email', '~', 'MER1', chat => chat.customerEmail.includes('mer1')],
  ['chats.customer.email', '!~', 'mer1', chat => !chat.customerEmail.includes('mer1')],
  ['chats.customer.tagsData', '=', [{ name: 'vip' }], chat => chat.tags.includes('vip')],
  ['chats.status', '=', 'on hold', chat => chat.status === 'on hold'],
  ['chats.status', '!=', 'closed', chat => chat.status !== 'closed'],
  ['chats.rating', '=', 'great', chat => chat.rating === 'great'],
  ['chats.createdAt', '>', middle.createdAt, chat => chat.createdAt > middle.createdAt],
  ['chats.createdAt', '<=', middle.createdAt, chat => chat.createdAt <= middle.createdAt],
  ['chats.closedAt', '<', 1.701e9, chat => chat.closedAt !== null && chat.closedAt < 1.701e9]
]

for (const [field, operator, value, expected] of CONDITIONS) {
  t.test(`${field} ${operator} ${JSON.stringify(value)} finds what it says`, async t => {
    const { matches } = readSearch({ filter: [{ field, operator, value }] })
    const found = chats.filter(matches)
    t.same(found, chats.filter(expected))
    t.ok(found.length > 0 && found.length < chats.length, `${found.length} found`)
  })
}

const great = { field: 'chats.rating', operator: '=', value: 'great' }
const closed = { field: 'chats.status', operator: '=', value: 'closed' }

t.test('AND, also when unsaid, wants all conditions, OR any', async t => {
  const count = (body: object) => chats.filter(readSearch(body).matches).length
  const filter = [great, closed]
  const both = chats.filter(chat => chat.rating === 'great' && chat.status === 'closed').length
  const either = chats.filter(chat => chat.rating === 'great' || chat.status === 'closed').length
  t.same([count({ filter }), count({ filter, comparison: 'AND' })], [both, both])
  t.equal(count({ filter, comparison: 'OR' }), either)
})

t.test('an empty filter finds everything', async t => {
  t.ok(chats.every(readSearch({ filter: [] }).matches))
  t.ok(chats.every(readSearch({ filter: [], comparison: 'OR' }).matches))
})

t.test('order is taken in either case, numbers also as strings', async t => {
  const body = { filter: [], sort: 'chats.closedAt', order: 'DESC', offset: 5, limit: '7' }
  t.match(readSearch(body).query, { sort: 'chats.closedAt', order: 'desc', offset: 5, limit: 7 })
})

const REFUSED: readonly [unknown, string, RegExp][] = [
  [null, 'filter', /blank/],
  [{}, 'filter', /blank/],
  [{ filter: 'x' }, 'filter', /blank/],
  [{ filter: [], comparison: 'XOR' }, 'comparison', /choice/],
  [{ filter: [], limit: -1 }, 'limit', /numeric/],
  [{ filter: [], order: 'up' }, 'order', /choice/],
  [{ filter: [great, {}] }, 'filter[1].field', /blank/],
  [{ filter: [null] }, 'filter[0].field', /blank/],
  [{ filter: [{ ...great, field: 'constructor' }] }, 'filter[0].field', /choice/],
  [{ filter: [{ ...great, operator: undefined }] }, 'filter[0].operator', /blank/],
  [{ filter: [{ ...great, operator: 'LIKE' }] }, 'filter[0].operator', /choice/],
  [{ filter: [{ ...great, value: '' }] }, 'filter[0].value', /blank/],
  [{ filter: [{ ...great, field: 'chats.customer', value: 'Bob' }] }, 'customer', /numeric/]
]

for (const [body, code, message] of REFUSED) {
  t.test(`${JSON.stringify(body)} is refused because of ${code}`, async t => {
    const refusal = thrownBy(() => readSearch(body))
    t.type(refusal, Refusal)
    t.match(refusal, { status: 400, details: [{ code, message }] })
  })
}

function thrownBy(action: () => unknown): unknown {
  try {
    return void action()
  } catch (error) {
    return error
  }
}
