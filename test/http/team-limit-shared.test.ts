/** A team's limit over several replicas: counted at each, exchanged behind, local without a store. */

import t from 'tap'
import { needsRedis, startRedis, untilTrue } from '../support/redis.ts'
import { ask, type Replica, startReplicas } from '../support/sharing-services.ts'
import { tokens } from '../support/stack.ts'

needsRedis(t)

const limit = 40
const none = '/no-such-route'

/** What is left to the team at this replica, and a request less. */
async function left({ get }: Replica, token: string = tokens.blue): Promise<number> {
  const answer = await get(none, { headers: { authorization: `Bearer ${token}` } })
  await answer.text()
  return Number(/r=(\d+)/.exec(answer.headers.get('ratelimit') ?? '')?.[1])
}

t.test('what a team asks of one replica it has less at the others', async t => {
  const server = await startRedis(t)
  const { replicas } = await startReplicas(t, {
    urls: Array(3).fill(server.url),
    env: { TEAM_RATE_LIMIT: String(limit) }
  })
  const [first, second, third] = replicas as [Replica, Replica, Replica]
  for (let time = 0; time < 10; time++) await left(first)
  for (let time = 0; time < 10; time++) await left(second)
  const counted = () => server.ask('GET', `${first.store.namespace}team:blue`)
  await untilTrue(async () => (await counted()) === '20')
  // One that had none of it learns that with the first that it tells of.
  t.equal(await left(third), limit - 1)
  await untilTrue(async () => (await counted()) === '21')
  await untilTrue(async () => {
    const seen = await left(third)
    return seen <= limit - 22
  })
  t.equal(await left(third, tokens.green), limit - 1, 'other teams have their own')
  t.ok(Number(await server.ask('PTTL', `${first.store.namespace}team:blue`)) <= 60_000)
})

t.test('a request asks the store nothing, however many there are', async t => {
  const server = await startRedis(t)
  const { replicas } = await startReplicas(t, { urls: Array(2).fill(server.url) })
  const [first] = replicas
  const started = performance.now()
  for (let time = 0; time < 200; time++) await left(first)
  const asked = first.asked.filter(name => name === 'team counts').length
  t.ok(asked <= 1 + (performance.now() - started) / 500, `${asked} times`)
})

t.test(
  'without the store, and after it has lost its memory, each replica goes on counting',
  async t => {
    const server = await startRedis(t)
    const { replicas } = await startReplicas(t, {
      urls: Array(2).fill(server.url),
      env: { TEAM_RATE_LIMIT: String(limit) }
    })
    const [first] = replicas
    for (let time = 0; time < 10; time++) await left(first)
    await server.kill()
    await untilTrue(() => !first.store.isUp)
    t.equal(await left(first), limit - 11)
    await server.start()
    await untilTrue(() => first.store.isUp)
    for (let time = 12; time <= limit; time++) t.ok((await left(first)) <= limit - time)
    t.equal((await ask(first, none)).status, 429)
  }
)
