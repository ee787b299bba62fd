/**
 * The real process: what it says when it cannot start, where it reads its configuration, and how
 * it leaves: those who were being answered are, those who waited are told, and the exit code is 0.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Simulator, startSimulator } from '../simulator/upstream.ts'
import { checkProblem, read } from './support/answers.ts'
import {
  type Child,
  type Environment,
  emptyFolder,
  startChild,
  startReadyChild,
  until
} from './support/children.ts'
import { dial, listen } from './support/raw-socket.ts'
import { apiKey, tokens } from './support/stack.ts'

const teams = `blue=${tokens.blue},green=${tokens.green}`
const known = `Host: x\r\nAuthorization: Bearer ${tokens.blue}\r\n`
const asBlue = { headers: { authorization: `Bearer ${tokens.blue}` } }

interface Pair extends Child {
  readonly simulator: Simulator
}

/** The process in front of a simulator, ready to be asked. */
async function startPair(t: Test, env: Environment = {}): Promise<Pair> {
  const simulator = await startSimulator({ chats: 435, apiKey })
  t.teardown(() => simulator.close())
  const child = await startReadyChild(t, {
    HELPCRUNCH_API_KEY: apiKey,
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    TEAM_TOKENS: teams,
    ...env
  })
  return { ...child, simulator }
}

const lines = (text: string) => text.split('\n').filter(line => line !== '')

t.test('without a key it says what is missing and how to try it without, and exits 1', async t => {
  const { ended, stdout, stderr } = await startChild(t, {})
  t.same(await ended, { code: 1, signal: null })
  t.match(stderr(), /HELPCRUNCH_API_KEY.*required.*example: HELPCRUNCH_API_KEY=/)
  t.match(stderr(), 'npm run demo')
  t.ok(lines(stderr()).length <= 2, 'no stack, no noise')
  t.equal(stdout(), '')
})

const bad: Environment = {
  HELPCRUNCH_API_KEY: 'a key with spaces',
  HELPCRUNCH_BASE_URL: 'ftp://user:pass@example.com',
  UPSTREAM_LIMIT: '0',
  UPSTREAM_WINDOW_SECONDS: '1e1',
  UPSTREAM_TIMEOUT_SECONDS: '-1',
  UPSTREAM_CONCURRENCY: 'many',
  UPSTREAM_MAX_BODY_MB: '0x10',
  HOST: 'not a host',
  PORT: '65536',
  TEAM_TOKENS: `Blue=${tokens.blue},green=short-canary,red=${tokens.green}:0`,
  ALLOW_ANONYMOUS: 'yes',
  TEAM_RATE_LIMIT: '10000000000',
  CORS_ORIGINS: 'https://desk.example.com/path',
  CACHE_FRESH_SECONDS: 'NaN',
  CACHE_MAX_MB: '',
  QUEUE_MAX_WAIT_SECONDS: 'soon',
  QUEUE_MAX_LENGTH: '1.5',
  MAX_LIMIT: '0',
  LOG_LEVEL: 'loud',
  SHUTDOWN_GRACE_SECONDS: '0'
}

t.test(
  'a bad environment is told as a whole, a line for each problem, without the secrets',
  async t => {
    const { ended, stdout, stderr } = await startChild(t, bad)
    t.equal((await ended).code, 1)
    const told = lines(stderr())
    for (const name of Object.keys(bad)) {
      // An empty variable is an absent one.
      if (name === 'CACHE_MAX_MB') continue
      t.ok(
        told.some(line => line.includes(`${name}: `) && line.includes('example')),
        name
      )
    }
    t.equal(told.filter(line => line.includes('TEAM_TOKENS')).length, 3)
    for (const secret of [
      'a key with spaces',
      'short-canary',
      tokens.blue,
      tokens.green,
      'user:pass'
    ]) {
      t.notOk(stderr().includes(secret), 'no secret')
    }
    t.notMatch(stderr(), /^\s+at /m, 'no stack')
    t.equal(stdout(), '')
  }
)

