/**
 * The walk over lists that change under it: whatever is added, deleted and rewritten, every chat that
 * was there all the time is given exactly once.
 */

import fc from 'fast-check'
import t from 'tap'
import { type Batch, type Place, theBeginning, Walk } from '../../../src/chats/export/walk.ts'
import { ServiceError } from '../../../src/errors.ts'
import { type Change, ChangingList, schedules } from '../../support/changing-list.ts'
import { pageOf } from '../../support/pages.ts'
import { holds } from '../../support/property.ts'

async function textsOf(walk: Walk, texts: string[] = []): Promise<string[]> {
  for (let batch = await walk.next(); batch; batch = await walk.next()) texts.push(...spell(batch))
  return texts
}

const spell = ({ chats }: Batch) => chats.map(chat => chat.toString())

const walkOver = (list: ChangingList, place: Place = theBeginning, most = 100) =>
  new Walk(place, { read: async offset => list.read(offset, most) })

/** What everybody writes: raise the offset until the total is reached. */
async function naiveTexts(list: ChangingList): Promise<string[]> {
  const texts: string[] = []
  for (let offset = 0, total = 1; offset < total; offset += 100) {
    const page = list.read(offset)
    total = page.total
    texts.push(
      ...page.ids.map((_, at) =>
        page.bytes.toString('utf8', page.spans[2 * at], page.spans[2 * at + 1])
      )
    )
  }
  return texts
}

const sizes = fc.integer({ min: 0, max: 900 })

t.test('whatever changes, each chat that was always there is given exactly once', async t => {
  const property = fc.asyncProperty(sizes, schedules, async (size, schedule) => {
    const list = new ChangingList(size, schedule)
    list.judge(await textsOf(walkOver(list)))
  })
  await holds(t, property, { numRuns: 800 })
})

