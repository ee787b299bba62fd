/**
 * The law where it is hardest to keep: the real process, killed in the middle of its work and
 * started again on the same state, or suspended and let go on. The simulator counts arrivals and
 * refuses nothing, so that one call too many would be seen as such.
 */

import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { startSimulator } from '../simulator/upstream.ts'
import { checkProblem, read } from './support/answers.ts'
import { type Child, type Environment, startReadyChild, until } from './support/children.ts'
import { apiKey, tokens } from './support/stack.ts'

const limit = 30
const windowSeconds = 3
const asBlue = { headers: { authorization: `Bearer ${tokens.blue}` } }

interface Site {
  readonly hits: () => number
  readonly largestWindow: () => number
  start(folder?: string, env?: Environment): Promise<Child>
}

async function openSite(t: Test): Promise<Site> {
  const simulator = await startSimulator({
    ...{ apiKey, chats: 100, limit, windowSeconds, enforce: false },
    ...{ latencyMs: 20, jitterMs: 150 }
  })
  t.teardown(() => simulator.close())
  const start = (folder?: string, env: Environment = {}) =>
    startReadyChild(
      t,
      {
        HELPCRUNCH_API_KEY: apiKey,
        HELPCRUNCH_BASE_URL: simulator.baseUrl,
        TEAM_TOKENS: `blue=${tokens.blue},green=${tokens.green}`,
        UPSTREAM_LIMIT: String(limit),
        UPSTREAM_WINDOW_SECONDS: String(windowSeconds),
        CACHE_FRESH_SECONDS: '0',
        LOG_LEVEL: 'warn',
        ...env
      },
      folder
    )
  return { hits: simulator.hits, largestWindow: simulator.largestWindow, start }
}

/** Keeps `width` requests of each team going until it is stopped; whatever fails is asked again. */
function saturate(t: Test, url: () => string, width: number): { stop(): void } {
  let going = true
  const one = async (token: string, lane: number) => {
    for (let turn = 0; going; turn++) {
      const target = `${url()}/chats?offset=${(turn * width + lane) % 100}00`
      const headers = { authorization: `Bearer ${token}` }
      await fetch(target, { headers })
        .then(answer => answer.text())
        .catch(() => new Promise(resolve => setTimeout(resolve, 20)))
    }
  }
  for (let lane = 0; lane < width; lane++) {
    void one(tokens.blue, lane)
    void one(tokens.green, lane)
  }
  t.teardown(() => {
    going = false
  })
  return {
    stop: () => {
      going = false
    }
  }
}

t.test('a process that is killed again and again never exceeds the limit', async t => {
  const site = await openSite(t)
  let child = await site.start()
  const load = saturate(t, () => child.url, 20)
  for (let kill = 0; kill < 4; kill++) {
    // More than half of the limit each time: two such lives in one window would be too many.
    const before = site.hits()
    await until(() => site.hits() >= before + limit * 0.6)
    child.process.kill('SIGKILL')
    await child.ended
    child = await site.start(child.folder)
  }
  load.stop()
  t.ok(site.largestWindow() <= limit, `${site.largestWindow()} in the fullest window`)
})

t.test('a process that was suspended goes on without a burst', async t => {
  const site = await openSite(t)
  const child = await site.start()
  const load = saturate(t, () => child.url, 20)
  await until(() => site.hits() >= limit / 2)
  child.process.kill('SIGSTOP')
  await new Promise(resolve => setTimeout(resolve, windowSeconds * 1200))
  child.process.kill('SIGCONT')
  await until(() => site.hits() >= 2.5 * limit)
  load.stop()
  t.ok(site.largestWindow() <= limit, `${site.largestWindow()} in the fullest window`)
})

t.test('a second instance in the same STATE_DIR refuses to start, and says why', async t => {
  const site = await openSite(t)
  const first = await site.start()
  await t.rejects(site.start(first.folder), /STATE_DIR: .* is in use by another instance/)
})

t.test(
  'where nothing can be kept or locked an instance starts all the same, and says so',
  async t => {
    const site = await openSite(t)
    // A directory that cannot be made; where there is a /proc, one that Node would try to make forever.
    const nowhere = existsSync('/proc/self') ? '/proc/nope' : '/dev/null/nope'
    for (const instance of ['the first', 'the second']) {
      // Nobody gets as far as the end of that window.
      const env = { STATE_DIR: nowhere, UPSTREAM_WINDOW_SECONDS: '600' }
      const child = await site.start(undefined, env)
      await until(() => child.stdout().includes('\n'))
      const warnings = child.stdout().trim().split('\n')
      t.equal(warnings.length, 1, instance)
      t.match(warnings[0], /journal cannot be written \(ENO\w+\); no call is sent/)
      t.match(warnings[0], /cannot be locked: see that no other instance uses it/)
      const answer = await read(fetch(`${child.url}/chats`, asBlue))
      checkProblem(t, answer, { status: 503, code: 'budget_exhausted' }, 'for the first window')
    }
    t.equal(site.hits(), 0)
    const soon = { STATE_DIR: nowhere, UPSTREAM_TIMEOUT_SECONDS: '1' }
    const { url } = await site.start(undefined, soon)
    t.equal((await read(fetch(`${url}/chats`, asBlue))).status, 200, 'and then as ever')
  }
)

t.test('one that takes over while the one before it still ends goes on with its count', async t => {
  const site = await openSite(t)
  let child = await site.start()
  const load = saturate(t, () => child.url, 20)
  for (let deploy = 0; deploy < 3; deploy++) {
    const before = site.hits()
    await until(() => site.hits() >= before + limit * 0.6)
    const old = child
    old.process.kill('SIGTERM')
    // As a supervisor does that does not wait: again until it is let in.
    await until(async () => {
      const next = await site.start(old.folder).catch(() => undefined)
      child = next ?? child
      return next !== undefined
    })
    t.same(await old.ended, { code: 0, signal: null })
  }
  const before = site.hits()
  await until(() => site.hits() >= before + limit * 0.6)
  load.stop()
  t.ok(site.largestWindow() <= limit, `${site.largestWindow()} in the fullest window`)
})