const refusals: readonly { name: string; env: Environment; says: RegExp }[] = [
  {
    name: 'no tokens on a reachable address',
    env: { HOST: '0.0.0.0' },
    says: /TEAM_TOKENS.*ALLOW_ANONYMOUS/
  },
  {
    name: 'a token that is our key',
    env: { TEAM_TOKENS: `blue=${apiKey}` },
    says: /TEAM_TOKENS.*HELPCRUNCH_API_KEY/
  },
  {
    name: 'a token twice',
    env: { TEAM_TOKENS: `a=${tokens.blue},b=${tokens.blue}` },
    says: /TEAM_TOKENS/
  },
  {
    name: 'a key twice',
    env: { HELPCRUNCH_API_KEY_FILE: '/dev/null' },
    says: /HELPCRUNCH_API_KEY.*FILE/
  },
  {
    name: 'a tokens file that is not there',
    env: { TEAM_TOKENS_FILE: '/nowhere/at/all' },
    says: /TEAM_TOKENS_FILE/
  },
  {
    name: 'credentials in the URL',
    env: { HELPCRUNCH_BASE_URL: 'https://a:b@example.com' },
    says: /HELPCRUNCH_BASE_URL/
  }
]

t.test('what would be unsafe is refused at the start, before listening', async t => {
  await Promise.all(
    refusals.map(async ({ name, env, says }) => {
      const child = await startChild(t, { HELPCRUNCH_API_KEY: apiKey, ...env })
      t.equal((await child.ended).code, 1, name)
      t.match(child.stderr(), says)
      t.equal(lines(child.stderr()).length, 1, child.stderr())
      t.notOk(child.stderr().includes(apiKey) || child.stderr().includes(tokens.blue))
      t.equal(child.stdout(), '')
    })
  )
})

t.test('a port that is taken is one clear line', async t => {
  const holder = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => holder.once('listening', resolve))
  t.teardown(() => holder.close())
  const { port } = holder.address() as AddressInfo
  const { ended, stderr } = await startChild(t, { HELPCRUNCH_API_KEY: apiKey, PORT: String(port) })
  t.equal((await ended).code, 1)
  t.equal(lines(stderr()).length, 1, stderr())
  t.match(stderr(), new RegExp(`${port}.*PORT`))
  t.notMatch(stderr(), / at /)
})

t.test('an address that is none of this machine is one clear line', async t => {
  for (const HOST of ['no-such-host.invalid', '203.0.113.1']) {
    const env = { HELPCRUNCH_API_KEY: apiKey, TEAM_TOKENS: teams, HOST }
    const { ended, stderr } = await startChild(t, env)
    t.equal((await ended).code, 1)
    t.match(stderr(), /^listen|^getaddrinfo/)
    t.match(stderr(), 'set HOST and PORT to an address of this machine')
    t.equal(lines(stderr()).length, 1)
  }
})

t.test('.env is read, and the environment goes before it', async t => {
  const folder = await emptyFolder(t)
  await writeFile(
    join(folder, '.env'),
    `HELPCRUNCH_API_KEY=from-the-file\n# a comment\nTEAM_TOKENS="blue=${tokens.blue}"\nMAX_LIMIT=7\n`
  )
  const simulator = await startSimulator({ apiKey: 'from-the-file' })
  t.teardown(() => simulator.close())
  const child = await startReadyChild(
    t,
    { HELPCRUNCH_BASE_URL: simulator.baseUrl, MAX_LIMIT: '5' },
    folder
  )
  t.equal((await read(fetch(`${child.url}/chats`, asBlue))).status, 200)
  t.equal((await read(fetch(`${child.url}/chats`))).status, 401)
  t.equal((await read(fetch(`${child.url}/chats?limit=6`, asBlue))).status, 400)
})

