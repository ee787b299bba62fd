/**
 * The shared store on a real server: what it keeps, how long it makes anybody wait, what it says
 * when it is lost, and that it is used again by itself.
 */

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'
import { systemClock } from '../../src/clock.ts'
import { parseStoreUrl } from '../../src/config-store.ts'
import type { StoreError, StoreState } from '../../src/shared-store.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { RedisStore } from '../../src/store/redis-store.ts'
import { selfSigned } from '../support/certificate.ts'
import { needsRedis, startRedis, startReplica, startSentinel, untilTrue } from '../support/redis.ts'
import { ask, page, startReplicas } from '../support/sharing-services.ts'
import { publish, read, write } from '../support/store-commands.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

needsRedis(t)

const baseUrl = new URL('https://api.example.com/v1')

interface Opened {
  readonly store: RedisStore
  readonly lines: string[]
  readonly states: StoreState[]
}

async function open(t: Test, url: string, apiKey = 'a-key'): Promise<Opened> {
  const lines: string[] = []
  const log = {
    warn: (message: string) => void lines.push(`warn ${message}`),
    info: (message: string) => void lines.push(`info ${message}`)
  }
  const address = parseStoreUrl(url).value!
  const store = await openStore({ address, apiKey, baseUrl, clock: systemClock, log })
  if (typeof store === 'string') throw new Error(store)
  t.teardown(() => store.close())
  const states: StoreState[] = []
  store.watch(state => states.push(state))
  return { store, lines, states }
}

const failure = (kind: StoreError['kind']) => ({ name: 'StoreError', kind })

