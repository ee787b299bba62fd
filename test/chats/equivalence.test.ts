/**
 * Answers are equivalent to the upstream's: whatever is asked in whatever state the pages are, and
 * however the lists change between and during calls, each page of an answer is what the upstream
 * would have said at one moment that may still be shown, whole, to the byte, for no more calls
 * than promised.
 */

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { orders, sorts } from '../../src/chats/query.ts'
import { ServiceError } from '../../src/errors.ts'
import { type Asked, type Fate, ListWorld } from '../support/list-world.ts'
import { brokenPromise, lifetimes, tooDear } from '../support/promises.ts'
import { holds } from '../support/property.ts'
import type { Change } from '../support/versioned-lists.ts'

const lasting = {
  CACHE_FRESH_SECONDS: `${lifetimes.freshMs / 1000}`,
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: `${lifetimes.revalidateMs / 1000}`,
  CACHE_STALE_IF_ERROR_SECONDS: `${lifetimes.errorMs / 1000}`
}

/** Few, so that they are asked for again. */
const names = [{}, { sort: sorts[2], order: orders[1] }, { sort: sorts[0], order: orders[0] }]
const name = fc.constantFrom(...names, ...Array.from({ length: 6 }, () => names[0]!))

const window = fc.record({
  offset: fc.oneof(fc.constantFrom(0, 0, 20, 100, 150), fc.nat(450)),
  limit: fc.oneof(fc.constantFrom(10, 25, 100, 200), fc.integer({ min: 1, max: 500 }))
})

const few = fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 250 }))

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), count: few, front: fc.boolean() }),
  fc.record({ kind: fc.constant('remove' as const), count: few, at: fc.nat(400) }),
  fc.record({ kind: fc.constant('touch' as const), at: fc.nat(400), front: fc.boolean() })
)

/** Around every border between the states of a page. */
const pauseMs = fc.constantFrom(
  ...[1, 500, 500, 1900, 1900, 2100, 2100, 6000, 9000, 12_000, 26_000],
  ...[31_000, 62_000, 95_000, 640_000]
)

const conditions = fc.constantFrom(
  { noCache: true },
  { maxAgeMs: 0 },
  { maxAgeMs: 10_000 },
  { minFreshMs: 20_000 },
  { maxStaleMs: Infinity },
  { maxStaleMs: 40_000 },
  { onlyIfCached: true }
)

const fate = fc.constantFrom<Fate>('short', 'short', 'reset', 'broken', 'timeout')

const ask = fc.record({
  do: fc.constant('ask' as const),
  name,
  window,
  conditions: fc.option(conditions, { freq: 8, nil: undefined }),
  /** Changes and events that fall into the time of the calls. */
  during: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    fc.array(fc.record({ afterMs: fc.nat(900), change }), { maxLength: 2 })
  ),
  event: fc.option(fc.nat(600), { freq: 12, nil: undefined })
})

const step = fc.oneof(
  { weight: 12, arbitrary: ask },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('change' as const), name, change }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pause' as const), ms: pauseMs }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('invalidate' as const),
      tag: fc.constantFrom('*', 'sort:', 'sort:chats.lastMessageAt', 'chat:1', 'chat:150')
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('destine' as const),
      fates: fc.array(fate, { minLength: 1, maxLength: 3 })
    })
  }
)

const life = fc.record({
  sizes: fc.tuple(fc.nat(450), fc.nat(450), fc.nat(450)),
  latenciesMs: fc.array(fc.nat(300), { minLength: 5, maxLength: 11 }),
  steps: fc.array(step, { minLength: 20, maxLength: 50, size: 'max' })
})

type Life = typeof life extends fc.Arbitrary<infer Value> ? Value : never

interface Conditions {
  /** Whether everybody waits for the one before, or asks a moment after. */
  readonly pace: 'in turn' | 'at once'
  readonly env: Readonly<Record<string, string>>
  readonly judge: (world: ListWorld, asked: Asked) => string | undefined
}

/** @throws {Error} at the first answer that breaks a promise */
async function live(life: Life, { env, judge, pace }: Conditions): Promise<Asked[]> {
  const world = new ListWorld({ env: { ...lasting, ...env }, latenciesMs: life.latenciesMs })
  const asked: Promise<Asked>[] = []
  for (const [index, count] of life.sizes.entries()) {
    world.change({ ...names[index]!, offset: 0, limit: 1 }, { kind: 'add', count, front: true })
  }
  for (const step of life.steps) {
    if (step.do === 'pause') await world.clock.advance(step.ms)
    if (step.do === 'change') world.change({ ...step.name, offset: 0, limit: 1 }, step.change)
    if (step.do === 'invalidate') world.invalidate(step.tag)
    if (step.do === 'destine') world.destine(step.fates)
    if (step.do !== 'ask') continue
    const one = askAmid(world, step)
    asked.push(one)
    await (pace === 'in turn' ? world.until(one) : world.clock.advance(80))
  }
  const all = await world.until(Promise.all(asked))
  for (const one of all) {
    const broken = judge(world, one)
    if (broken) throw new Error(`${broken}: ${JSON.stringify({ ...one, answer: undefined })}`)
  }
  return all
}

type Ask = typeof ask extends fc.Arbitrary<infer Value> ? Value : never

/** Asks, while the list changes. */
function askAmid(world: ListWorld, { conditions, during, event, name, window }: Ask) {
  const query = { ...name, ...window }
  for (const { afterMs, change } of during)
    world.clock.after(afterMs, () => world.change(query, change))
  if (event !== undefined) world.clock.after(event, () => world.invalidate('*'))
  return world.begin(query, conditions)
}

/** What an answer was, to be sure that all kinds were looked at. */
function kindOf({ answer, query }: Asked): string {
  if (answer instanceof ServiceError) return 'an error'
  const { status, total } = answer
  if (status.detail === 'seam') return 'with a seam'
  if (status.detail) return 'in spite of an error'
  const joined = Math.floor(query.offset / 100) < Math.floor((query.offset + query.limit - 1) / 100)
  if (joined && total > query.offset + 100) return `joined, ${status.kind}`
  return status.kind === 'forward' ? status.reason : status.ttlMs > 0 ? 'fresh' : 'stale'
}

const kinds = [
  ...['fresh', 'stale', 'uri-miss', 'joined, hit', 'joined, forward', 'with a seam'],
  ...['an error', 'in spite of an error']
]

async function allHold(t: Test, conditions: Conditions): Promise<void> {
  const seen = new Set<string>()
  const property = fc.asyncProperty(life, async life => {
    for (const asked of await live(life, conditions)) seen.add(kindOf(asked))
  })
  await holds(t, property, { numRuns: 80 })
  for (const kind of kinds) t.ok(seen.has(kind), kind)
}

t.test('each page of an answer is of one moment that may be shown, and costs a call', async t => {
  // Calls that nobody asked for yet would blur who made which.
  const env = { CACHE_READ_AHEAD: 'false', CACHE_REFRESH_AHEAD: 'false', CACHE_ADAPTIVE: 'false' }
  await allHold(t, {
    env,
    pace: 'in turn',
    judge: (world, asked) => tooDear(world, asked) ?? brokenPromise(world, asked)
  })
})

t.test('and no less if calls are made before anybody asks', async t => {
  await allHold(t, { env: {}, pace: 'in turn', judge: brokenPromise })
})

t.test('nor if many ask at once', async t => {
  await allHold(t, { env: {}, pace: 'at once', judge: brokenPromise })
})