t.test('an .env that cannot be read is one clear line', async t => {
  const folder = await emptyFolder(t)
  await mkdir(join(folder, '.env'))
  const { ended, stderr } = await startChild(t, { HELPCRUNCH_API_KEY: apiKey }, folder)
  t.equal((await ended).code, 1)
  t.match(lines(stderr()), [/\.env/])
  t.equal(lines(stderr()).length, 1, stderr())
})

t.test('secrets may come from files, as Docker and Kubernetes give them', async t => {
  const folder = await emptyFolder(t)
  await writeFile(join(folder, 'key'), `${apiKey}\n`)
  await writeFile(join(folder, 'tokens'), `${teams}\r\n`)
  const simulator = await startSimulator({ apiKey })
  t.teardown(() => simulator.close())
  const child = await startReadyChild(t, {
    HELPCRUNCH_BASE_URL: simulator.baseUrl,
    HELPCRUNCH_API_KEY_FILE: join(folder, 'key'),
    TEAM_TOKENS_FILE: join(folder, 'tokens')
  })
  t.equal((await read(fetch(`${child.url}/chats?limit=1`, asBlue))).status, 200)
  t.equal(simulator.requests()[0]?.headers.authorization, `Bearer ${apiKey}`)
})

t.test(
  'SIGTERM under load: what runs is finished, what waits is told, and the exit code is 0',
  async t => {
    const {
      url,
      process: child,
      ended,
      simulator,
      stderr
    } = await startPair(t, { UPSTREAM_CONCURRENCY: '1' })
    simulator.fault({ kind: 'delay', ms: 1_000 })
    const idle = await dial(url)
    const idleEnd = listen(idle)
    idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    const running = await dial(url)
    const runningEnd = listen(running)
    running.write(`GET /chats?limit=2 HTTP/1.1\r\n${known}\r\n`)
    await until(() => simulator.hits() === 1)
    const waiting = await Promise.all(
      [100, 200, 300].map(async offset => {
        const socket = await dial(url)
        const end = listen(socket)
        const seen = new Promise(resolve => socket.once('data', resolve))
        socket.write(
          `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /chats?offset=${offset} HTTP/1.1\r\n${known}\r\n`
        )
        await seen
        return { end }
      })
    )
    const killedAt = performance.now()
    child.kill('SIGTERM')

    for (const { answers, end, rest } of await Promise.all(waiting.map(({ end }) => end))) {
      t.same([answers.length, end, rest], [2, 'closed', ''])
      const told = answers[1]!
      checkProblem(t, told, { status: 503, code: 'shutting_down' })
      t.equal(told.headers.get('connection'), 'close')
    }
    const { answers, end } = await runningEnd
    t.equal(end, 'closed')
    t.equal(answers[0]?.status, 200)
    t.equal(JSON.parse(answers[0]?.body ?? '{}').data.length, 2, 'whole')
    t.equal(answers[0]?.headers.get('connection'), 'close')
    t.equal((await idleEnd).end, 'closed', 'an idle connection keeps nobody')
    t.same(await ended, { code: 0, signal: null })
    t.ok(performance.now() - killedAt < 10_000, 'within the grace')
    t.equal(simulator.hits(), 1, 'no call for those who waited')
    t.equal(stderr(), '')
  }
)

t.test('SIGINT ends it as SIGTERM does', async t => {
  const { process: child, ended, stderr } = await startPair(t)
  child.kill('SIGINT')
  t.same(await ended, { code: 0, signal: null })
  t.equal(stderr(), '')
})

