/**
 * Groups G and H, as far as they take real processes and a real store (G4, G5, H1, H2, H3): three
 * replicas under load while they are killed, replaced, or lose the store and get it back. What each
 * of them does, and when, is in test/schedule/replicas and test/simulation, in virtual time.
 */

import t, { type Test } from 'tap'
import { type Simulator, startSimulator } from '../../simulator/upstream.ts'
import { checkProblem, read } from '../support/answers.ts'
import { type Child, type Environment, startReadyChild, until } from '../support/children.ts'
import { needsRedis, type RedisServer, startRedis } from '../support/redis.ts'
import { apiKey, tokens } from '../support/stack.ts'

needsRedis(t)

const limit = 30
const windowSeconds = 3
const headers = { authorization: `Bearer ${tokens.blue}` }

/** What it has in common with others comes first in its environment. */
interface House {
  readonly simulator: Simulator
  readonly store: RedisServer
  start(env?: Environment, folder?: string): Promise<Child>
}

async function openHouse(t: Test): Promise<House> {
  const simulator = await startSimulator({
    ...{ apiKey, chats: 100, limit, windowSeconds, enforce: false },
    ...{ latencyMs: 20, jitterMs: 100 }
  })
  t.teardown(() => simulator.close())
  const store = await startRedis(t)
  const start = (env: Environment = {}, folder?: string) =>
    startReadyChild(
      t,
      {
        HELPCRUNCH_API_KEY: apiKey,
        HELPCRUNCH_BASE_URL: simulator.baseUrl,
        TEAM_TOKENS: `blue=${tokens.blue}`,
        UPSTREAM_LIMIT: String(limit),
        UPSTREAM_WINDOW_SECONDS: String(windowSeconds),
        UPSTREAM_TIMEOUT_SECONDS: '2',
        CACHE_FRESH_SECONDS: '0',
        CACHE_STALE_WHILE_REVALIDATE_SECONDS: '0',
        REDIS_URL: store.url,
        LOG_LEVEL: 'warn',
        ...env
      },
      folder
    )
  return { simulator, store, start }
}

/** Asks for one page after the other, side by side, whoever it is that answers, until stopped. */
function saturate(t: Test, urls: () => readonly string[], width = 12) {
  const told = new Set<string>()
  let going = true
  let served = 0
  const one = async (lane: number) => {
    for (let turn = lane; going; turn += width) {
      const url = urls()[turn % urls().length]
      const target = `${url}/chats?offset=${100 * (turn % 5000)}`
      const answer = await read(fetch(target, { headers })).catch(() => undefined)
      if (answer?.status === 200) served++
      else if (answer) told.add(`${answer.status} ${JSON.parse(answer.body).code}`)
      if (answer?.status !== 200) await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  const lanes = Array.from({ length: width }, (_, lane) => one(lane))
  const stop = async () => {
    going = false
    await Promise.all(lanes)
  }
  t.teardown(stop)
  return { told, served: () => served, stop }
}

const checkLaw = (t: Test, { simulator }: House) =>
  t.ok(simulator.largestWindow() <= limit, `${simulator.largestWindow()} in the fullest window`)

/** Refusals that say what is so. */
const honest = ['503 budget_exhausted', '503 shutting_down']

t.test('H1 (P1): without a store that was ever there nothing is sent, until it comes', async t => {
  const { simulator, start, store } = await openHouse(t)
  await store.kill()
  const { url } = await start()
  const impatient = { headers: { ...headers, prefer: 'wait=0' } }
  for (let times = 0; times < 5; times++) {
    const answer = await read(fetch(`${url}/chats`, impatient))
    checkProblem(t, answer, { status: 503, code: 'budget_exhausted' })
  }
  t.equal((await fetch(`${url}/readyz`)).status, 200, 'it is ready all the same')
  t.equal(simulator.hits(), 0)
  await store.start()
  await until(async () => (await fetch(`${url}/chats`, { headers })).status === 200)
  t.equal(simulator.hits(), 1, 'by itself')
})

t.test('H2, H3 (P1): a store that stalls, dies and comes back costs no answer', async t => {
  const house = await openHouse(t)
  const { simulator, start, store } = house
  const env = { STORE_LOSS_GRACE_SECONDS: '60' }
  const replicas = await Promise.all([start(env), start(env)])
  const urls = replicas.map(({ url }) => url)
  const fresh = await start({ CACHE_FRESH_SECONDS: '86400' })
  const hot = async () => (await read(fetch(`${fresh.url}/chats/100001`, { headers }))).headers
  await until(async () => (await hot()).get('cache-status')?.includes('; hit') === true)
  const load = saturate(t, () => urls)
  const checkHot = async (what: string) => {
    for (let times = 0; times < 20; times++) {
      t.match((await hot()).get('cache-status'), /; hit; ttl=\d+$/, `a hit while it ${what}`)
    }
  }
  const more = async () => {
    const before = simulator.hits()
    await until(() => simulator.hits() >= before + limit)
  }
  await more()
  store.pause()
  await checkHot('stands still')
  await new Promise(resolve => setTimeout(resolve, 2000))
  store.resume()
  await more()
  await store.kill()
  await checkHot('is away')
  // Cut off, each of them goes on with its share.
  await more()
  await store.start()
  await more()
  await load.stop()
  t.same(
    [...load.told].filter(one => !honest.includes(one)),
    [],
    'nobody is told that something of ours is broken'
  )
  checkLaw(t, house)
})

t.test('G4, G5 (P1): three replicas that are killed and replaced keep the limit', async t => {
  const house = await openHouse(t)
  const replicas = await Promise.all([house.start(), house.start(), house.start()])
  const load = saturate(t, () => replicas.map(({ url }) => url))
  const more = async () => {
    const before = house.simulator.hits()
    await until(() => house.simulator.hits() >= before + limit / 2)
  }
  for (const index of [0, 2, 1, 0]) {
    await more()
    const { folder, process } = replicas[index]!
    process.kill('SIGKILL')
    await replicas[index]!.ended
    replicas[index] = await house.start({}, folder)
  }
  // A rolling deploy: each comes before the one goes that it replaces.
  for (const [index, old] of replicas.entries()) {
    await more()
    replicas[index] = await house.start()
    old.process.kill('SIGTERM')
    t.same(await old.ended, { code: 0, signal: null })
  }
  await more()
  await load.stop()
  const served = replicas.map(({ url }) => read(fetch(`${url}/chats`, { headers })))
  for (const { status } of await Promise.all(served)) t.equal(status, 200, 'all of them serve')
  t.same(
    [...load.told].filter(one => !honest.includes(one)),
    []
  )
  checkLaw(t, house)
})
