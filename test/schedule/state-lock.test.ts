// One instance per STATE_DIR: who gets the lock, who is refused, and what a killed holder leaves.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { lockStateDir, StateLockedError } from '../../src/schedule/state-lock.ts'

const modulePath = new URL('../../src/schedule/state-lock.ts', import.meta.url).href

/** Another process: it says whether it got the lock, and with it does nothing until it is killed. */
const program = `
  import { lockStateDir } from ${JSON.stringify(modulePath)}
  if (process.env.RUN_AS) process.setuid(Number(process.env.RUN_AS))
  try {
    console.log(lockStateDir(process.env.DIRECTORY) ? 'held' : 'no lock')
    // The handle is not kept: the lock must not be lost to the garbage collector.
    globalThis.gc()
  } catch (error) {
    console.log(error.name + ': ' + error.message)
  }
  process.stdin.resume()
`

interface Instance {
  readonly said: string
  readonly stderr: () => string
  kill(): Promise<void>
}

async function startInstance(directory: string, env: NodeJS.ProcessEnv = {}): Promise<Instance> {
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', program], {
    env: { DIRECTORY: directory, ...env }
  })
  let stderr = ''
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const lines = createInterface({ input: child.stdout })
  const [said] = await Promise.race([once(lines, 'line'), once(child, 'close')])
  return { said: String(said), stderr: () => stderr, kill: () => kill(child) }
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

const refused = (directory: string): string | undefined => {
  try {
    lockStateDir(directory)?.release()
    return undefined
  } catch (error) {
    assert(error instanceof StateLockedError)
    return error.message
  }
}

t.test('the first gets the lock, and the directory if there is none', async t => {
  const directory = join(t.testdir(), 'deep', 'state')
  const lock = lockStateDir(directory)
  t.ok(lock)
  t.equal(statSync(join(directory, 'lock')).size, 0, 'nothing is stored in it')
  lock?.release()
})

t.test(
  'a second is refused in one line that says what to do, until the first releases',
  async t => {
    const directory = t.testdir()
    const first = lockStateDir(directory)
    const line = refused(directory)
    t.match(line, 'STATE_DIR')
    t.match(line, directory)
    t.match(line, /stop that one or give this one a directory of its own/)
    t.notMatch(line, '\n')
    const other = await startInstance(directory)
    t.equal(other.said, `StateLockedError: ${line}`, 'also in another process')
    await other.kill()
    t.equal(refused(directory), line, 'the refused ones have not taken the lock from its holder')
    first?.release()
    first?.release()
    t.equal(refused(directory), undefined)
  }
)

t.test('directories are locked one by one', async t => {
  const directory = t.testdir()
  const blue = lockStateDir(join(directory, 'blue'))
  const green = lockStateDir(join(directory, 'green'))
  t.ok(blue && green)
  blue?.release()
  green?.release()
})

t.test('the lock dies with a killed holder, time and again', async t => {
  const directory = t.testdir()
  for (let start = 1; start <= 3; start++) {
    const holder = await startInstance(directory)
    t.equal(holder.said, 'held')
    t.match(refused(directory), 'in use by another instance')
    await holder.kill()
    t.equal(holder.stderr(), '', 'and nothing was warned about')
    t.same(readdirSync(directory), ['lock'], 'nothing else is left behind')
    t.equal(refused(directory), undefined)
  }
})

t.test('of several that start at once exactly one gets the lock', async t => {
  const directory = t.testdir()
  const instances = await Promise.all(Array.from({ length: 6 }, () => startInstance(directory)))
  const said = instances.map(instance => instance.said)
  t.equal(said.filter(line => line === 'held').length, 1)
  t.equal(said.filter(line => line.startsWith('StateLockedError')).length, 5)
  await Promise.all(instances.map(instance => instance.kill()))
})

const damages = {
  'a few bytes': Buffer.from('hello'),
  'a pid file': Buffer.from('4711\n'),
  zeros: Buffer.alloc(8192),
  'half a database': Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(5000, 7)])
}

for (const [what, content] of Object.entries(damages)) {
  t.test(`a lock file that holds ${what} locks all the same`, async t => {
    const directory = t.testdir({ lock: content })
    const lock = lockStateDir(directory)
    t.ok(lock)
    t.match(refused(directory), 'in use by another instance')
    const other = await startInstance(directory)
    t.match(other.said, /^StateLockedError/)
    await other.kill()
    lock?.release()
  })
}

t.test('litter of another program beside the lock file changes nothing', async t => {
  const litter = Buffer.alloc(700, 'x')
  const directory = t.testdir({ 'lock-journal': litter, 'lock-wal': litter, 'lock-shm': litter })
  const lock = lockStateDir(directory)
  t.ok(lock)
  t.match(refused(directory), 'in use by another instance')
  lock?.release()
})

t.test('a directory that cannot hold a lock has none', async t => {
  const directory = t.testdir({ file: 'text', taken: { lock: {} } })
  t.equal(lockStateDir(join(directory, 'file')), undefined)
  t.equal(lockStateDir(join(directory, 'file', 'below')), undefined)
  t.equal(lockStateDir(join(directory, 'taken')), undefined)
})

const root = process.getuid?.() === 0
t.test('who may only read the lock file gets no lock', { skip: !root && 'needs root' }, async t => {
  // Not below the repository, which the other user may not be allowed to enter.
  const directory = join('/tmp', `state-lock-${process.pid}`)
  mkdirSync(directory, { mode: 0o755 })
  writeFileSync(join(directory, 'lock'), '', { mode: 0o644 })
  t.teardown(() => rmSync(directory, { recursive: true }))
  const reader = await startInstance(directory, { RUN_AS: '65534' })
  t.equal(reader.said, 'no lock')
  await reader.kill()
})
