/**
 * `npm run export` as people run it: a process of its own against a running service. Whoever of the
 * three is killed on the way, the file is in the end what one undisturbed export would have been.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { freePorts } from '../../simulator/free-ports.ts'
import { type Simulator, startSimulator } from '../../simulator/upstream.ts'
import { type Child, emptyFolder, startReadyChild, until } from '../support/children.ts'
import { apiKey, type Stack, startStack, tokens } from '../support/stack.ts'

const cli = fileURLToPath(new URL('../../cli/export.ts', import.meta.url))

t.setTimeout(120_000)

/** A run of the command, and what it says. */
function start(t: Test, args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HELPCRUNCH_PROXY_TOKEN: tokens.blue, ...env }
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      said += chunk
    })
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, ended, said: () => said }
}

async function runToEnd(t: Test, args: readonly string[], env?: Record<string, string>) {
  const { ended, said } = start(t, args, env)
  return { code: await ended, said: said() }
}

const wide = { UPSTREAM_LIMIT: '100000', UPSTREAM_WINDOW_SECONDS: '1' }

const startWide = (t: Test, chats: number) =>
  startStack(t, { env: wide, upstream: { chats, limit: 100_000 } })

const bodyOf = async ({ get }: Stack, query = '') => (await get(`/chats/export${query}`)).text()

t.test(
  'a file in every format is what the service sends, and has its name when it is whole',
  async t => {
    const stack = await startWide(t, 650)
    const folder = await emptyFolder(t)
    const cases: [name: string, args: string[], query: string][] = [
      ['a.ndjson', [], ''],
      ['b.csv', [], '?format=csv'],
      ['c.json', [], '?format=json'],
      ['d.txt', ['--format', 'csv'], '?format=csv']
    ]
    const runs = cases.map(async ([name, args, query]) => {
      const out = join(folder, name)
      const { code, said } = await runToEnd(t, ['--out', out, '--url', stack.url, ...args])
      t.equal(code, 0, said)
      t.match(said, `650 chats in ${out}`)
      t.ok((await readFile(out, 'utf8')) === (await bodyOf(stack, query)), name)
      t.notOk(existsSync(`${out}.part`) || existsSync(`${out}.whole`), 'nothing is left over')
    })
    await Promise.all(runs)
  }
)

t.test('where and as whom comes from the environment as well', async t => {
  const stack = await startWide(t, 10)
  const out = join(await emptyFolder(t), 'chats.ndjson')
  const env = { HELPCRUNCH_PROXY_URL: `${stack.url}/v1/` }
  t.equal((await runToEnd(t, ['--out', out, '--end', 'none'], env)).code, 0)
  t.ok((await readFile(out, 'utf8')) === (await bodyOf(stack, '?end=none')))
})

t.test('asked wrongly, it says how to ask and exits 2', async t => {
  const { code, said } = await runToEnd(t, ['--out'])
  t.equal(code, 2)
  t.match(said, /^export: [\s\S]*--out <file>/)
  t.notMatch(said, / at .*\.ts/)
})

t.test('what no second try cures ends it with 1, and no file', async t => {
  const stack = await startWide(t, 10)
  const folder = await emptyFolder(t)
  const out = join(folder, 'chats.ndjson')
  const wrong = await runToEnd(t, ['--out', out, '--url', stack.url, '--token', 'wrong'])
  t.equal(wrong.code, 1)
  t.match(wrong.said, /401 .*token/)
  const elsewhere = await runToEnd(t, ['--out', out, '--url', `${stack.url}/docs/x`])
  t.equal(elsewhere.code, 1)
  const nowhere = await runToEnd(t, ['--out', join(folder, 'no', 'x'), '--url', stack.url])
  t.equal(nowhere.code, 1)
  t.match(nowhere.said, 'ENOENT')
  t.notMatch(nowhere.said, / at .*\.ts/)
  t.notOk(existsSync(out))
})

t.test('a service that is not there is tried a few times', async t => {
  const [port] = await freePorts('127.0.0.1', [0])
  const out = join(await emptyFolder(t), 'chats.ndjson')
  const { code, said } = await runToEnd(t, ['--out', out, '--url', `http://127.0.0.1:${port}`])
  t.equal(code, 1)
  t.match(said, /ECONNREFUSED; trying again[\s\S]*ECONNREFUSED; gave up after 4 tries/)
})

