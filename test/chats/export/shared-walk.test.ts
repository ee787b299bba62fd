/**
 * Several readers of one walk, at their own speeds: each gets everything, nobody waits for another,
 * and a window is read once for all who are near enough.
 */

import fc from 'fast-check'
import t from 'tap'
import { type Cursor, SharedWalk } from '../../../src/chats/export/shared-walk.ts'
import { type Batch, theBeginning } from '../../../src/chats/export/walk.ts'
import { Page } from '../../../src/page.ts'
import { ChangingList, schedules } from '../../support/changing-list.ts'
import { FakeClock, settled } from '../../support/fake-clock.ts'
import { holds } from '../../support/property.ts'

function walkOver(list: ChangingList, clock = new FakeClock(), bytesPerWindow?: number) {
  return new SharedWalk({
    clock,
    place: theBeginning,
    opening: { kind: 'under-way' },
    read: async (offset, { signal }) => {
      await settled()
      signal.throwIfAborted()
      const page = list.read(offset)
      await settled()
      return bytesPerWindow
        ? new Page({ ...page, bytes: padded(page.bytes, bytesPerWindow) })
        : page
    }
  })
}

const padded = (bytes: Buffer, length: number) => Buffer.concat([bytes], length)

class Reader {
  readonly texts: string[] = []
  readonly #cursor: Cursor
  /** What was in the list when it came. */
  readonly #since: number[]
  hasEnded = false
  hasLeft = false

  constructor(walk: SharedWalk, list: ChangingList, team = 'blue') {
    this.#since = list.ids
    this.#cursor = walk.join(team)
  }

  get walk(): SharedWalk {
    return this.#cursor.walk
  }

  async take(): Promise<Batch | undefined> {
    const batch = await this.#cursor.walk.take(this.#cursor)
    this.texts.push(...(batch?.chats ?? []).map(chat => chat.toString()))
    this.hasEnded = !batch
    return batch
  }

  async takeAll(): Promise<void> {
    while (!this.hasEnded) await this.take()
  }

  leave(): void {
    this.hasLeft = true
    this.#cursor.walk.leave(this.#cursor, new Error('left'))
  }