t.test('readiness turns red first, while requests are still taken', async t => {
  const env = { SHUTDOWN_GRACE_SECONDS: '60', SHUTDOWN_DELAY_SECONDS: '30' }
  const { url, process: child, ended } = await startPair(t, env)
  t.equal((await read(fetch(`${url}/chats?limit=1`, asBlue))).status, 200)
  child.kill('SIGTERM')
  await until(async () => (await fetch(`${url}/readyz`)).status === 503)
  const red = await read(fetch(`${url}/readyz`))
  checkProblem(t, red, { status: 503, code: 'shutting_down' })
  t.equal((await read(fetch(`${url}/healthz`))).status, 200, 'alive it is')
  const served = await read(fetch(`${url}/chats?limit=1`, asBlue))
  t.equal(served.status, 200)
  t.equal(served.headers.get('connection'), 'close')
  child.kill('SIGTERM')
  t.ok((await ended).code !== null, 'the second signal does not wait for the rest of it')
})

t.test('a second signal exits at once, whatever still runs', async t => {
  for (const signals of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
    ['SIGINT', 'SIGINT']
  ] as const) {
    await endTwice(t, signals)
  }
})

async function endTwice(t: Test, [first, second]: readonly NodeJS.Signals[]): Promise<void> {
  const env = { SHUTDOWN_GRACE_SECONDS: '600', UPSTREAM_TIMEOUT_SECONDS: '600' }
  const { url, process: child, ended, simulator, stdout } = await startPair(t, env)
  simulator.faultAll({ kind: 'hang' })
  const asked = fetch(`${url}/chats`, asBlue).catch(() => {})
  await until(() => simulator.hits() === 1)
  child.kill(first)
  await until(() => stdout().includes('shutting down'))
  child.kill(second)
  t.same(await ended, { code: 1, signal: null }, 'by itself, and not as if all were well')
  await asked
  const told = lines(stdout()).map(line => JSON.parse(line).msg)
  t.equal(told.at(-1), 'exiting at once', 'the log is whole')
}

t.test('who still waits for HelpCrunch at the end of the grace is refused in words', async t => {
  const env = {
    SHUTDOWN_GRACE_SECONDS: '4',
    UPSTREAM_TIMEOUT_SECONDS: '600',
    UPSTREAM_CONCURRENCY: '4'
  }
  const { url, process: child, ended, simulator } = await startPair(t, env)
  simulator.faultAll({ kind: 'hang' })
  // Some share a call; one connection waits for several.
  const asked = [0, 0, 100, 200, 300].map(offset =>
    read(fetch(`${url}/chats?offset=${offset}`, asBlue))
  )
  await until(() => simulator.hits() === 4)
  const socket = await dial(url)
  const pipelined = listen(socket)
  socket.write(`GET /chats HTTP/1.1\r\n${known}\r\n`.repeat(2))
  socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n`)
  await read(fetch(`${url}/healthz`))
  child.kill('SIGTERM')
  for (const answer of await Promise.all(asked)) {
    const { retryAfter = 0 } = checkProblem(t, answer, { status: 503, code: 'shutting_down' })
    t.ok(retryAfter <= 5, `${retryAfter} s: the process is all but gone`)
    t.equal(answer.headers.get('connection'), 'close')
  }
  const { answers, end, rest } = await pipelined
  t.same([answers.map(({ status }) => status), end, rest], [[503, 503, 200], 'closed', ''])
  t.same(await ended, { code: 0, signal: null }, 'within the grace, or it would be 1')
})

t.test('nobody who has not asked anything yet holds up the end', async t => {
  const { url, process: child, ended } = await startPair(t, { SHUTDOWN_GRACE_SECONDS: '60' })
  const sockets = await Promise.all(Array.from({ length: 3 }, () => dial(url)))
  const [idle, half] = sockets
  const heard = sockets.map(socket => listen(socket))
  const seen = new Promise(resolve => idle?.once('data', resolve))
  idle?.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  half?.write('GET /chats HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  await seen
  const killedAt = performance.now()
  child.kill('SIGTERM')
  t.same(await ended, { code: 0, signal: null })
  t.ok(performance.now() - killedAt < 10_000, 'long before the grace is over')
  const ends = (await Promise.all(heard)).map(({ end }) => end)
  t.same(ends, ['closed', 'closed', 'closed'])
})

t.test('a body that nobody reads is cut off, and never looks complete', async t => {
  const env = { SHUTDOWN_GRACE_SECONDS: '4', UPSTREAM_MAX_BODY_MB: '64' }
  const { url, process: child, ended, simulator } = await startPair(t, env)
  simulator.fault({ kind: 'bodyOfBytes', bytes: 40 * 2 ** 20 })
  const socket = await dial(url)
  const begun = new Promise(resolve => socket.once('readable', resolve))
  socket.write(`GET /chats HTTP/1.1\r\n${known}\r\n`)
  await begun
  child.kill('SIGTERM')
  t.same(await ended, { code: 0, signal: null })
  let bytes = 0
  socket.on('error', () => {})
  socket.on('data', chunk => {
    bytes += chunk.length
  })
  await new Promise(resolve => socket.once('close', resolve))
  t.ok(bytes > 0 && bytes < 40 * 2 ** 20, `${bytes} bytes`)
})

/** A process that throws when it is told to, in words that it must not repeat. */
const throwing = (statement: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    `process.on('SIGWINCH', () => { ${statement} })`
  )}`
})

