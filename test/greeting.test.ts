/**
 * What is seen on a terminal: one block within 80 columns that names everything and no secret, and
 * only then lines of JSON; where no terminal is, JSON alone.
 */

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { freePorts } from '../simulator/free-ports.ts'
import { parseConfig, secretsOf } from '../src/config.ts'
import { greeting } from '../src/greeting.ts'
import { emptyFolder, startReadyChild, until } from './support/children.ts'
import { holds } from './support/property.ts'
import { apiKey, tokens } from './support/stack.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const env = {
  HELPCRUNCH_API_KEY: apiKey,
  TEAM_TOKENS: `blue=${tokens.blue}:2,green=${tokens.green}`
}
const addresses = { callers: 'http://127.0.0.1:8080', operators: 'http://127.0.0.1:8081' }

t.test('it names where, for whom, what may be spent, and how to go on', async t => {
  const text = greeting(parseConfig(env), addresses)
  for (const part of [
    /^ {2}Callers +http:\/\/127\.0\.0\.1:8080, docs at http:\/\/127\.0\.0\.1:8080\/docs$/m,
    /^ {2}Operators +http:\/\/127\.0\.0\.1:8081$/m,
    /^ {2}Teams +blue \(×2\), green$/m,
    /^ {2}Upstream +https:\/\/api\.helpcrunch\.com\/v1$/m,
    /^ {2}Budget +120 calls in any 60 s$/m,
    /^ {2}Cache +128 MB; fresh 30 s, stale 60 s more, 24 h if HelpCrunch fails$/m,
    /^ {2}Redis +none/m,
    /^curl -H 'Authorization: Bearer <token of blue>' \\\n {2}'http:\/\/127\.0\.0\.1:8080\/chats/m
  ]) {
    t.match(text, part)
  }
  const open = parseConfig({ ...env, TEAM_TOKENS: '', ADMIN_PORT: '0' })
  const bare = greeting(open, { ...addresses, operators: undefined })
  t.match(bare, /Teams +none: no token/)
  t.match(bare, /Operators +off/)
  t.notMatch(bare, 'Authorization')
})

t.test('of the address of a store only the place is shown', async t => {
  for (const [address, shown] of [
    ['redis://user:S3CRET@redis.internal:6379/0', 'redis.internal:6379'],
    ['rediss://:S3CRET@redis.internal', 'redis.internal:6379, over TLS'],
    ['redis+sentinel://user:S3CRET@a:1,b:2/name', 'name (Sentinels a:1, b:2)']
  ] as const) {
    const text = greeting(parseConfig({ ...env, REDIS_URL: address }), addresses)
    t.match(text, `Redis      ${shown}\n`)
    t.notMatch(text, /S3|CRET/)
  }
})

const name = fc.stringMatching(/^[a-z0-9_-]{1,32}$/)
const seconds = fc.integer({ min: 0, max: 31_536_000 }).map(String)

t.test('no line is longer than 80 columns, and none holds a secret', async t => {
  await holds(
    t,
    fc.property(
      fc.uniqueArray(name, { maxLength: 60 }),
      seconds,
      seconds,
      (names, fresh, stale) => {
        const list = names.map((team, at) => `${team}=SECRET-of-a-team-${at}-0123456789:${at + 1}`)
        const config = parseConfig({
          ...env,
          TEAM_TOKENS: list.join(','),
          CACHE_FRESH_SECONDS: fresh,
          CACHE_STALE_IF_ERROR_SECONDS: stale
        })
        const text = greeting(config, addresses)
        const long = text.split('\n').filter(line => [...line].length > 80)
        return long.length === 0 && !secretsOf(config).some(secret => text.includes(secret))
      }
    )
  )
})

interface Terminal {
  readonly seen: () => string
  /** What a keyboard sends for Ctrl-C. */
  readonly interrupt: () => void
  readonly ended: Promise<number | null>
  readonly port: number
}

/** The service on a real terminal of 80 columns, by util-linux's script. */
async function startOnTerminal(t: Test, more: Record<string, string> = {}): Promise<Terminal> {
  const [port = 0] = await freePorts('127.0.0.1', [0])
  const command = `stty cols 80; exec '${process.execPath}' '${main}'`
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: await emptyFolder(t),
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      SHELL: '/bin/sh',
      PORT: `${port}`,
      ADMIN_PORT: '0',
      ...env,
      ...more
    }
  })
  t.teardown(() => child.kill('SIGKILL'))
  let seen = ''
  child.stdout.on('data', chunk => {
    seen += chunk
  })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  return {
    seen: () => seen.replaceAll('\r', ''),
    interrupt: () => child.stdin.write('\x03'),
    ended,
    port
  }
}

/** Other systems have a script that takes other words. */
const skip = process.platform === 'linux' ? false : 'no script of util-linux here'

t.test('on a terminal: the block, then a line for each request', { skip }, async t => {
  const { ended, interrupt, port, seen } = await startOnTerminal(t)
  await until(() => seen().includes('follows.\n'))
  const block = seen()
  t.notMatch(block, '{', 'no JSON before it')
  t.match(block, `http://127.0.0.1:${port}/docs`)
  t.same(
    block.split('\n').filter(line => [...line].length > 80),
    []
  )
  t.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200)
  await until(() => seen().includes('"route":"/healthz"'))
  interrupt()
  t.equal(await ended, 0)
})

t.test('whoever asks for warnings only is not greeted', { skip }, async t => {
  const { ended, interrupt, port, seen } = await startOnTerminal(t, { LOG_LEVEL: 'warn' })
  await until(() =>
    fetch(`http://127.0.0.1:${port}/healthz`).then(
      () => true,
      () => false
    )
  )
  interrupt()
  await ended
  t.notMatch(seen(), 'helpcrunch-proxy')
})

t.test('without a terminal every line is JSON, and names the same', async t => {
  const { stdout, url } = await startReadyChild(t, env)
  await until(() => stdout().includes('listening'))
  for (const line of stdout().trim().split('\n')) t.ok(JSON.parse(line).msg)
  t.match(stdout(), url)
})