  judge(list: ChangingList): void {
    list.judge(this.texts, this.#since)
  }
}

const step = fc.record({
  act: fc.constantFrom('take', 'take', 'take', 'take', 'run', 'join', 'leave'),
  reader: fc.nat(3),
  /** Whether to wait for what it takes before the next step. */
  waits: fc.boolean()
})

t.test('readers come, go and take as they like, and each that stays gets everything', async t => {
  const sizes = fc.integer({ min: 0, max: 5000 })
  const steps = fc.array(step, { maxLength: 40 })
  const property = fc.asyncProperty(sizes, schedules, steps, async (size, schedule, steps) => {
    const list = new ChangingList(size, schedule)
    const walk = walkOver(list)
    const readers = [new Reader(walk, list)]
    const taking: Promise<unknown>[] = []
    for (const { act, reader: index, waits } of steps) {
      const reader = readers[index % readers.length]!
      if (act === 'join' && walk.isJoinable && readers.length < 4)
        readers.push(new Reader(walk, list))
      if (act === 'leave' && readers.some(one => one !== reader && !one.hasLeft)) reader.leave()
      if (reader.hasLeft || reader.hasEnded) continue
      const count = act === 'run' ? 40 : Number(act === 'take')
      for (let taken = 0; taken < count && !reader.hasEnded; taken++) {
        const one = reader.take()
        if (waits || act === 'run') await one
        else taking.push(one.catch(() => {}))
      }
      await Promise.all(taking)
    }
    for (const reader of readers.filter(one => !one.hasLeft)) {
      await reader.takeAll()
      reader.judge(list)
    }
  })
  await holds(t, property, { numRuns: 150 })
})

t.test('readers side by side cost no more calls than one', async t => {
  const list = new ChangingList(5000)
  const walk = walkOver(list)
  const readers = ['blue', 'green', 'blue'].map(team => new Reader(walk, list, team))
  await Promise.all(readers.map(reader => reader.takeAll()))
  for (const reader of readers) reader.judge(list)
  t.equal(list.reads, 51)
  t.equal(readers[0]?.texts.length, 5000)
})

t.test('one window is read ahead of a reader that takes its time, and no more', async t => {
  const list = new ChangingList(5000)
  const reader = new Reader(walkOver(list), list)
  for (let taken = 1; taken <= 5; taken++) {
    await reader.take()
    for (let turn = 0; turn < 10; turn++) await settled()
    t.equal(list.reads, taken + 1)
  }
})

t.test('a reader too far behind goes on in a walk of its own, and holds nobody up', async t => {
  const list = new ChangingList(9000)
  const walk = walkOver(list)
  const [fast, slow] = [new Reader(walk, list), new Reader(walk, list)]
  await slow.take()
  await fast.takeAll()
  t.equal(list.reads, 91, 'nothing was read for the slow one yet')
  t.not(slow.walk, walk)
  await slow.takeAll()
  slow.judge(list)
  t.equal(list.reads, 91 + 90, 'what it had taken is not read again')
  t.same(slow.texts, fast.texts)
})

t.test('what is kept for the slow is bounded in bytes, too', async t => {
  const list = new ChangingList(2000)
  const walk = walkOver(list, new FakeClock(), 3 * 1024 * 1024)
  const [fast, slow] = [new Reader(walk, list), new Reader(walk, list)]
  await Promise.all([slow.take(), fast.take()])
  await fast.take()
  await fast.take()
  await fast.take()
  t.not(slow.walk, walk, 'three windows of 3 MiB are too much')
  await Promise.all([slow.takeAll(), fast.takeAll()])
  t.same(slow.texts, fast.texts)
})

t.test('a window larger than all that is kept is still given', async t => {
  const list = new ChangingList(500)
  const walk = walkOver(list, new FakeClock(), 9 * 1024 * 1024)
  const readers = [new Reader(walk, list), new Reader(walk, list)]
  await Promise.all(readers.map(reader => reader.takeAll()))
  for (const reader of readers) reader.judge(list)
  t.equal(readers[0]?.texts.length, 500)
})

t.test(
  'nobody may join a walk whose start is ten seconds old, forgotten, or whose end is read',
  async t => {
    const clock = new FakeClock()
    const old = walkOver(new ChangingList(5000), clock)
    t.ok(old.isJoinable, 'it has not begun')
    await clock.advance(60_000)
    const reader = new Reader(old, new ChangingList(0))
    await reader.take()
    t.ok(old.isJoinable, 'it has just begun')
    await clock.advance(10_001)
    t.notOk(old.isJoinable)

    const long = walkOver(new ChangingList(5000))
    const fast = new Reader(long, new ChangingList(0))
    for (let taken = 0; taken < 32; taken++) await fast.take()
    for (let turn = 0; turn < 5; turn++) await settled()
    t.notOk(long.isJoinable, 'its start is not kept any more')

    const short = walkOver(new ChangingList(150))
    const only = new Reader(short, new ChangingList(0))
    await only.take()
    await only.take()
    t.notOk(short.isJoinable, 'what is made now would be missing')
  }
)

t.test('who joins while the end is read gets what was added just before', async t => {
  const list = new ChangingList(150)
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
  const walk = new SharedWalk({
    ...{ clock: new FakeClock(), place: theBeginning, opening: { kind: 'under-way' } },
    read: async offset => {
      // The list is seen as it is, and the answer takes its time.
      const page = list.read(offset)
      if (list.reads === 2) await arrived
      return page
    }
  })
  const first = new Reader(walk, list)
  await first.take()
  t.equal(list.reads, 2)
  list.apply({ kind: 'add', count: 1 })
  t.ok(walk.isJoinable)
  const late = new Reader(walk, list)
  arrive()
  await Promise.all([first.takeAll(), late.takeAll()])
  late.judge(list)
  t.equal(late.texts.length, 151)
  t.equal(list.reads, 3)
})

t.test('when the last reader leaves nothing more is read', async t => {
  const list = new ChangingList(5000)
  const walk = walkOver(list)
  const [one, other] = [new Reader(walk, list), new Reader(walk, list)]
  await Promise.all([one.take(), other.take()])
  one.leave()
  await other.take()
  const { reads } = list
  other.leave()
  for (let turn = 0; turn < 10; turn++) await settled()
  t.ok(list.reads <= reads + 1)
  t.notOk(walk.isJoinable)
})

t.test('what reading fails with is told to every reader, after what was read before', async t => {
  const clock = new FakeClock()
  const list = new ChangingList(5000)
  const walk = new SharedWalk({
    ...{ clock, place: theBeginning, opening: { kind: 'under-way' } },
    read: async offset => {
      if (offset >= 297) throw new Error('broken')
      return list.read(offset)
    }
  })
  const [fast, slow] = [new Reader(walk, list), new Reader(walk, list)]
  await t.rejects(fast.takeAll(), { message: 'broken' })
  await t.rejects(slow.takeAll(), { message: 'broken' })
  t.equal(fast.texts.length, 298)
  t.same(slow.texts, fast.texts)
})
