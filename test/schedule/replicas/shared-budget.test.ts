/** What replicas on one store do for each other, and what becomes of the slots of one that ends. */

import { Redis } from 'ioredis'
import t from 'tap'
import { ServiceError } from '../../../src/errors.ts'
import { needsRedis, startRedis } from '../../support/redis.ts'
import { openReplicas, type Replica, Replicas } from '../../support/replicas.ts'

needsRedis(t)

const windowMs = 6000
const timeoutMs = 1000
/** Until the first has founded the ledger and all have joined. */
const startMs = 2500
/** As long as the ledger keeps a slot of which it hears nothing, without the window. */
const leaseMs = 1000 + timeoutMs + 1000

async function joined(replicas: Replicas, names: readonly string[]): Promise<Replica[]> {
  const all = names.map(name => replicas.start(name))
  await replicas.clock.advance(startMs)
  return all
}

function askTimes(replica: Replica, count: number): void {
  for (let call = 0; call < count; call++) replica.ask()
}

t.test('who has never joined sends nothing, says so, and does when the store comes', async t => {
  const replicas = await openReplicas(t, { limit: 4 })
  replicas.server.isRunning = false
  const one = replicas.start('one')
  await replicas.clock.advance(10_000)
  one.ask({ waitMs: 5000 })
  await replicas.clock.advance(300_000)
  t.same([replicas.arrivals.length, one.outcomes], [0, ['budget_exhausted']])
  t.same([one.schedule.report().mode, one.budget.report().mode], ['cut-off', 'cut-off'])
  replicas.server.isRunning = true
  await replicas.clock.advance(startMs)
  one.ask()
  await replicas.clock.advance(500)
  t.same(one.outcomes, ['budget_exhausted', 'ok'])
})

t.test('who is refused without the store comes back after as long as it was away', async t => {
  const replicas = await openReplicas(t)
  const { clock } = replicas
  replicas.server.isRunning = false
  const one = replicas.start('one')
  const startedAt = clock.now()
  const retryAfterMs = () => {
    const asking = { team: 'blue', priorities: ['interactive'], deadline: clock.now() } as const
    const [told] = one.schedule.foresee(asking)
    return told && 'refusal' in told ? told.refusal.retryAfterMs : undefined
  }
  for (const awayMs of [1000, 5000, 20_000, 50_000, 300_000]) {
    await clock.advance(startedAt + awayMs - clock.now())
    // At first a short absence is expected to end; no client is sent away for longer than a minute.
    const expected = awayMs < 3000 ? 3000 - awayMs : Math.min(awayMs, 60_000)
    t.equal(retryAfterMs(), expected, `${awayMs} ms`)
  }
})

t.test('while all is set aside for a silent replica, nobody is sent away for long', async t => {
  const replicas = await openReplicas(t, { limit: 4 })
  const { clock } = replicas
  const first = replicas.start('first')
  await clock.advance(startMs)
  // It has not heard yet that it has to share.
  first.process.suspend()
  const one = replicas.start('one')
  await clock.advance(5000)
  one.ask({ waitMs: 5000 })
  await clock.advance(5000)
  t.same(
    [replicas.arrivals.length, one.outcomes, one.schedule.report().mode],
    [0, ['budget_exhausted'], 'held']
  )
  const asking = { team: 'blue', priorities: ['interactive'], deadline: clock.now() } as const
  const [told] = one.schedule.foresee(asking)
  t.equal(told && 'refusal' in told && told.refusal.retryAfterMs, 60_000)
  first.process.resume()
  await clock.advance(startMs)
  one.ask()
  await clock.advance(500)
  t.equal(one.outcomes.at(-1), 'ok')
})

