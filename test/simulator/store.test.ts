/**
 * The list as it is paged, searched and changed, against a naive oracle that parses and sorts
 * anew.
 */

import fc from 'fast-check'
import t from 'tap'
import { orders, readQuery, sorts } from '../../simulator/query.ts'
import { Random } from '../../simulator/random.ts'
import { Store } from '../../simulator/store.ts'

const COUNT = 400
const everything = (store: Store) =>
  [0, 100, 200, 300, 400, 500].flatMap(offset => store.page(readQuery({ offset })).items)

/** The ids of all chats in the asked order, by the plainest means. */
function oracle(store: Store, sort: string, order: string): string[] {
  const key = sort.slice('chats.'.length)
  const rows = everything(store).map(text => {
    const value = JSON.parse(text)[key]
    return { id: idOf(text), time: value === null ? undefined : Number(value) }
  })
  const timed = rows.filter(row => row.time !== undefined)
  const untimed = rows.filter(row => row.time === undefined)
  const byId = (a: { id: bigint }, b: { id: bigint }) => Number(a.id - b.id)
  timed.sort(byId).sort((a, b) => (order === 'asc' ? a.time! - b.time! : b.time! - a.time!))
  return [...timed, ...untimed.sort(byId)].map(row => String(row.id))
}

const idOf = (text: string) => BigInt(/"id"\s*:\s*(\d+)/.exec(text)![1]!)

const anyWindow = fc.record({
  sort: fc.constantFrom(...sorts),
  order: fc.constantFrom(...orders),
  offset: fc.nat(COUNT + 20),
  limit: fc.integer({ min: 1, max: 100 })
})

t.test('every page is what the oracle cuts, before and after changes', async t => {
  const store = new Store(3, COUNT)
  const changes = new Random(3)
  const property = fc.property(anyWindow, ({ sort, order, offset, limit }) => {
    store.mutateOnce(changes)
    const expected = oracle(store, sort, order)
    const { items, total } = store.page(readQuery({ sort, order, offset, limit }))
    t.equal(total, expected.length)
    t.same(
      items.map(text => String(idOf(text))),
      expected.slice(offset, offset + limit)
    )
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 60 }))
})

t.test('without sort the latest message comes first; sort without order ascends', async t => {
  const store = new Store(1, COUNT)
  const [sort] = sorts
  t.same(store.page(readQuery({})), store.page(readQuery({ sort: sorts[2], order: 'desc' })))
  t.same(store.page(readQuery({ sort })), store.page(readQuery({ sort, order: 'asc' })))
})

t.test('the same seed and the same changes give the same bytes', async t => {
  const [one, other] = [new Store(5, COUNT), new Store(5, COUNT)]
  const [changes, sameChanges] = [new Random(9), new Random(9)]
  for (let done = 0; done < 200; done += 1) {
    one.mutateOnce(changes)
    other.mutateOnce(sameChanges)
  }
  t.same(everything(one), everything(other))
  t.notSame(everything(one), everything(new Store(5, COUNT)))
})

t.test(
  'a new message changes only what tells of the last message, and moves the chat up',
  async t => {
    const store = new Store(1, COUNT)
    const [last] = store.page(readQuery({ sort: sorts[2], order: 'asc', limit: 1 })).items
    const id = String(idOf(last!))
    const before = JSON.parse(last!)
    const after = JSON.parse(store.touch(id)!.text)
    const { lastMessageAt, lastMessageText, lastMessageId, ...rest } = after
    t.match(before, rest)
    t.equal(lastMessageId, before.lastMessageId + 1)
    t.type(lastMessageText, 'string')
    t.ok(lastMessageAt > Number(before.lastMessageAt))
    t.equal(store.page(readQuery({ limit: 1 })).items[0], store.get(id)?.text)
  }
)

t.test('closing, creating and removing show in the next page', async t => {
  const store = new Store(1, COUNT)
  const latest = readQuery({ sort: 'chats.createdAt', order: 'desc', limit: 1 })
  const { id } = store.create()
  t.match(store.page(latest), { items: [store.get(id)!.text], total: COUNT + 1 })
  store.close(id)
  t.match(JSON.parse(store.page(latest).items[0]!), { status: 'closed', closedBy: 'agent' })
  t.equal(store.remove(id), true)
  t.match(store.page(latest), { total: COUNT })
  t.equal(store.get(id), undefined)
})

t.test('what is not there cannot be touched, closed, removed or read', async t => {
  const store = new Store(1, 1)
  t.same(
    [store.touch('1'), store.close('1'), store.remove('1'), store.messages('1', 0, 1)],
    [undefined, undefined, false, undefined]
  )
})

t.test('an empty list stays usable', async t => {
  const store = new Store(1, 0)
  t.same(store.page(readQuery({})), { items: [], total: 0 })
  store.mutateOnce(new Random(1))
  t.equal(store.size, 1)
})

t.test('messages come newest first, keep their bytes, and begin with the last one', async t => {
  const store = new Store(1, COUNT)
  const id = '100001'
  const { items: before, total } = store.messages(id, 0, 100)!
  store.touch(id)
  const after = store.messages(id, 0, 100)!
  const chat = JSON.parse(store.get(id)!.text)
  t.equal(after.total, total + 1)
  t.same(after.items.slice(1), before)
  t.match(JSON.parse(after.items[0]!), { id: chat.lastMessageId, text: chat.lastMessageText })
  t.same(store.messages(id, 1, 2)!.items, before.slice(0, 2))
  t.same(store.messages(id, total + 1, 100)!.items, [])
})
