/**
 * Three replicas and one store: a page that one of them fetched is fresh for all, equal requests
 * cost one call, what one is told is stale is stale for all, and what is no page is a miss.
 */

import t from 'tap'
import { needsRedis, type RedisServer, startRedis, untilTrue } from '../support/redis.ts'
import {
  ask,
  pageKeys,
  page as pathOf,
  type Replica,
  startReplicas,
  wipe
} from '../support/sharing-services.ts'

needsRedis(t)

const server = await startRedis(t)
const { simulator, replicas } = await startReplicas(t, {
  urls: Array(3).fill(server.url),
  upstream: { chats: 4000 }
})
const [first, second, third] = replicas as [Replica, Replica, Replica]

let pages = 0
/** A page that nobody asked for yet. */
const cold = () => pathOf(pages++)

/** Does what makes one call and puts one page into the store; @returns its key there */
async function sharing(fetch: () => Promise<unknown>): Promise<string> {
  const before = await pageKeys(server)
  await fetch()
  let found: string | undefined
  await untilTrue(async () => {
    found = (await pageKeys(server)).find(key => !before.includes(key))
    return found !== undefined
  })
  return found!
}

/** How many calls it costs. */
async function callsOf(act: () => Promise<unknown>): Promise<number> {
  const before = simulator.hits()
  await act()
  return simulator.hits() - before
}

t.test('a page that one replica fetched is fresh for all, and as old', async t => {
  const target = cold()
  const calls = await callsOf(async () => {
    let fetched = { body: '' }
    await sharing(async () => {
      fetched = await ask(first, target)
    })
    const shared = await ask(second, target)
    t.equal(shared.body, fetched.body)
    t.match(shared.cache, /hit; ttl=\d+; detail=shared/)
    t.match((await ask(second, target)).cache, /hit; ttl=\d+$/, 'from its own memory by now')
    t.match((await ask(third, target.replace('limit=10', 'limit=20'))).cache, /hit/)
  })
  t.equal(calls, 1)
})

t.test('300 requests for one cold page over three replicas cost one call', async t => {
  const costs: number[] = []
  // Again if the machine stood still for longer than a lease: shared-leaders.test.ts has it exactly.
  while (costs.at(-1) !== 1 && costs.length < 4) {
    const target = cold()
    simulator.fault({ kind: 'delay', ms: 300 })
    const calls = await callsOf(async () => {
      const asking = Array.from({ length: 300 }, (_, at) => ask(replicas[at % 3]!, target))
      const answers = await Promise.all(asking)
      t.ok(answers.every(({ status }) => status === 200))
      t.equal(new Set(answers.map(({ body }) => body)).size, 1)
    })
    costs.push(calls)
  }
  t.equal(costs.at(-1), 1, `calls: ${costs}`)
})

t.test('that there is no such chat is known to all as well', async t => {
  const calls = await callsOf(async () => {
    await sharing(() => ask(first, '/chats/99999999'))
    t.equal((await ask(second, '/chats/99999999')).status, 404)
  })
  t.equal(calls, 1)
})

t.test('a hit asks the store nothing', async t => {
  const target = cold()
  await sharing(() => ask(first, target))
  const background = ['cache sync', 'cache put', 'cache hold']
  const asked = () =>
    first.asked.filter(name => name.startsWith('cache') && !background.includes(name)).length
  const before = asked()
  for (let time = 0; time < 50; time++) await ask(first, target)
  t.equal(asked(), before)
  t.ok(before > 0)
})

t.test(
  'what one replica is told is stale is stale for all, and the new one fresh for all',
  async t => {
    const target = cold()
    await sharing(() => ask(first, target))
    await ask(second, target)
    const calls = await callsOf(async () => {
      await wipe(first)
      await untilTrue(async () => (await ask(second, target)).cache.includes('fwd=stale'))
      // Its caller may have it a moment before the store does, and the others wait for that.
      t.match((await ask(first, target)).cache, /detail=shared|hit|collapsed/)
    })
    t.equal(calls, 1)
  }
)

t.test('a wish for a newer page is not met by an older one of others', async t => {
  const target = cold()
  await sharing(() => ask(first, target))
  const calls = await callsOf(async () => {
    const anew = await ask(second, target, { headers: { 'cache-control': 'no-cache' } })
    t.match(anew.cache, /fwd=/)
  })
  t.equal(calls, 1)
})

t.test('a wish for a newer page forces one call in a while, and not one on each', async t => {
  const target = cold()
  const key = await sharing(() => ask(first, target))
  await ask(second, target)
  const head = () => server.ask('GETRANGE', key, '0', '40')
  const before = await head()
  const calls = await callsOf(async () => {
    await ask(first, target, { headers: { 'cache-control': 'no-cache' } })
    await untilTrue(async () => (await head()) !== before)
    for (const wish of ['no-cache', 'max-age=0']) {
      const anew = await ask(second, target, { headers: { 'cache-control': wish } })
      t.match(anew.cache, /hit/, wish)
    }
  })
  t.equal(calls, 1)
})

