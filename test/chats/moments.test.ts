/**
 * Small histories of a list in which an answer once was not what it said: the examples that the
 * equivalence property found, each as short as it can be told.
 */

import t, { type Test } from 'tap'
import { ServiceError } from '../../src/errors.ts'
import type { Conditions } from '../../src/ports.ts'
import type { OpenAnswer } from '../support/chats.ts'
import { type Asked, ListWorld } from '../support/list-world.ts'
import { chatsOf } from '../support/pages.ts'
import { brokenPromise, lifetimes, tooDear } from '../support/promises.ts'

const list = { offset: 0, limit: 1 }

/** A world with so many chats; calls take 100 ms each way. */
function worldOf(count: number): ListWorld {
  const env = {
    CACHE_STALE_IF_ERROR_SECONDS: `${lifetimes.errorMs / 1000}`,
    CACHE_READ_AHEAD: 'false',
    CACHE_REFRESH_AHEAD: 'false'
  }
  const world = new ListWorld({ env, latenciesMs: [100] })
  world.change(list, { kind: 'add', count, front: true })
  return world
}

/** The answer, once it was seen that no promise was broken. */
function answerOf(t: Test, world: ListWorld, asked: Asked): OpenAnswer {
  t.equal(tooDear(world, asked) ?? brokenPromise(world, asked), undefined)
  if (asked.answer instanceof ServiceError) throw asked.answer
  return asked.answer
}

type Window = readonly [offset: number, limit: number]

async function ask(
  t: Test,
  world: ListWorld,
  [offset, limit]: Window,
  conditions?: Conditions
): Promise<OpenAnswer> {
  return answerOf(t, world, await world.ask({ offset, limit }, conditions))
}

t.test('an event during a call wins over the end of the list that the call tells', async t => {
  const world = worldOf(5)
  world.clock.after(150, () => {
    world.change(list, { kind: 'add', count: 1, front: true })
    world.invalidate('sort:')
  })
  await ask(t, world, [0, 10])
  const { body, total } = await ask(t, world, [5, 10])
  t.same([chatsOf(body).length, total], [1, 6])
})

t.test('who comes after an event is not answered by a call from before it', async t => {
  const world = worldOf(5)
  const first = world.begin({ offset: 0, limit: 10 })
  await world.clock.advance(150)
  world.change(list, { kind: 'add', count: 1, front: true })
  world.invalidate('sort:')
  const second = world.begin({ offset: 0, limit: 10 })
  await world.clock.advance(1000)
  const [early, late] = [await first, await second].map(asked => answerOf(t, world, asked))
  t.same([early?.total, late?.total], [5, 6])
  t.ok(early && early.lifetimeMs <= early.ageMs, 'and what overtook the first is said')
  t.equal(world.fetched.length, 2)
})

t.test('nor is the end known from a page that was found before the event', async t => {
  const world = worldOf(5)
  await ask(t, world, [0, 10])
  world.destine(['broken'])
  world.clock.after(150, () => {
    world.change(list, { kind: 'add', count: 1, front: true })
    world.invalidate('sort:')
  })
  await ask(t, world, [0, 10], { noCache: true })
  await world.clock.advance(3000)
  const { body, total } = await ask(t, world, [5, 10])
  t.same([chatsOf(body).length, total], [1, 6])
})

t.test('no chat stands where the list has ended', async t => {
  const world = worldOf(101)
  world.clock.after(250, () => world.change(list, { kind: 'remove', count: 2, at: 0 }))
  const { body, status, total } = await ask(t, world, [0, 150])
  t.same([chatsOf(body).length, total, status.detail], [99, 99, 'seam'])
})

t.test('a page shown to who accepts it stale is refreshed, however stale it is', async t => {
  const world = worldOf(5)
  await ask(t, world, [0, 10])
  world.invalidate('*')
  await world.clock.advance(1000)
  await ask(t, world, [0, 10], { maxStaleMs: Infinity })
  await world.clock.advance(500)
  t.match(await ask(t, world, [0, 10]), { status: { kind: 'hit' }, ageMs: 500 })
  t.equal(world.fetched.length, 2)
})

/** A first page that tells of chats which the second one, stored before it, does not have. */
async function shortSecond(t: Test): Promise<ListWorld> {
  const world = worldOf(150)
  await ask(t, world, [100, 10])
  world.change(list, { kind: 'add', count: 60, front: true })
  await ask(t, world, [0, 10])
  return world
}

t.test('who wants only what is stored is told that a whole answer is not', async t => {
  const world = await shortSecond(t)
  const { answer } = await world.ask({ offset: 0, limit: 200 }, { onlyIfCached: true })
  t.match(answer, { code: 'not_cached' })
  t.equal(world.fetched.length, 2)
})

t.test('a short page that cannot be mended is told as what it failed with, at once', async t => {
  const world = await shortSecond(t)
  world.destine(['broken', 'broken', 'broken', 'broken'])
  const { answer } = await world.ask({ offset: 0, limit: 200 })
  t.match(answer, { code: 'upstream_error' })
  t.equal(world.fetched.length, 3)
})

t.test('an answer is fresh for no longer than any of its pages', async t => {
  const world = worldOf(150)
  await ask(t, world, [0, 150])
  world.invalidate('chat:140')
  const { ageMs, lifetimeMs } = await ask(t, world, [0, 150], { onlyIfCached: true })
  t.ok(lifetimeMs <= ageMs, `${lifetimeMs} ms of life at an age of ${ageMs}`)
})

t.test('a call that was repeated after an event knows of it', async t => {
  const world = worldOf(5)
  world.destine(['reset'])
  world.clock.after(150, () => world.invalidate('*'))
  const early = await ask(t, world, [0, 10])
  t.ok(early.lifetimeMs > early.ageMs, 'it is fresh')
  t.match(await ask(t, world, [0, 10]), { status: { kind: 'hit' } })
  t.equal(world.fetched.length, 2)
})
