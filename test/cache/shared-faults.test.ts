/**
 * Replicas and a store that is away, emptied, slow, on another clock or out of room, and messages
 * and leaders that get lost: it costs calls and time, never an answer.
 */

import t from 'tap'
import { needsRedis, startRedis, untilTrue } from '../support/redis.ts'
import {
  ask,
  deaf,
  page,
  pageKeys,
  type Replica,
  startReplicas,
  wipe
} from '../support/sharing-services.ts'

needsRedis(t)

const target = page(0)

const untilShared = (server: Parameters<typeof pageKeys>[0]) =>
  untilTrue(async () => (await pageKeys(server)).length === 1)

t.test('clocks of machines that are minutes apart make no page younger or older', async t => {
  const server = await startRedis(t)
  const { simulator, replicas } = await startReplicas(t, {
    urls: Array(3).fill(server.url),
    skewsMs: [0, 300_000, -300_000],
    env: { CACHE_FRESH_SECONDS: '120' }
  })
  const [first, second, third] = replicas as [Replica, Replica, Replica]
  const [askedAt] = [performance.now(), await ask(first, target)]
  const landedAt = performance.now()
  await untilShared(server)
  for (const replica of [second, third]) {
    const { cache } = await ask(replica, target)
    t.match(cache, /hit; ttl=1?[0-9]{1,2}; detail=shared/)
    // Seconds by a clock that is minutes off would show at once; they also have to pass by it.
    await untilTrue(async () => (await ask(replica, target)).ageSeconds >= 3)
    const leastMs = performance.now() - landedAt
    const { ageSeconds } = await ask(replica, target)
    const mostMs = performance.now() - askedAt
    t.ok(ageSeconds * 1000 <= mostMs + 1000, `${ageSeconds} s after at most ${mostMs} ms`)
    t.ok(ageSeconds * 1000 >= leastMs - 1000, `${ageSeconds} s after at least ${leastMs} ms`)
  }
  t.equal(simulator.hits(), 1)
})

t.test('who hears no messages learns what is stale all the same', async t => {
  const server = await startRedis(t)
  const { simulator, replicas } = await startReplicas(t, {
    urls: Array(2).fill(server.url),
    patience: 1,
    seenThrough: store => deaf(store)
  })
  const [first, second] = replicas
  await ask(first, target)
  await untilShared(server)
  await ask(second, target)
  const before = simulator.hits()
  await wipe(first)
  await untilTrue(async () => (await ask(second, target)).cache.includes('fwd=stale'))
  t.equal(simulator.hits(), before + 1)
})

t.test('what was stale while the store was away is told when it is back', async t => {
  const server = await startRedis(t)
  const { replicas } = await startReplicas(t, { urls: Array(2).fill(server.url) })
  const [first, second] = replicas
  await ask(first, target)
  await untilShared(server)
  await ask(second, target)
  await server.kill()
  await untilTrue(() => !first.store.isUp && !second.store.isUp)
  await wipe(first)
  t.match((await ask(second, target)).cache, /hit; ttl=\d/, 'it cannot know yet')
  await server.start()
  await untilTrue(async () => (await ask(second, target)).cache.includes('fwd=stale'))
  t.equal((await ask(first, target)).status, 200)
})

t.test('a page stays no longer than any window allows, and all within their room', async t => {
  const server = await startRedis(t)
  const { replicas } = await startReplicas(t, {
    urls: Array(2).fill(server.url),
    env: {
      ...{ CACHE_FRESH_SECONDS: '20', CACHE_STALE_WHILE_REVALIDATE_SECONDS: '5' },
      ...{ CACHE_STALE_IF_ERROR_SECONDS: '40', CACHE_MAX_MB: '0.1' }
    },
    upstream: { chats: 2500 }
  })
  const [first] = replicas
  for (let number = 0; number < 20; number++) await ask(first, page(number))
  await untilTrue(() => first.asked.filter(name => name === 'cache put').length === 20)
  const keys = await pageKeys(server)
  t.ok(keys.length >= 2 && keys.length < 20, `${keys.length} pages are there`)
  let bytes = 0
  for (const key of keys) {
    t.ok(Number(await server.ask('PTTL', key)) <= 60_000)
    bytes += Number(await server.ask('STRLEN', key))
  }
  t.ok(bytes <= 0.1 * 1024 * 1024)
  const counted = Number(await server.ask('HGET', `${first.store.namespace}cache`, 'bytes'))
  t.ok(counted >= bytes && counted <= 0.1 * 1024 * 1024)
})

t.test('a store that is emptied costs calls and nothing else', async t => {
  const server = await startRedis(t)
  const { simulator, replicas } = await startReplicas(t, { urls: Array(2).fill(server.url) })
  const [first, second] = replicas
  await ask(first, target)
  await untilShared(server)
  await server.ask('FLUSHALL')
  t.equal((await ask(second, target)).status, 200)
  t.equal(simulator.hits(), 2)
  await untilShared(server)
  t.match((await ask(first, target)).cache, /hit/)
})