t.test('what another replica has stored is stored for who wants no call as well', async t => {
  const headers = { 'cache-control': 'only-if-cached' }
  const calls = await callsOf(async () => {
    const target = cold()
    t.equal((await ask(second, target, { headers })).status, 504)
    let fetched = { body: '' }
    await sharing(async () => {
      fetched = await ask(first, target)
    })
    const shared = await ask(second, target, { headers })
    t.equal(shared.body, fetched.body)
    t.match(shared.cache, /hit; ttl=\d+; detail=shared/)
    t.match((await ask(second, target, { headers })).cache, /hit; ttl=\d+$/)
    const stricter = { 'cache-control': 'only-if-cached, min-fresh=600' }
    t.equal((await ask(third, target, { headers: stricter })).status, 504)
  })
  t.equal(calls, 1)
})

t.test('what another replica has stored is explained as what it is, and stays there', async t => {
  const target = cold()
  const explained = async ({ service }: Replica) => {
    const query = new URLSearchParams({ path: target, team: 'blue' })
    const headers = { host: '127.0.0.1' }
    const { body } = await service.admin.inject({ url: `/explain?${query}`, headers })
    return JSON.parse(body)
  }
  t.match(await explained(second), { calls: 1, answer: { cache: 'miss' } })
  await sharing(() => ask(first, target))
  const said = await explained(second)
  t.match(said, { calls: 0, isWhole: true, answer: { cache: 'hit', dependsOnUpstream: false } })
  t.match(said.pages, [{ freshness: 'fresh', from: 'store', call: null }])
  const calls = await callsOf(async () => {
    t.match((await ask(second, target)).cache, /hit; ttl=\d+; detail=shared/)
  })
  t.equal(calls, 0)
})

const garbage: Readonly<Record<string, (server: RedisServer, key: string) => Promise<unknown>>> = {
  'half a page': async (server, key) => {
    const length = Number(await server.ask('STRLEN', key))
    const half = await server.ask('GETRANGE', key, '0', String(length >> 1))
    return server.ask('SET', key, String(half))
  },
  // Of one byte, one page in 256 has it there already.
  'a few bytes that are not ours': (server, key) => server.ask('SETRANGE', key, '200', '~~~~~~~~'),
  'text of another program': (server, key) => server.ask('SET', key, '{"data":[],"meta":{}}'),
  'a page of the next version': (server, key) => server.ask('SETRANGE', key, '0', 'hcp2'),
  nothing: (server, key) => server.ask('SET', key, ''),
  'five megabytes': (server, key) => server.ask('SETRANGE', key, '5000000', 'x'),
  'a list': async (server, key) => {
    await server.ask('DEL', key)
    return server.ask('LPUSH', key, 'x')
  }
}

for (const [what, put] of Object.entries(garbage)) {
  t.test(`${what} in place of a page is a miss, and gone`, async t => {
    const target = cold()
    let fetched = { body: '' }
    const key = await sharing(async () => {
      fetched = await ask(first, target)
    })
    await put(server, key)
    const calls = await callsOf(async () => {
      const answer = await ask(second, target)
      t.equal(answer.status, 200)
      t.equal(answer.body, fetched.body)
    })
    t.equal(calls, 1)
    await untilTrue(async () =>
      String(await server.ask('GETRANGE', key, '0', '3').catch(() => '')).startsWith('hcp1')
    )
  })
}

t.test('garbage is told of, once in a while', async t => {
  const told = second.lines.filter(line => line.includes('no page of this version'))
  t.equal(told.length, 1)
})

t.test("a page in another one's place is not given out", async t => {
  const [here, there] = [cold(), cold()]
  const one = await sharing(() => ask(first, here))
  let other = { body: '' }
  const two = await sharing(async () => {
    other = await ask(first, there)
  })
  await server.ask('COPY', one, two, 'REPLACE')
  const calls = await callsOf(async () => {
    t.equal((await ask(second, there)).body, other.body)
  })
  t.equal(calls, 1)
})

let strangers = 900_000_000

t.test('books of the cache that are something else are put right', async t => {
  for (const name of ['cache', 'cache:log', 'cache:index', 'cache:sizes']) {
    await server.ask('DEL', first.store.namespace + name)
    await server.ask('SET', first.store.namespace + name, 'theirs')
    await untilTrue(async () => {
      const target = `/chats/${strangers++}`
      const calls = await callsOf(async () => {
        const answers = [await ask(first, target), await ask(second, target)]
        if (answers.some(({ status }) => status !== 404)) t.fail('an answer was lost')
      })
      return calls === 1
    })
  }
  t.ok(first.lines.some(line => line.includes('keeps its books')))
})
