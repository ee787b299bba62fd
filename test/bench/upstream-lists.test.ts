/** The bench's lists, and what it calls stale, against a history that keeps everything. */

import fc from 'fast-check'
import t from 'tap'
import { lists } from '../../bench/cache/conditions.ts'
import { Staleness } from '../../bench/cache/staleness.ts'
import { type Snapshot, UpstreamLists } from '../../bench/cache/upstream-lists.ts'
import { holds } from '../support/property.ts'

const chatCount = 7
const openCount = 3

type Deed = { readonly kind: 'message' | 'change' | 'close' | 'open'; readonly dice: number }

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom('message', 'change', 'close', 'open'),
  dice: fc.nat(1000)
})
const deeds = fc.array(deed, { minLength: 1, maxLength: 25 })

/** A chat with the instants that its place in a list depends on. */
interface Row {
  version: number
  createdAt: number
  lastMessageAt: number
  lastCustomerMessageAt: number
  closedAt: number | undefined
}

/** Every row, again and again: sorted when somebody asks. */
class Oracle {
  readonly rows: Row[] = Array.from({ length: chatCount }, (_, chat) => {
    const at = chat - chatCount
    const closedAt = chat < chatCount - openCount ? at : undefined
    return { version: 0, createdAt: at, lastMessageAt: at, lastCustomerMessageAt: at, closedAt }
  })

  /** Chats with their versions. */
  order(list: number): string[] {
    const { order, sort } = lists[list]!
    const key = sort.slice('chats.'.length) as Exclude<keyof Row, 'version'>
    const [sign, chats] = [order === 'asc' ? 1 : -1, [...this.rows.keys()]]
    const timeOf = (chat: number) => this.rows[chat]![key]
    const timed = chats.filter(chat => timeOf(chat) !== undefined)
    const untimed = chats.filter(chat => timeOf(chat) === undefined)
    timed.sort((a, b) => sign * (timeOf(a)! - timeOf(b)!))
    return [...timed, ...untimed].map(chat => `${chat}:${this.rows[chat]!.version}`)
  }
}

/** The same deed to both. */
function act(model: UpstreamLists, { rows }: Oracle, { dice, kind }: Deed, at: number): void {
  const chat = dice % rows.length
  const row = rows[chat]!
  const isOpen = row.closedAt === undefined
  if (kind === 'open') {
    const times = { createdAt: at, lastMessageAt: at, lastCustomerMessageAt: at }
    rows.push({ version: 0, ...times, closedAt: undefined })
    model.open(at)
    return
  }
  row.version++
  if (kind === 'message') {
    row.lastMessageAt = at
    if (dice % 2 === 0) row.lastCustomerMessageAt = at
    model.message(chat, at, dice % 2 === 0)
  } else if (kind === 'close' && isOpen) {
    row.closedAt = at
    model.close(chat, at)
  } else {
    model.change(chat, at)
  }
}

const shown = ({ chats, versions }: Snapshot) =>
  chats.map((chat, index) => `${chat}:${versions[index]}`)

t.test('every list is in the order that sorting its chats gives', async t => {
  await holds(
    t,
    fc.property(deeds, all => {
      const [model, oracle] = [new UpstreamLists(chatCount, openCount), new Oracle()]
      return all.every((deed, at) => {
        act(model, oracle, deed, at)
        return lists.every((_, list) => {
          const snapshot = model.take({ list, offset: 1, limit: 4 }, at)
          return shown(snapshot).join() === oracle.order(list).slice(1, 5).join()
        })
      })
    })
  )
})

t.test('what was shown is stale since it first was not true any more', async t => {
  const part = fc.record({
    list: fc.nat(lists.length - 1),
    offset: fc.nat(chatCount - 2),
    limit: fc.integer({ min: 1, max: 4 })
  })
  await holds(
    t,
    fc.property(deeds, fc.nat(10), part, (all, whenever, part) => {
      const [model, oracle] = [new UpstreamLists(chatCount, openCount), new Oracle()]
      const takenAt = Math.min(whenever, all.length - 1)
      const later: { order: string[]; versions: number[] }[] = []
      let snapshot: Snapshot | undefined
      for (const [at, deed] of all.entries()) {
        act(model, oracle, deed, at)
        if (at === takenAt) snapshot = model.take(part, at)
        const order = oracle.order(part.list).slice(part.offset)
        if (at > takenAt) later.push({ order, versions: oracle.rows.map(row => row.version) })
      }
      const { chats, versions } = snapshot!
      // The deeds after `takenAt` are one instant apart, and the answer comes one after the last.
      const staleFor = (since: number) => (since < 0 ? 0 : later.length - since)
      const texts = chats.map((chat, index) =>
        staleFor(later.findIndex(now => now.versions[chat] !== versions[index]))
      )
      const places = shown(snapshot!).map((text, index) =>
        staleFor(later.findIndex(now => now.order[index] !== text))
      )
      const staleness = new Staleness({ at: () => model })
      staleness.add({ snapshot: snapshot!, from: 0, to: chats.length }, all.length)
      const [text, place] = [staleness.meanTextMs, staleness.meanPlaceMs]
      return isClose(text, mean(texts)) && isClose(place, mean(places))
    }),
    { numRuns: 2000 }
  )
})

const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length

const isClose = (one: number, other: number) => Math.abs(one - other) < 1e-9
