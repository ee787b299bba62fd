/** Who may fetch a page and who may keep one, among replicas that die, hang and overtake. */

import t, { type Test } from 'tap'
import { Envelopes } from '../../src/cache/envelope.ts'
import { Link } from '../../src/cache/shared-link.ts'
import { leaseMs, SharedPages, type Urgency } from '../../src/cache/shared-pages.ts'
import { systemClock } from '../../src/clock.ts'
import { parseStoreUrl } from '../../src/config-store.ts'
import { openStore } from '../../src/store/open-store.ts'
import { chatTexts, pageOf } from '../support/pages.ts'
import { needsRedis, type RedisServer, startRedis, untilTrue } from '../support/redis.ts'

needsRedis(t)

const key = '/chats?offset=0&limit=100'

async function openPages(t: Test, server: RedisServer) {
  const store = await openStore({
    address: parseStoreUrl(server.url).value!,
    ...{ apiKey: 'a-key', baseUrl: new URL('https://api.example.com'), clock: systemClock },
    log: { warn: () => {}, info: () => {} }
  })
  if (typeof store === 'string') throw new Error(store)
  const link = new Link({
    ...{ store, clock: systemClock, keepMs: 60_000, warn: () => {} }
  })
  const messages: string[] = []
  link.listen(message => messages.push(message))
  link.start(() => {})
  t.teardown(() => {
    link.stop()
    store.close()
  })
  const pages = new SharedPages({
    ...{ store, clock: systemClock, link, maxBytes: 1e7, warn: () => {} },
    envelopes: new Envelopes('a-key')
  })
  await untilTrue(() => link.era !== undefined)
  /** Again if the machine was too busy to answer in time. */
  const approach = async (urgency: Urgency = 'interactive', seen?: Buffer) => {
    let found: Awaited<ReturnType<SharedPages['approach']>>
    await untilTrue(async () => {
      found = await pages.approach(key, seen, urgency)
      return found !== undefined
    })
    return found!
  }
  const claim = async (...args: Parameters<typeof approach>) => {
    const found = await approach(...args)
    if (found.kind !== 'claimed') throw new Error(`it is ${found.kind}`)
    return found.lease
  }
  return { pages, link, messages, approach, claim }
}

const storedOf = (count: number, requestedAt = systemClock.now()) => ({
  value: pageOf(chatTexts(count), count),
  requestedAt,
  storedAt: requestedAt,
  freshUntil: requestedAt + 30_000,
  revalidateUntil: requestedAt + 60_000,
  errorUntil: requestedAt + 60_000,
  periodMs: 30_000,
  refreshAt: requestedAt + 30_000
})

/** How many chats the page has that is kept. */
async function keptBy({ approach }: Awaited<ReturnType<typeof openPages>>) {
  const found = await approach()
  return found.kind === 'page' ? found.page?.value.count : undefined
}

t.test('one of two that come together fetches, and the other is told for how long', async t => {
  const server = await startRedis(t)
  const [one, other] = [await openPages(t, server), await openPages(t, server)]
  const lease = await one.claim()
  const held = await other.approach()
  t.match(held, { kind: 'held', isSent: false })
  t.ok(held.kind === 'held' && held.forMs > 0 && held.forMs <= leaseMs)
  await one.pages.hold([{ ...lease, isSent: true }])
  t.match(await other.approach(), { kind: 'held', isSent: true })
  await one.pages.put(key, storedOf(3), lease)
  t.equal(await keptBy(other), 3)
})

t.test('a lease that is given back is free at once', async t => {
  const server = await startRedis(t)
  const [one, other] = [await openPages(t, server), await openPages(t, server)]
  const lease = await one.claim()
  await one.pages.release(lease, `free ${lease.id}`)
  t.ok((await other.claim()).token > lease.token)
  await untilTrue(() => other.messages.includes(`free ${lease.id}`))
})

t.test('a holder that was suspended beyond its lease overwrites nothing newer', async t => {
  const server = await startRedis(t)
  const [one, other] = [await openPages(t, server), await openPages(t, server)]
  const old = await one.claim()
  const slow = storedOf(1)
  // What happens by itself when nothing is heard of the holder for so long.
  await server.ask('DEL', one.link.key(`cache:lease:${old.id}`))
  const next = await other.claim()
  t.ok(next.token > old.token)
  await other.pages.put(key, storedOf(2), next)
  await one.pages.put(key, slow, old)
  t.equal(await keptBy(other), 2)
  await one.pages.put(key, storedOf(4), old)
  t.equal(await keptBy(other), 2, 'not even if it was asked for later')
  await one.pages.hold([{ ...old, isSent: true }])
  await one.pages.release(old, 'x')
  t.equal(await server.ask('EXISTS', one.link.key(`cache:lease:${old.id}`)), 0)
})

t.test('without a token, what was asked for later is kept', async t => {
  const server = await startRedis(t)
  const one = await openPages(t, server)
  const lease = { id: one.pages.idOf(key), token: 0, urgency: 'interactive' as const }
  const now = systemClock.now()
  await one.pages.put(key, storedOf(2, now), lease)
  await one.pages.put(key, storedOf(1, now - 500), lease)
  t.equal(await keptBy(one), 2)
  await one.pages.put(key, storedOf(3, now + 5), lease)
  t.equal(await keptBy(one), 3)
})

t.test(
  'somebody waits: a refresh that was not sent yet makes way, one that was does not',
  async t => {
    const server = await startRedis(t)
    const [one, other] = [await openPages(t, server), await openPages(t, server)]
    const refresh = await one.claim('refresh')
    const taken = await other.claim('interactive')
    await untilTrue(() => one.messages.includes(`taken ${refresh.id} ${refresh.token}`))
    t.match(await one.approach('interactive'), { kind: 'held' })
    await other.pages.release(taken, 'x')
    const again = await one.claim('refresh')
    await one.pages.hold([{ ...again, isSent: true }])
    t.match(await other.approach('interactive'), { kind: 'held', isSent: true })
  }
)

t.test('a page of before the store was another one is not used, and gives way', async t => {
  const server = await startRedis(t)
  const one = await openPages(t, server)
  await one.pages.put(key, storedOf(2), await one.claim())
  const found = await one.approach()
  t.ok(found.kind === 'page' && found.page)
  await server.ask('HSET', one.link.key('cache'), 'era', 'another-process-')
  const old = await one.approach()
  t.match(old, { kind: 'page', page: undefined })
  const head = old.kind === 'page' ? old.head : undefined
  await one.pages.put(key, storedOf(5), await one.claim('interactive', head))
  t.equal(await keptBy(one), 5)
})
