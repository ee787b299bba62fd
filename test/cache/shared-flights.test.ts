/** One flight over several replicas: whose leader dies, whose call fails, whose store goes. */

import t from 'tap'
import { needsRedis, startRedis, untilTrue } from '../support/redis.ts'
import { ask, page, startReplicas } from '../support/sharing-services.ts'

needsRedis(t)

const target = page(0)

t.test('without the store each replica answers by itself, and soon asks it nothing', async t => {
  const server = await startRedis(t)
  const { replicas } = await startReplicas(t, {
    urls: Array(2).fill(server.url),
    env: { QUEUE_MAX_WAIT_SECONDS: '0.3' },
    patience: 1
  })
  const [first, second] = replicas
  await untilTrue(async () => (await ask(first, target)).status === 200)
  server.pause()
  t.match((await ask(first, target)).cache, /hit/)
  const answers = await Promise.all([ask(first, page(1)), ask(second, page(1))])
  // By what each may still spend: that is the schedule's to say.
  t.ok(answers.every(({ status }) => status === 200 || status === 503))
  await untilTrue(() => !first.store.isUp && !second.store.isUp)
  const asked = () => first.asked.filter(name => name === 'cache approach').length
  const before = asked()
  await ask(first, page(2))
  t.equal(asked(), before)
  server.resume()
  await untilTrue(async () => (await ask(second, page(2))).status === 200)
})

t.test('a leader that is gone is succeeded, with one more call', async t => {
  const server = await startRedis(t)
  const { simulator, replicas } = await startReplicas(t, { urls: Array(2).fill(server.url) })
  const [first, second] = replicas
  simulator.fault({ kind: 'hang' })
  const lost = ask(first, target).catch(() => undefined)
  await untilTrue(() => simulator.hits() === 1)
  first.store.close()
  t.equal((await ask(second, target)).status, 200)
  t.equal(simulator.hits(), 2)
  simulator.faultAll({ kind: 'status', status: 400 })
  await lost
})

t.test(
  'a failed call is told to those who wait on all replicas, and repeated for none',
  async t => {
    const server = await startRedis(t)
    const { simulator, replicas } = await startReplicas(t, {
      urls: Array(3).fill(server.url),
      env: { UPSTREAM_TIMEOUT_SECONDS: '0.7' }
    })
    simulator.faultAll({ kind: 'hang' })
    const answers = await Promise.all(replicas.map(replica => ask(replica, target)))
    t.ok(answers.every(({ status }) => status === 504))
    t.ok(simulator.hits() <= 2, 'the call, and its one repetition')
  }
)