t.test(
  'what is there of an earlier run is taken up, half a line not, and --fresh begins again',
  async t => {
    const stack = await startWide(t, 650)
    const whole = await bodyOf(stack)
    const out = join(await emptyFolder(t), 'chats.ndjson')
    const args = ['--out', out, '--url', stack.url]
    const lines = whole.split('\n').map(line => `${line}\n`)
    await writeFile(`${out}.part`, lines.slice(0, 400).join('') + lines[400]?.slice(0, 50))
    const { code, said } = await runToEnd(t, args)
    t.equal(code, 0)
    t.match(said, 'going on after 400 chats')
    t.ok((await readFile(out, 'utf8')) === whole)

    await writeFile(`${out}.part`, 'something else\n')
    const other = await runToEnd(t, args)
    t.equal(other.code, 1)
    t.match(other.said, '--fresh begins again')
    t.equal((await runToEnd(t, [...args, '--fresh'])).code, 0)
    t.ok((await readFile(out, 'utf8')) === whole)
  }
)

const chats = 3000

interface Site {
  readonly simulator: Simulator
  readonly service: Child
  readonly env: Record<string, string>
  readonly out: string
  readonly args: readonly string[]
  readonly whole: string
}

/** From 60 % on the upstream does not answer, so that everybody can be met there. */
const hangAtSixty = (simulator: Simulator) =>
  simulator.faultAll({
    kind: 'hang',
    match: target => Number(/offset=(\d+)/.exec(target)?.[1]) >= 0.6 * chats
  })

async function openSite(t: Test): Promise<Site> {
  const simulator = await startSimulator({ chats, apiKey, limit: 100_000 })
  t.teardown(() => simulator.close())
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const env = {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: `blue=${tokens.blue}`,
    UPSTREAM_TIMEOUT_SECONDS: '1',
    PORT: String(port),
    ...wide
  }
  const service = await startReadyChild(t, env)
  const headers = { authorization: `Bearer ${tokens.blue}` }
  const whole = await (await fetch(`${service.url}/chats/export`, { headers })).text()
  const out = join(await emptyFolder(t), 'chats.ndjson')
  hangAtSixty(simulator)
  return { simulator, service, env, out, args: ['--out', out, '--url', service.url], whole }
}

/** Whole lines that are there before the file is. */
const linesThere = (out: string) =>
  existsSync(`${out}.part`) ? readFileSync(`${out}.part`, 'utf8').split('\n').length - 1 : 0

const atSixty = (out: string) => until(() => linesThere(out) >= 0.59 * chats)

t.test('the client is killed at 60 %, stopped by Ctrl-C, and started again', async t => {
  const { args, out, simulator, whole } = await openSite(t)
  const first = start(t, args)
  await atSixty(out)
  first.child.kill('SIGKILL')
  await first.ended
  const second = start(t, args)
  await until(() => second.said().includes('going on after'))
  second.child.kill('SIGINT')
  t.equal(await second.ended, 130)
  t.match(second.said(), /stopped after \d+ chats; run it again/)
  t.notOk(existsSync(out))
  simulator.faultAll(undefined)
  const { code, said } = await runToEnd(t, args)
  t.equal(code, 0, said)
  t.match(said, 'going on after')
  t.ok((await readFile(out, 'utf8')) === whole)
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`the service gets ${signal} at 60 % and is started again`, async t => {
    const { args, env, out, service, simulator, whole } = await openSite(t)
    const { ended, said } = start(t, args)
    await atSixty(out)
    service.process.kill(signal)
    const { code } = await service.ended
    if (signal === 'SIGTERM') t.equal(code, 0)
    simulator.faultAll(undefined)
    await startReadyChild(t, env, service.folder)
    t.equal(await ended, 0, said())
    t.match(said(), 'trying again')
    t.ok((await readFile(out, 'utf8')) === whole)
  })
}

t.test('the upstream is gone at 60 % and comes back: the export waits for it', async t => {
  const { args, out, simulator, whole } = await openSite(t)
  const { ended, said } = start(t, args)
  await atSixty(out)
  await simulator.close()
  const again = await startSimulator({ chats, apiKey, limit: 100_000, port: simulator.port })
  t.teardown(() => again.close())
  t.equal(await ended, 0, said())
  t.notMatch(said(), 'trying again', 'the client has noticed nothing')
  t.ok((await readFile(out, 'utf8')) === whole)
})
