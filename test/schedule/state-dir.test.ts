// What becomes of STATE_DIR under a running instance, and of one that cannot be made.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openJournal } from '../../src/schedule/journal.ts'
import { makeStateDir } from '../../src/schedule/state-dir.ts'
import { lockStateDir, StateLockedError } from '../../src/schedule/state-lock.ts'

const now = 1_000_000

/** An instance: its lock and its journal. */
const start = (directory: string) => {
  const warnings: string[] = []
  const lock = lockStateDir(directory)
  const journal = openJournal({
    ...{ directory, lock, capacity: 3, now },
    ...{ windowMs: 60_000, timeoutMs: 0, giveUpMarginMs: 0, bootId: 'this boot' },
    warn: message => warnings.push(message)
  })
  const end = () => {
    journal.close()
    lock?.release()
  }
  return { lock, journal, warnings, end }
}

/** What the next start finds. */
const doneAtIn = (directory: string): readonly number[] => {
  const { journal, end } = start(directory)
  end()
  return journal.history.doneAt
}

const losses: Record<string, (directory: string) => void> = {
  'its journal is deleted': directory => fs.rmSync(join(directory, 'journal')),
  'its journal is replaced': directory => {
    fs.cpSync(join(directory, 'journal'), join(directory, 'backup'))
    fs.renameSync(join(directory, 'backup'), join(directory, 'journal'))
  },
  'its directory is deleted': directory => fs.rmSync(directory, { recursive: true }),
  'its directory is moved away': directory =>
    fs.renameSync(directory, fs.mkdtempSync(`${directory}-`))
}

for (const [what, lose] of Object.entries(losses)) {
  t.test(`${what}: the next send notices, warns once and puts everything back`, async t => {
    const directory = join(t.testdir(), 'state')
    const { journal, warnings, end } = start(directory)
    journal.sent(0, now - 30)
    journal.settled(0, now - 20)
    journal.sent(1, now - 10)
    t.equal(journal.problem, undefined)
    lose(directory)
    journal.sent(2, now - 5)
    t.equal(journal.problem, 'the journal was taken away and had to be put back')
    t.throws(() => lockStateDir(directory), StateLockedError, 'the lock holds as before')
    lose(directory)
    journal.settled(1, now - 4)
    journal.sent(1, now - 3)
    t.equal(warnings.length, 1)
    t.match(warnings[0], /was deleted or replaced/)
    end()
    t.same(doneAtIn(directory), [now - 20, now, now])
  })
}

t.test('what cannot be put back is said, and the next start does not believe it', async t => {
  const directory = join(t.testdir(), 'state')
  const { journal, warnings, end } = start(directory)
  fs.rmSync(join(directory, 'journal'))
  fs.mkdirSync(join(directory, 'journal.new'))
  journal.sent(0, now)
  journal.sent(1, now)
  t.match(journal.problem, /was taken away and cannot be put back \(\w+\)$/)
  t.equal(warnings.length, 1)
  end()
  fs.rmdirSync(join(directory, 'journal.new'))
  t.equal(start(directory).journal.problem, 'the journal is empty')
})

t.test('what another instance has taken over is left to it', async t => {
  const directory = join(t.testdir(), 'state')
  const first = start(directory)
  first.journal.sent(0, now)
  fs.rmSync(directory, { recursive: true })
  const second = start(directory)
  t.ok(second.lock)
  second.journal.sent(2, now - 7)
  first.journal.sent(1, now)
  t.equal(first.journal.problem, 'the journal was taken over by another instance')
  t.equal(first.warnings.length, 1)
  t.equal(second.journal.problem, undefined)
  first.end()
  second.journal.settled(2, now - 6)
  second.end()
  t.same(doneAtIn(directory), [now - 6])
})

t.test('a lock whose file stands is not taken anew', async t => {
  const directory = t.testdir()
  const lock = lockStateDir(directory)
  lock?.renew()
  t.throws(() => lockStateDir(directory), StateLockedError)
  lock?.release()
  const next = lockStateDir(directory)
  t.ok(next)
  next?.release()
})

t.test('a directory is made with what leads to it, once or again', async t => {
  const directory = join(t.testdir(), 'a', 'b', 'c')
  makeStateDir(directory)
  makeStateDir(directory)
  t.ok(fs.statSync(directory).isDirectory())
  t.throws(() => makeStateDir(join(t.testdir({ file: 'text' }), 'file', 'a', 'b')), {
    code: 'ENOTDIR'
  })
})

const hasProc = fs.existsSync('/proc/self')

t.test('below /proc nothing can be made, and that is said', { skip: !hasProc }, async t => {
  // In a process of its own, because Node's own `recursive` would never return.
  const here = new URL('../../src/schedule/state-dir.ts', import.meta.url).href
  const program = `import { makeStateDir } from ${JSON.stringify(here)}
    try { makeStateDir('/proc/nope/state') } catch (error) { console.log(error.code) }`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    ...{ encoding: 'utf8', timeout: 20_000 }
  })
  t.equal(stdout, 'ENOENT\n')
})