t.test('so it is if the upstream sends fewer chats than it was asked for', async t => {
  const most = fc.integer({ min: 2, max: 100 })
  const property = fc.asyncProperty(sizes, schedules, most, async (size, schedule, most) => {
    const list = new ChangingList(size, schedule)
    list.judge(await textsOf(walkOver(list, theBeginning, most)))
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('a naive walk over the same lists is found out', async t => {
  const property = fc.asyncProperty(sizes, schedules, async (size, schedule) => {
    const list = new ChangingList(size, schedule)
    list.judge(await naiveTexts(list))
  })
  const { counterexample, failed } = await fc.check(property, { numRuns: 800 })
  t.ok(failed)
  t.comment(`smallest: ${JSON.stringify(counterexample)}`)
})

t.test(
  'an export resumed anywhere makes one whole, if any of the chats that it knows is left',
  async t => {
    const breaks = fc.record({
      taken: fc.integer({ min: 1, max: 8 }),
      known: fc.integer({ min: 1, max: 100 })
    })
    const property = fc.asyncProperty(
      sizes,
      schedules,
      breaks,
      async (size, schedule, { known, taken }) => {
        const list = new ChangingList(size, schedule)
        const first = walkOver(list)
        const texts: string[] = []
        for (let count = 0; count < taken; count++) {
          const batch = await first.next()
          if (!batch) return
          texts.push(...spell(batch))
        }
        const lastIds = texts.slice(-known).map(text => String(JSON.parse(text).id))
        const place = { offset: texts.length - 1, lastIds, isWhole: false, isResumed: true }
        const before = texts.length - lastIds.length
        try {
          await textsOf(walkOver(list, place), texts)
        } catch (error) {
          // Said rather than guessed, and only if all that it knew is gone.
          const left = new Set(list.ids)
          const known = texts.slice(before).map(text => JSON.parse(text).id as number)
          if (error instanceof ServiceError && !known.some(id => left.has(id))) return
          throw error
        }
        list.judge(texts)
      }
    )
    await holds(t, property, { numRuns: 800 })
  }
)

t.test('a list that stands still costs a call for every 99 chats, and one', async t => {
  for (const [size, calls] of [
    [0, 1],
    [1, 1],
    [100, 1],
    [101, 2],
    [199, 2],
    [200, 3],
    [1090, 11]
  ] as const) {
    const list = new ChangingList(size)
    t.equal((await textsOf(walkOver(list))).length, size)
    t.equal(list.reads, calls, `${size} chats`)
  }
})

/** A walk through 500 chats to which something happens after its third window. */
async function changedAfterThree(...changes: Change[]) {
  const list = new ChangingList(500)
  const walk = walkOver(list)
  const texts: string[] = []
  for (let window = 0; window < 3; window++) texts.push(...spell((await walk.next())!))
  for (const change of changes) list.apply(change)
  texts.push(...(await textsOf(walk)))
  return { list, texts }
}

t.test('a deletion before the position is repaired by one step back', async t => {
  const { list, texts } = await changedAfterThree({ kind: 'delete-at', part: 0, count: 1 })
  list.judge(texts)
  t.equal(texts.length, 500, 'the deleted one was given before')
  t.equal(list.reads, 8, 'the miss, and the step back')
})

t.test('so it is if the very chats that the windows share are deleted', async t => {
  const { list, texts } = await changedAfterThree({ kind: 'delete-near', from: -40, count: 41 })
  list.judge(texts)
  t.equal(texts.length, 500)
})

t.test('a list of which all that was given is deleted goes on at its start', async t => {
  const { list, texts } = await changedAfterThree({ kind: 'delete-at', part: 0, count: 298 })
  list.judge(texts)
  t.equal(texts.length, 500)
})

t.test('a list that is emptied meanwhile has an end', async t => {
  const { list, texts } = await changedAfterThree({ kind: 'delete-at', part: 0, count: 500 })
  list.judge(texts)
  t.equal(texts.length, 298)
})

t.test('a chat that is sent twice in one window is given once', async t => {
  const chat = '{"id":7}'
  const walk = new Walk(theBeginning, { read: async () => pageOf([chat, chat, '{"id":8}'], 3) })
  t.same(await textsOf(walk), [chat, '{"id":8}'])
})

t.test('chats without an id are given as often as they come', async t => {
  const walk = new Walk(theBeginning, { read: async () => pageOf(['{}', '{}'], 2) })
  t.same(await textsOf(walk), ['{}', '{}'])
})

t.test('if every remembered chat is deleted, the walk says that it is lost', async t => {
  const list = new ChangingList(10_500)
  const walk = walkOver(list)
  let given = 0
  while (given < 10_300) given += (await walk.next())!.chats.length
  list.apply({ kind: 'delete-at', part: 0.01, count: given - 105 })
  await t.rejects(textsOf(walk), { code: 'upstream_invalid_response' })
})

t.test('a resumed walk whose chats are gone looks so far and no further', async t => {
  const list = new ChangingList(30_000)
  const place = { offset: 25_000, lastIds: ['999999'], isWhole: false, isResumed: true }
  await t.rejects(walkOver(list, place).next(), {
    code: 'invalid_query',
    entries: [{ code: 'after' }]
  })
  t.equal(list.reads, 100)
})

t.test('a walk in an earlier state of another goes on as that one would have', async t => {
  const property = fc.asyncProperty(
    schedules,
    fc.integer({ min: 1, max: 6 }),
    async (schedule, at) => {
      const list = new ChangingList(900, schedule)
      const walk = walkOver(list)
      const batches: Batch[] = []
      for (let batch = await walk.next(); batch && batches.length < 8; batch = await walk.next())
        batches.push(batch)
      const from = batches[at]
      if (!from) return
      const texts = batches.slice(0, at).flatMap(spell)
      list.judge([...texts, ...(await textsOf(walkOver(list, walk.placeBefore(from))))])
    }
  )
  await holds(t, property, { numRuns: 300 })
})