t.test('an error that nobody foresaw is logged once, without secrets, and ends it', async t => {
  const words = `new Error('no way with ${apiKey} and ${tokens.blue}')`
  for (const statement of [`throw ${words}`, `Promise.reject(${words})`]) {
    const env = { ...throwing(statement), UPSTREAM_TIMEOUT_SECONDS: '600' }
    const { url, process: child, ended, simulator, stdout, stderr } = await startPair(t, env)
    simulator.faultAll({ kind: 'hang' })
    const asked = read(fetch(`${url}/chats`, asBlue))
    await until(() => simulator.hits() === 1)
    child.kill('SIGWINCH')
    checkProblem(t, await asked, { status: 503, code: 'shutting_down' })
    t.same(await ended, { code: 1, signal: null })
    const fatal = lines(stdout()).filter(line => JSON.parse(line).level === 60)
    t.equal(fatal.length, 1)
    t.match(JSON.parse(fatal[0] ?? '{}').err, { message: 'no way with *** and ***', stack: / at / })
    for (const secret of [apiKey, tokens.blue]) {
      t.notOk((stdout() + stderr()).includes(secret))
    }
  }
})

t.test('a reader of the log that stops, or goes away, stops nothing else', async t => {
  for (const stop of ['pause', 'destroy'] as const) {
    const { url, process: child, ended } = await startPair(t, { TEAM_RATE_LIMIT: '0' })
    child.stdout?.[stop]()
    // Far more lines than a pipe takes.
    for (let batch = 0; batch < 30; batch++) {
      const asked = Array.from({ length: 50 }, () => read(fetch(`${url}/chats?limit=1`, asBlue)))
      const statuses = (await Promise.all(asked)).map(({ status }) => status)
      t.same([...new Set(statuses)], [200], stop)
    }
    const exited = new Promise(resolve =>
      child.once('exit', (code, signal) => resolve([code, signal]))
    )
    child.kill('SIGTERM')
    t.same(await exited, [0, null])
    child.stdout?.resume()
    await ended
  }
})

t.test(
  'it logs JSON lines on standard output only, and nothing of the secrets at the start',
  async t => {
    const {
      url,
      process: child,
      ended,
      stdout,
      stderr
    } = await startPair(t, { LOG_LEVEL: 'trace' })
    await read(fetch(`${url}/chats`, asBlue))
    child.kill('SIGTERM')
    await ended
    t.equal(stderr(), '')
    t.ok(lines(stdout()).length >= 3)
    for (const line of lines(stdout()))
      t.match(JSON.parse(line), { level: Number, time: /Z$/, msg: String })
    for (const secret of [apiKey, tokens.blue, tokens.green]) t.notOk(stdout().includes(secret))
  }
)