const echo = { name: 'echo', lua: 'return {KEYS[1], ARGV[1], 7}' }
const adding = { name: 'adding', lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" }
const looping = { name: 'looping', lua: "local i = 0 while i < 4e8 do i = i + 1 end return 'x'" }

t.test('it keeps bytes for as long as it is told, runs scripts and passes messages', async t => {
  const server = await startRedis(t)
  const { store, lines, states } = await open(t, server.url)
  t.match(states, [{ state: 'up', runId: /^[0-9a-f]{40}$/ }])
  const key = `${store.namespace}bytes`
  const bytes = Buffer.from([0, 255, 13, 10, 128])
  await write(store, key, bytes)
  t.same(await read(store, key), bytes)
  t.ok(Number(await server.ask('PTTL', key)) <= 5000)
  await store.delete(key)
  t.equal(await read(store, key), null)
  t.same(await store.run(echo, { keys: ['k'], args: ['a'] }), ['k', 'a', 7])
  const heard: string[] = []
  store.subscribe('channel', message => heard.push(message))
  await untilTrue(() => {
    publish(store, 'channel', 'news')
    return heard.length > 0
  })
  t.equal(heard[0], 'news')
  t.same(lines, [])
})

t.test('a script that the store has lost is given to it again', async t => {
  const server = await startRedis(t)
  const { store } = await open(t, server.url)
  t.equal(await store.run(adding, { keys: ['n'], args: [2] }), 2)
  await server.ask('SCRIPT', 'FLUSH')
  t.equal(await store.run(adding, { keys: ['n'], args: [3] }), 5)
})

t.test('equal budgets share a namespace, and different ones never do', async t => {
  const server = await startRedis(t)
  const [one, same, other] = await Promise.all([
    open(t, server.url),
    open(t, server.url),
    open(t, server.url, 'another-key')
  ])
  t.equal(one.store.namespace, same.store.namespace)
  t.not(one.store.namespace, other.store.namespace)
  t.match(one.store.namespace, /^\{helpcrunch-proxy:1:[0-9a-f]{8}\}:$/)
})

t.test('an error that the store answers is a refusal, and leaves it in use', async t => {
  const server = await startRedis(t)
  const { store } = await open(t, server.url)
  await server.ask('LPUSH', 'list', 'x')
  await t.rejects(read(store, 'list'), { kind: 'refused', message: /^WRONGTYPE/ })
  t.ok(store.isUp)
})

t.test('a store that is away at the start is told once, and used when it comes', async t => {
  const server = await startRedis(t)
  await server.kill()
  const { store, lines, states } = await open(t, server.url)
  t.match(states, [{ state: 'down', reason: /ECONNREFUSED/ }])
  await t.rejects(read(store, 'x'), failure('unsent'))
  await server.start()
  await untilTrue(() => store.isUp)
  t.match(lines, [/^warn REDIS_URL: .*ECONNREFUSED/, /^info /])
  t.equal(lines.length, 2)
})

t.test('a store that dies is down at once, and another process when it is back', async t => {
  const server = await startRedis(t)
  const { store, lines, states } = await open(t, server.url)
  const running = store.run(looping, { keys: [], args: [], timeoutMs: 5000 })
  const failed = t.rejects(running, failure('unknown'))
  await server.kill()
  await failed
  await untilTrue(() => !store.isUp)
  await server.start()
  await untilTrue(() => store.isUp)
  t.equal(states.length, 3)
  const [before, down, after] = states as [StoreState, StoreState, StoreState]
  t.equal(down.state, 'down')
  t.not(before.state === 'up' && before.runId, after.state === 'up' && after.runId)
  t.equal(lines.length, 2, 'one line for the loss and one for the return')
})

t.test('what is subscribed is heard again after the store was away', async t => {
  const server = await startRedis(t)
  const { store } = await open(t, server.url)
  const heard: string[] = []
  store.subscribe('channel', message => heard.push(message))
  await server.restart()
  await untilTrue(() => {
    publish(store, 'channel', 'news')
    return heard.length > 0
  })
  t.equal(heard[0], 'news')
})

t.test('a store that stands still costs each command its time once, and then nothing', async t => {
  const server = await startRedis(t)
  const { store, lines } = await open(t, server.url)
  server.pause()
  await t.rejects(store.run(echo, { keys: ['k'], args: [] }), failure('unknown'))
  t.notOk(store.isUp)
  const started = systemClock.now()
  const kinds = await Promise.all(
    Array.from({ length: 100 }, () => read(store, 'x').catch((error: StoreError) => error.kind))
  )
  t.ok(kinds.every(kind => kind === 'unsent'))
  t.ok(systemClock.now() - started < 250, 'nobody waited')
  server.resume()
  await untilTrue(() => store.isUp)
  t.same(await store.run(echo, { keys: ['k'], args: ['a'] }), ['k', 'a', 7])
  t.equal(lines.length, 2)
})

t.test('a reader waits 50 ms for a slow store, the next ones do not wait at all', async t => {
  const server = await startRedis(t)
  const proxy = await startTcpProxy(t, server.port)
  const { store } = await open(t, proxy.url)
  proxy.delayMs = 50
  await t.rejects(read(store, 'x'), failure('unknown'))
  t.ok(store.isUp, 'slow for a reader, not for the ledger')
  await t.rejects(read(store, 'x'), failure('unsent'))
  t.same(await store.run(echo, { keys: ['k'], args: ['a'] }), ['k', 'a', 7])
  proxy.delayMs = 0
  await untilTrue(() =>
    read(store, 'x').then(
      () => true,
      () => false
    )
  )
  t.ok(store.isUp)
})

for (const directions of [['up'], ['down'], ['up', 'down']] as const) {
  t.test(`a line that swallows everything ${directions.join(' and ')} is noticed`, async t => {
    const server = await startRedis(t)
    const proxy = await startTcpProxy(t, server.port)
    const { store, states } = await open(t, proxy.url)
    proxy.swallow(...directions)
    await untilTrue(() => !store.isUp)
    proxy.heal()
    await untilTrue(() => store.isUp)
    t.same(
      states.map(({ state }) => state),
      ['up', 'down', 'up']
    )
  })
}

t.test('a read-only replica is refused, and used once it is the master', async t => {
  const master = await startRedis(t)
  const replica = await startReplica(t, master)
  const { store, lines } = await open(t, replica.url)
  t.notOk(store.isUp)
  t.match(lines, [/read-only replica.*redis\+sentinel/])
  await replica.ask('REPLICAOF', 'NO', 'ONE')
  await untilTrue(() => store.isUp)
  t.ok(store.isUp)
})

t.test('a master that is demoted is left at its first refusal', async t => {
  const master = await startRedis(t)
  const other = await startRedis(t)
  const { store, states } = await open(t, master.url)
  await master.ask('REPLICAOF', '127.0.0.1', String(other.port))
  await t.rejects(store.run(adding, { keys: ['n'], args: [1] }), failure('refused'))
  t.notOk(store.isUp)
  t.match(states.at(-1), { state: 'down', reason: /read-only replica/ })
})

t.test('a store that may evict is told of, with the cure', async t => {
  const server = await startRedis(t, { settings: { 'maxmemory-policy': 'allkeys-lru' } })
  const { store, lines } = await open(t, server.url)
  t.ok(store.isUp)
  t.match(lines, [/maxmemory-policy is allkeys-lru.*CONFIG SET maxmemory-policy noeviction/])
})

t.test('a full store refuses writes in words, once, and stays in use', async t => {
  const server = await startRedis(t)
  const { store, lines } = await open(t, server.url)
  await server.ask('CONFIG', 'SET', 'maxmemory', '1')
  for (let time = 0; time < 5; time++) {
    await t.rejects(write(store, 'x', 'y'), { kind: 'refused', message: /^OOM/ })
  }
  t.ok(store.isUp)
  t.equal(lines.length, 1)
  t.match(lines[0], /takes no writes: its memory is full: raise maxmemory/)
})

t.test('a password that changes under way is told, and mended without a restart', async t => {
  const server = await startRedis(t, { password: 'redis-canary-one' })
  const { store, lines } = await open(t, server.url)
  await server.setPassword('redis-canary-two')
  await untilTrue(() => lines.some(line => line.includes('refuses the user or the password')))
  t.notOk(store.isUp)
  await server.setPassword('redis-canary-one')
  await untilTrue(() => store.isUp)
  t.notMatch(lines.join('\n'), 'canary')
})

t.test('what only an operator can mend is said in one line, without the password', async t => {
  const server = await startRedis(t, { password: 'redis-canary-one' })
  const rules = ['on', '>redis-canary-two', '~*', '&*', '+@all', '-@scripting']
  await server.ask('ACL', 'SETUSER', 'scriptless', ...rules)
  await server.ask('ACL', 'SETUSER', 'foreign', ...rules.with(2, '~theirs:*'), '+@scripting')
  const channelless = rules.with(3, 'resetchannels')
  await server.ask('ACL', 'SETUSER', 'mute', ...channelless, '+@scripting')
  await server.ask('ACL', 'SETUSER', 'deaf', ...rules, '+@scripting', '-subscribe')
  const at = `127.0.0.1:${server.port}`
  const told: readonly [url: string, says: RegExp][] = [
    [`redis://:redis-canary-two@${at}`, /refuses the user or the password/],
    [`redis://nobody:redis-canary-one@${at}`, /refuses the user or the password/],
    [`redis://${at}`, /wants a password/],
    [`redis://scriptless:redis-canary-two@${at}`, /ACL SETUSER: .*\+@scripting/],
    [`redis://foreign:redis-canary-two@${at}`, /ACL SETUSER: ~\{helpcrunch-proxy:\*/],
    [`redis://mute:redis-canary-two@${at}`, /ACL SETUSER: .*&\{helpcrunch-proxy:\*/],
    [`redis://deaf:redis-canary-two@${at}`, /ACL SETUSER: .*\+@pubsub/],
    [`redis://:redis-canary-one@${at}/99`, /no database of the number/],
    [`rediss://:redis-canary-one@${at}`, /does not speak TLS: write redis:\/\//]
  ]
  for (const [url, says] of told) {
    const failed = await open(t, url).catch((error: Error) => error.message)
    t.match(failed, says, url)
    t.notMatch(failed, 'canary')
  }
})

t.test('who may not listen any more is told of it, and listens when it may', async t => {
  const server = await startRedis(t)
  const at = `127.0.0.1:${server.port}`
  await server.ask('ACL', 'SETUSER', 'somebody', 'on', '>redis-canary', '~*', '&*', '+@all')
  const { store, lines } = await open(t, `redis://somebody:redis-canary@${at}`)
  t.same(lines, [])
  await server.ask('ACL', 'SETUSER', 'somebody', '-subscribe')
  await server.ask('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await untilTrue(() => lines.length > 0)
  t.match(lines, [/^warn REDIS_URL: we may not listen to it: .*ACL SETUSER: .*\+@pubsub/])
  t.ok(store.isUp)
  await server.ask('ACL', 'SETUSER', 'somebody', '+subscribe')
  const heard: string[] = []
  store.subscribe('channel', message => heard.push(message))
  await untilTrue(() => {
    publish(store, 'channel', 'news')
    return heard.length > 0
  })
  t.equal(lines.length, 1, 'and once')
})

t.test('the rights that it asks for are enough', async t => {
  const server = await startRedis(t)
  const at = `127.0.0.1:${server.port}`
  await server.ask('ACL', 'SETUSER', 'nobody', 'on', '>redis-canary', '-@all')
  const refused = await open(t, `redis://nobody:redis-canary@${at}`).catch(({ message }) => message)
  const rights = String(refused).split('ACL SETUSER: ')[1]?.split(' ') ?? []
  t.ok(rights.length > 4)
  await server.ask('ACL', 'SETUSER', 'somebody', 'on', '>redis-canary', ...rights)
  const { replicas, simulator } = await startReplicas(t, {
    urls: Array(2).fill(`redis://somebody:redis-canary@${at}`)
  })
  for (const replica of replicas) t.equal((await ask(replica, page(0))).status, 200)
  t.equal(simulator.hits(), 1)
  for (const entry of (await server.ask('ACL', 'LOG')) as string[][]) {
    t.equal(entry[entry.indexOf('username') + 1], 'nobody', String(entry))
  }
})

t.test('TLS is spoken where it is asked for, and a certificate is looked at', async t => {
  const folder = t.testdir({ 'key.pem': selfSigned.key, 'cert.pem': selfSigned.cert })
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const files = {
    'tls-cert-file': join(folder, 'cert.pem'),
    'tls-key-file': join(folder, 'key.pem')
  }
  const server = await startRedis(t, {
    settings: { ...files, 'tls-port': String(port), 'tls-auth-clients': 'no' }
  })
  t.match(await server.ask('PING'), 'PONG')
  const failed = await open(t, `rediss://127.0.0.1:${port}`).catch((error: Error) => error.message)
  t.match(failed, /certificate.*SELF_SIGNED.*NODE_EXTRA_CA_CERTS/)
  const plain = await open(t, `redis://127.0.0.1:${port}`).catch((error: Error) => error.message)
  t.match(plain, /speaks TLS: write rediss:\/\//)
})

t.test('the Sentinels are followed to the new master', async t => {
  const master = await startRedis(t)
  const replica = await startReplica(t, master)
  const sentinel = await startSentinel(t, 'main', master)
  const { store } = await open(t, `redis+sentinel://127.0.0.1:${sentinel.port}/main`)
  t.equal(await store.run(adding, { keys: ['n'], args: [1] }), 1)
  // It ends its connections when it changes its part.
  const part = () => replica.ask('INFO', 'replication').catch(() => '')
  await untilTrue(async () => {
    // Refused until the replica is known well enough, and given up if that takes long.
    await sentinel.ask('SENTINEL', 'FAILOVER', 'main').catch(() => {})
    return String(await part()).includes('role:master')
  })
  await master.kill()
  await untilTrue(async () => {
    // An answer may come too late to be heard, and then it is asked once more.
    const sum = await store.run(adding, { keys: ['m'], args: [1] }).catch(() => 0)
    return Number(sum) > 0
  })
  t.ok(Number(await replica.ask('GET', 'm')) > 0)
})

t.test('a master that Sentinel does not know is told', async t => {
  const master = await startRedis(t)
  const sentinel = await startSentinel(t, 'main', master)
  const { lines } = await open(t, `redis+sentinel://127.0.0.1:${sentinel.port}/other`)
  t.match(lines, [/Sentinels know no master of the name/])
  const plain = await open(t, sentinel.url).catch((error: Error) => error.message)
  t.match(plain, /is a Sentinel: write redis\+sentinel/)
})