t.test('the limit is one for all, and whoever asks gets it', async t => {
  const replicas = await openReplicas(t, { limit: 12 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  askTimes(one, 9)
  await replicas.clock.advance(200)
  askTimes(two, 9)
  await replicas.clock.advance(200)
  const by = (name: string) => replicas.arrivals.filter(({ replica }) => replica === name).length
  t.same([by('one'), by('two')], [9, 3])
  t.equal(two.schedule.report().used, 12)
})

t.test(
  'who waits is sent within 20 ms of a slot that comes free, without asking all the time',
  async t => {
    const replicas = await openReplicas(t, { limit: 1, latencyMs: () => 250 })
    const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
    one.ask()
    await replicas.clock.advance(100)
    two.ask()
    await replicas.clock.advance(200)
    const questions = replicas.server.executions
    await replicas.clock.advance(windowMs + 1000)
    const [first, second] = replicas.arrivals
    const freeAt = first!.at + 250 + windowMs + 20
    t.ok(second!.at >= freeAt && second!.at < freeAt + 20, `${second!.at - freeAt} ms after`)
    // A heartbeat a second of each, and the few of the call itself.
    const perSecond = (replicas.server.executions - questions) / (windowMs / 1000 + 1)
    t.ok(perSecond < 4, `${perSecond} exchanges a second`)
  }
)

t.test('a slot that is given back goes to the replica that waits at once', async t => {
  const call = Promise.withResolvers<void>()
  const replicas = await openReplicas(t, { limit: 1, fate: () => call.promise })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  one.ask({ waitMs: 100 })
  await replicas.clock.advance(200)
  two.ask()
  await replicas.clock.advance(200)
  t.equal(replicas.arrivals.length, 1)
  call.reject(new ServiceError('upstream_unreachable', 'refused', { contact: 'unsent' }))
  await replicas.clock.advance(20)
  t.match(replicas.arrivals[1], { replica: 'two' })
})

t.test('what nobody wants any more when it is granted goes to others', async t => {
  const replicas = await openReplicas(t, { limit: 2 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  for (let round = 0; round < 20; round++) {
    const caller = one.ask()
    await replicas.clock.advance(0.3)
    caller.abort()
    await replicas.clock.advance(50)
  }
  const wasted = replicas.arrivals.length
  askTimes(two, 2)
  await replicas.clock.advance(200)
  t.equal(wasted, 0)
  t.same(two.outcomes, ['ok', 'ok'])
})

t.test('a store that has no room for anything more keeps the ledger', async t => {
  const replicas = await openReplicas(t, { limit: 4 })
  const all = await joined(replicas, ['one', 'two'])
  await replicas.server.fill()
  replicas.warnings.length = 0
  for (const replica of all) askTimes(replica, 6)
  await replicas.clock.advance(3 * windowMs)
  t.same(
    all.flatMap(({ outcomes }) => outcomes),
    Array(12).fill('ok')
  )
  t.same(replicas.warnings, [])
})

t.test('classes hold across replicas: the urgent one is next, whoever has it', async t => {
  const replicas = await openReplicas(t, { limit: 12 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  // Slots come free one after the other.
  for (let call = 0; call < 12; call++) {
    one.ask()
    await replicas.clock.advance(100)
  }
  for (let call = 0; call < 12; call++) one.ask({ priority: 'bulk' })
  await replicas.clock.advance(200)
  askTimes(two, 3)
  await replicas.clock.advance(windowMs)
  const next = replicas.arrivals.slice(12, 15)
  t.same(
    next.map(({ priority, replica }) => [priority, replica]),
    Array(3).fill(['interactive', 'two'])
  )
})

t.test('the calls of a replica that dies come free within its lease and a window', async t => {
  const replicas = await openReplicas(t, { limit: 6, latencyMs: () => 900 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  askTimes(one, 6)
  await replicas.clock.advance(100)
  one.process.kill()
  const diedAt = replicas.clock.now()
  askTimes(two, 3)
  await replicas.clock.advance(leaseMs + windowMs + 200)
  const later = replicas.arrivals.slice(6)
  t.equal(later.length, 3)
  t.ok(later.every(({ at }) => at - diedAt > windowMs))
})

t.test('one that comes back under its name takes its calls with it, not twice', async t => {
  const replicas = await openReplicas(t, { limit: 6 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  askTimes(one, 4)
  await replicas.clock.advance(200)
  t.equal(two.budget.report().members.length, 2)
  one.process.kill()
  // It knows of no call: what it left in the ledger was granted and never sent.
  replicas.start('one')
  await replicas.clock.advance(1200)
  askTimes(two, 6)
  await replicas.clock.advance(200)
  t.equal(two.outcomes.length, 6)
})

t.test('who signs off leaves its share to the others at once', async t => {
  const replicas = await openReplicas(t, { limit: 12 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  await replicas.clock.advance(5000)
  const shareOf = ({ budget, name }: Replica) =>
    budget.report().members.find(({ id }) => id === name)?.share
  t.same([shareOf(one), shareOf(two)], [6, 6])
  const leaving = one.budget.leave()
  await replicas.clock.advance(2500)
  await leaving
  one.ask()
  await replicas.clock.advance(500)
  t.same([shareOf(two), two.budget.report().members.length], [12, 1])
  t.equal(replicas.arrivals.length, 0, 'and sends nothing any more')
  t.equal(one.identity.memory.share, 0)
})

t.test('a 429 at one pauses all', async t => {
  let tooMany = true
  const fate = async () => {
    if (!tooMany) return
    tooMany = false
    throw new ServiceError('upstream_rate_limited', '', { contact: 'answered', retryAfterMs: 4000 })
  }
  const replicas = await openReplicas(t, { limit: 12, fate })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  one.ask()
  await replicas.clock.advance(1500)
  const pausedAt = replicas.arrivals[0]!.at
  t.equal(two.schedule.report().mode, 'paused')
  two.ask()
  await replicas.clock.advance(8000)
  const after = replicas.arrivals.slice(1).map(({ at }) => at - pausedAt)
  t.equal(after.length, 2)
  t.ok(after.every(ms => ms >= 4000))
})

const meddling: Record<string, [command: string, name: string, ...args: string[]]> = {
  'meta of another type': ['SET', 'ledger:meta', 'garbage'],
  'slots of another type': ['SET', 'ledger:slots', 'garbage'],
  'members of another type': ['SET', 'ledger:members', 'garbage'],
  'no meta': ['DEL', 'ledger:meta'],
  'no slots': ['DEL', 'ledger:slots'],
  'no members': ['DEL', 'ledger:members'],
  'one slot less': ['ZREMRANGEBYRANK', 'ledger:slots', '0', '0'],
  'a slot for ever': ['ZADD', 'ledger:slots', '1e300', 'nobody|1'],
  'a member that is none': ['HSET', 'ledger:members', 'nobody', '{}'],
  'held for ever': ['HSET', 'ledger:meta', 'heldUntil', '1e308'],
  'held until junk': ['HSET', 'ledger:meta', 'heldUntil', 'junk'],
  'paused until nan': ['HSET', 'ledger:meta', 'pausedUntil', 'nan'],
  'a turn that is none': ['HSET', 'ledger:meta', 'turn', 'x'],
  'a serial that is none': ['HSET', 'ledger:meta', 'serial', '1.5'],
  'passed over for nothing': ['HSET', 'ledger:meta', 'passed1', 'x']
}

t.test('whatever becomes of its keys is a memory that is gone: nothing for a window', async t => {
  const server = await startRedis(t)
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  for (const [name, [command, key, ...args]] of Object.entries(meddling)) {
    const replicas = new Replicas(redis, { limit: 6 })
    const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
    askTimes(one, 6)
    await replicas.clock.advance(200)
    await replicas.server.meddle(command, key, ...args)
    askTimes(two, 6)
    await replicas.clock.advance(windowMs)
    t.equal(replicas.arrivals.length, 6, name)
    await replicas.clock.advance(windowMs)
    t.equal(replicas.arrivals.length, 12, `${name}: it recovers`)
  }
})

t.test('an older memory that is put back is not believed', async t => {
  const replicas = await openReplicas(t, { limit: 6 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  await replicas.server.copy()
  askTimes(one, 6)
  // Each has heard of it since.
  await replicas.clock.advance(1200)
  await replicas.server.rollBack()
  askTimes(two, 6)
  await replicas.clock.advance(windowMs)
  t.equal(replicas.arrivals.length, 6)
  await replicas.clock.advance(windowMs)
  t.equal(replicas.arrivals.length, 12)
})

t.test('an estimate counts the turns of other replicas', async t => {
  const replicas = await openReplicas(t, { limit: 6, latencyMs: () => 0 })
  const [one, two] = (await joined(replicas, ['one', 'two'])) as [Replica, Replica]
  for (const replica of [one, two]) askTimes(replica, 3)
  await replicas.clock.advance(1000)
  for (const replica of [one, two]) askTimes(replica, 12)
  await replicas.clock.advance(1500)
  // Twelve wait before it and as many elsewhere: that is four windows, of which one is over half.
  const { arrivals } = replicas
  one.ask({ waitMs: 2 * windowMs })
  t.equal(one.outcomes.filter(outcome => outcome === 'ok').length, 3)
  await replicas.clock.advance(50)
  t.equal(one.outcomes.at(-1), 'budget_exhausted', `${arrivals.length} calls`)
})
