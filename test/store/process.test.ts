/**
 * The real process and its store: what is loaded without one, what keeps it from starting, and
 * what does not.
 */

import t from 'tap'
import { type Environment, startChild, startReadyChild, until } from '../support/children.ts'
import { needsRedis, startRedis } from '../support/redis.ts'

needsRedis(t)

/** Says at the end how many files of the library were loaded. */
const counting = `
  import { createRequire } from 'node:module'
  const { cache } = createRequire('/')
  const count = () => Object.keys(cache).filter(path => path.includes('ioredis')).length
  process.on('exit', () => process.stderr.write('loaded: ' + count() + String.fromCharCode(10)))`

const base: Environment = {
  HELPCRUNCH_API_KEY: 'HCKEY-canary-5f1d0c0ffee',
  HELPCRUNCH_BASE_URL: 'http://127.0.0.1:9',
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(counting)}`
}

t.test('without a store nothing of it is loaded', async t => {
  const server = await startRedis(t)
  const alone = await startReadyChild(t, base)
  const sharing = await startReadyChild(t, { ...base, REDIS_URL: server.url })
  for (const child of [alone, sharing]) child.process.kill('SIGTERM')
  t.same(await alone.ended, { code: 0, signal: null })
  t.same(await sharing.ended, { code: 0, signal: null })
  t.match(alone.stderr(), /^loaded: 0$/m)
  t.match(sharing.stderr(), /^loaded: [1-9]\d*$/m)
})

t.test('a wrong password ends the start in one line that does not repeat it', async t => {
  const server = await startRedis(t, { password: 'redis-canary-right' })
  const REDIS_URL = server.url.replace('right', 'wrong')
  const child = await startChild(t, { ...base, NODE_OPTIONS: '', REDIS_URL })
  t.equal((await child.ended).code, 1)
  t.match(child.stderr(), /^configuration: REDIS_URL: it refuses the user or the password .*\n$/)
  t.notMatch(child.stderr() + child.stdout(), 'redis-canary')
})

t.test('a store that is away does not keep it from starting, nor from ending', async t => {
  const server = await startRedis(t)
  await server.kill()
  const child = await startReadyChild(t, { ...base, REDIS_URL: server.url })
  await until(() => child.stdout().includes('the store is not used'))
  child.process.kill('SIGTERM')
  t.same(await child.ended, { code: 0, signal: null })
})
