// What a start finds of earlier processes: after a clean end, a kill, a reboot, or damage.

import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import { systemClock } from '../../src/clock.ts'
import { type JournalOptions, openJournal } from '../../src/schedule/journal.ts'
import type { History } from '../../src/schedule/journal-history.ts'
import { holds } from '../support/property.ts'

const now = 1_000_000
const giveUpMarginMs = 1000
const timeoutMs = 2000
const windowMs = 60_000
const capacity = 4
/** When the last call of a process that was killed at the start can still arrive. */
const latest = now + timeoutMs + giveUpMarginMs
const boot = 'd8626147-fdd3-44ea-81f8-18f39a172e98'

const open = (directory: string, about: Partial<JournalOptions> = {}) => {
  const warnings: string[] = []
  const journal = openJournal({
    directory,
    capacity,
    now,
    windowMs,
    timeoutMs,
    giveUpMarginMs,
    bootId: boot,
    warn: message => warnings.push(message),
    ...about
  })
  return Object.assign(journal, { warnings })
}

/** What the next start finds; the journal must be closed. */
const historyIn = (directory: string, about: Partial<JournalOptions> = {}): History => {
  const journal = open(directory, about)
  journal.close()
  return journal.history
}

const known = (...doneAt: number[]): History => ({ doneAt, unknownUntil: -Infinity })

const unknown = (unknownUntil = latest): History => ({ doneAt: [], unknownUntil })

/** Why the next start cannot believe it; the journal must be closed. */
const problemIn = (directory: string, about: Partial<JournalOptions> = {}): string | undefined => {
  const journal = open(directory, about)
  journal.close()
  assert.equal(journal.problem === undefined, journal.history.unknownUntil === -Infinity)
  return journal.problem
}

/** A directory whose journal has one settled, one unsettled and two empty slots. */
const journalIn = (directory: string): Buffer => {
  fs.rmSync(join(directory, 'journal'), { force: true })
  const journal = open(directory)
  journal.sent(0, now - 900)
  journal.settled(0, now - 700)
  journal.sent(2, now - 10)
  journal.close()
  return fs.readFileSync(join(directory, 'journal'))
}
const journaled = known(now - 700, now - 10 + timeoutMs + giveUpMarginMs)

t.test('no journal is a first boot, and makes the directory', async t => {
  const directory = join(t.testdir(), 'deep', 'state')
  const journal = open(directory)
  t.same(journal.history, known())
  t.same(journal.warnings, [])
  journal.close()
  t.same(fs.readdirSync(directory), ['journal'])
  t.same(historyIn(directory), known(), 'the next start finds that nothing was sent')
})

t.test(
  'answered calls keep their instant, unsettled ones are given up at their time-out',
  async t => {
    const directory = t.testdir()
    const first = open(directory)
    first.sent(0, now + 1)
    first.settled(0, now + 31.25)
    first.sent(1, now + 2)
    first.sent(2, now + 3)
    first.released(2)
    first.sent(3, now + 4)
    first.settled(3, now + 4 + giveUpMarginMs)
    first.close()
    const later = now + 500
    const second = open(directory, { now: later })
    const givenUpAt = now + 2 + timeoutMs + giveUpMarginMs
    t.same(second.history, known(now + 31.25, givenUpAt, now + 4 + giveUpMarginMs))
    t.same(second.warnings, [])
    second.close()
  }
)

t.test('an unsettled call is given up at the start if its time-out is over', async t => {
  const directory = t.testdir()
  journalIn(directory)
  const later = now + 5 * timeoutMs
  t.same(historyIn(directory, { now: later }), known(now - 700, later + giveUpMarginMs))
})

t.test('a call is given up at the time-out of the process that sent it', async t => {
  const directory = t.testdir()
  const patient = open(directory, { timeoutMs: 60_000 })
  patient.sent(0, now)
  patient.close()
  const givenUpAt = now + 60_000 + giveUpMarginMs
  t.same(historyIn(directory, { now: now + 1, timeoutMs: 10 }), known(givenUpAt))
  t.same(
    historyIn(directory, { now: now + 2, timeoutMs: 10 }),
    known(givenUpAt),
    'once and for all'
  )
})

t.test('what was found is found again, in the same slots, until they are taken anew', async t => {
  const directory = t.testdir()
  journalIn(directory)
  t.same(historyIn(directory, { now: now + 50 }), journaled)
  t.same(historyIn(directory, { now: now + 60 }), journaled)
  t.same(historyIn(directory, { now: now + 9000 }), journaled, 'however much later')
  const third = open(directory)
  third.sent(1, now + 70)
  third.settled(1, now + 80)
  third.close()
  t.same(historyIn(directory), known(now - 700, now + 80))
})

t.test('calls of another boot, or of a machine without boots, count as sent now', async t => {
  const directory = t.testdir()
  journalIn(directory)
  // Even cells that look empty: their sends may have been lost with the page cache.
  const allAt = (at: number) =>
    known(...Array<number>(capacity).fill(at + timeoutMs + giveUpMarginMs))
  t.same(historyIn(directory, { bootId: 'another' }), allAt(now))
  journalIn(directory)
  t.same(historyIn(directory, { now: 5, bootId: 'another' }), allAt(5), 'a younger clock')
  t.same(historyIn(directory, { bootId: '' }), allAt(now))
  t.same(historyIn(directory, { now: now + 9, bootId: '' }), allAt(now + 9))
})

t.test('the boot is the machine’s unless a test says otherwise', async t => {
  const directory = t.testdir()
  const times = { now, windowMs, timeoutMs, giveUpMarginMs }
  const own = { directory, capacity, ...times, warn: t.fail }
  const first = openJournal(own)
  first.settled(0, now - 5)
  first.close()
  const second = openJournal(own)
  second.close()
  const linux = fs.existsSync('/proc/sys/kernel/random/boot_id')
  t.same(second.history, known(linux ? now - 5 : latest))
})

t.test('the journal never grows, and follows a larger or smaller allowance', async t => {
  const directory = t.testdir()
  const size = () => fs.statSync(join(directory, 'journal')).size
  const first = open(directory)
  const before = size()
  for (let call = 0; call < 1000; call++) {
    first.sent(call % capacity, now)
    first.settled(call % capacity, now - 2000 + call)
  }
  t.throws(() => first.sent(capacity, now), RangeError, 'there is no such slot')
  t.equal(size(), before)
  first.close()
  const found = known(now - 1004, now - 1003, now - 1002, now - 1001)
  t.same(historyIn(directory, { capacity: 2 }), found, 'none is forgotten')
  t.equal(size(), before, 'none can be dropped')
  const grown = open(directory, { capacity: 100 })
  t.same(grown.history, found)
  grown.settled(99, now)
  grown.close()
  t.same(historyIn(directory), known(...found.doneAt, now))
  t.ok(size() > before)
})

t.test('a closed journal takes nothing more', async t => {
  const directory = t.testdir()
  const journal = open(directory)
  journal.sent(0, now)
  journal.close()
  journal.close()
  journal.settled(0, now)
  t.same(historyIn(directory), known(latest))
})

/** What a journal should say, told in the simplest way: a call's state and instant by slot. */
class Remembered {
  readonly #slots = new Map<number, { readonly settled: boolean; readonly at: number }>()

  note(what: 'sent' | 'settled' | 'released', slot: number, at: number): void {
    if (what === 'released') this.#slots.delete(slot)
    else this.#slots.set(slot, { settled: what === 'settled', at })
  }

  /** A start, after which what was found stands in the first slots. */
  start(now: number, sameBoot: boolean): number[] {
    const bySlot = [...this.#slots].sort(([a], [b]) => a - b)
    const givenUpAt = (sentAt: number) => Math.max(now, sentAt + timeoutMs) + giveUpMarginMs
    const doneAt = sameBoot
      ? bySlot.map(([, { settled, at }]) => (settled ? at : givenUpAt(at)))
      : Array<number>(capacity).fill(givenUpAt(now))
    this.#slots.clear()
    for (const [slot, at] of doneAt.entries()) this.note('settled', slot, at)
    return doneAt
  }
}

const aStep = fc.record({
  what: fc.constantFrom(...(['sent', 'settled', 'released', 'restart', 'reboot'] as const)),
  slot: fc.nat(capacity - 1),
  afterMs: fc.double({ min: 0, max: 1e5, noNaN: true })
})
type Step = typeof aStep extends fc.Arbitrary<infer Value> ? Value : never

function live(directory: string, steps: readonly Step[]): void {
  const model = new Remembered()
  let clock = { now: 1000, bootId: 'boot 0' }
  let journal = open(directory, clock)
  for (const [index, { what, slot, afterMs }] of steps.entries()) {
    clock = { ...clock, now: clock.now + afterMs }
    if (what === 'restart' || what === 'reboot') {
      if (what === 'reboot') clock = { now: 10, bootId: `boot ${index + 1}` }
      journal.close()
      journal = open(directory, clock)
      const expected = model.start(clock.now, what === 'restart')
      assert.deepEqual(journal.history, known(...expected))
    } else {
      journal[what](slot, clock.now)
      model.note(what, slot, clock.now)
    }
  }
  journal.close()
  assert.deepEqual(journal.warnings, [])
}

t.test('any life of slots, starts and reboots is found as a model remembers it', async t => {
  const root = t.testdir()
  let lives = 0
  const property = fc.property(fc.array(aStep, { maxLength: 40 }), steps =>
    live(join(root, String(lives++)), steps)
  )
  await holds(t, property, { numRuns: 150 })
})

t.test('every damaged byte is noticed', async t => {
  const directory = t.testdir()
  const path = join(directory, 'journal')
  const whole = journalIn(directory)
  let flips = 0
  for (let at = 0; at < whole.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const damaged = Buffer.from(whole)
      damaged.writeUInt8(damaged.readUInt8(at) ^ mask, at)
      fs.writeFileSync(path, damaged)
      const journal = open(directory)
      journal.close()
      assert.deepEqual(journal.history, unknown(), `byte ${at} xor ${mask}`)
      assert.equal(journal.warnings.length, 1)
      flips++
    }
  }
  fs.writeFileSync(path, whole)
  t.same(historyIn(directory), journaled, `${flips} damages noticed, the whole one believed`)
})

t.test('a cell in the place of another is noticed', async t => {
  const directory = t.testdir()
  const whole = journalIn(directory)
  const swapped = Buffer.from(whole)
  whole.copy(swapped, 96, 128, 160)
  whole.copy(swapped, 128, 96, 128)
  fs.writeFileSync(join(directory, 'journal'), swapped)
  t.match(problemIn(directory), /slot 0 does not add up/)
})

t.test('a journal of any other length is noticed', async t => {
  const directory = t.testdir()
  const path = join(directory, 'journal')
  const whole = journalIn(directory)
  for (let length = 0; length < whole.length; length++) {
    fs.writeFileSync(path, whole.subarray(0, length))
    assert.match(problemIn(directory) ?? '', /^the journal is/, `${length} bytes`)
  }
  fs.writeFileSync(path, Buffer.concat([whole, whole.subarray(-32)]))
  t.match(problemIn(directory), /length is wrong/)
})

t.test('a journal of another version is not believed', async t => {
  const directory = t.testdir()
  const old = journalIn(directory)
  old.writeUInt32LE(1, 8)
  fs.writeFileSync(join(directory, 'journal'), old)
  t.match(problemIn(directory), /of another version$/)
})

const foreign = {
  'a text': Buffer.from('Dear diary, today I sent nothing.\n'.repeat(10)),
  zeros: Buffer.alloc(192)
}

for (const [what, content] of Object.entries(foreign)) {
  t.test(`${what} in place of the journal is warned about once and replaced`, async t => {
    const directory = t.testdir({ journal: content })
    const journal = open(directory)
    t.match(journal.problem, /^the journal is foreign/)
    t.same(journal.history, unknown())
    t.equal(journal.warnings.length, 1)
    t.match(journal.warnings[0], directory)
    t.notMatch(journal.warnings[0], '\n')
    t.match(journal.warnings[0], /no call is sent for the first 63 s$/)
    journal.sent(1, now)
    journal.close()
    t.same(historyIn(directory), { ...unknown(), doneAt: [latest] })
  })
}

t.test('a huge file in place of the journal is not read', async t => {
  const directory = t.testdir({ journal: '' })
  fs.truncateSync(join(directory, 'journal'), 2 ** 40)
  t.equal(problemIn(directory), 'the journal is foreign')
})

t.test('that something was unknown outlasts a kill in the first window', async t => {
  const directory = t.testdir({ journal: 'damaged' })
  t.same(historyIn(directory), unknown())
  const next = open(directory, { now: now + 5, capacity: 100 })
  next.close()
  t.same(next.history, unknown(), 'and a larger allowance')
  t.same(next.warnings, [], 'of which was warned before')
  const later = latest + 90_000
  t.same(historyIn(directory, { now: later, bootId: 'another' }).unknownUntil, later + 3000)
})

t.test('a journal of a shorter window may have forgotten calls of a longer one', async t => {
  const directory = t.testdir()
  journalIn(directory)
  t.same(historyIn(directory, { windowMs: windowMs / 2 }), journaled, 'not of a shorter one')
  const journal = open(directory, { windowMs })
  journal.close()
  t.equal(journal.problem, 'the journal is one of a shorter window')
  t.equal(journal.warnings.length, 1)
  t.same(journal.history, unknown())
})

t.test('an instant that has not come yet is not believed', async t => {
  const directory = t.testdir()
  journalIn(directory)
  t.match(problemIn(directory, { now: now - 6000 }), /has not come yet/)
  journalIn(directory)
  const unsettled = open(directory, { now: now - 3000 })
  unsettled.sent(0, now)
  unsettled.close()
  t.match(problemIn(directory, { now: now - 3000 }), /has not come yet/, 'nor that of a send')
})

t.test(
  'a journal that cannot be written is warned about once, and does not stop anything',
  async t => {
    const places = t.testdir({
      file: 'text',
      taken: { journal: {} },
      blocked: { 'journal.new': {} }
    })
    for (const place of ['file', 'file/below', 'taken', 'blocked']) {
      const journal = open(join(places, place))
      t.match(journal.problem, /cannot be written \(\w+\)$/, place)
      t.same(journal.history, unknown())
      t.equal(journal.warnings.length, 1)
      journal.sent(0, now)
      journal.settled(0, now)
      journal.released(1_000_000)
      journal.close()
      t.equal(journal.warnings.length, 1)
    }
  }
)

t.test('an old journal that could not be replaced is not believed later', async t => {
  const directory = t.testdir()
  journalIn(directory)
  fs.mkdirSync(join(directory, 'journal.new'))
  t.match(problemIn(directory), /cannot be written/)
  fs.rmdirSync(join(directory, 'journal.new'))
  t.equal(problemIn(directory), 'the journal is empty')
})

t.test('a pipe in place of the journal keeps nobody waiting', async t => {
  const directory = t.testdir()
  const mkfifo = spawn('sh', ['-c', 'mkfifo "$0"', join(directory, 'journal')])
  await once(mkfifo, 'close')
  t.equal(problemIn(directory), 'the journal is foreign')
})

const descriptors = '/proc/self/fd'
const linuxOnly = !fs.existsSync(descriptors) && 'needs /proc'

t.test(
  'a write that fails is warned about once, and the rest not believed',
  {
    skip: linuxOnly
  },
  async t => {
    const directory = t.testdir()
    const journal = open(directory)
    journal.sent(0, now)
    const ofJournal = (fd: string) => {
      const link = join(descriptors, fd)
      return fs.existsSync(link) && fs.readlinkSync(link) === join(directory, 'journal')
    }
    fs.closeSync(Number(fs.readdirSync(descriptors).find(ofJournal)))
    journal.settled(0, now)
    journal.sent(1, now)
    journal.close()
    t.equal(journal.warnings.length, 1)
    t.match(journal.warnings[0], /journal cannot be written \(EBADF\)/)
    t.equal(problemIn(directory), 'the journal is empty')
  }
)

const modulePath = new URL('../../src/schedule/journal.ts', import.meta.url).href

/** A process that opens the journal and runs `body`, which says what it did by `say`. */
function start(directory: string, slots: number, body: string) {
  const program = `
    import { writeSync } from 'node:fs'
    import { openJournal } from ${JSON.stringify(modulePath)}
    const say = line => writeSync(1, line + '\\n')
    const open = () => openJournal({
      directory: process.env.DIRECTORY, capacity: ${slots}, now: ${now},
      windowMs: ${windowMs}, timeoutMs: ${timeoutMs},
      giveUpMarginMs: ${giveUpMarginMs}, bootId: ${JSON.stringify(boot)}, warn: say
    })
    ${body}`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { DIRECTORY: directory },
    stdio: ['ignore', 'pipe', 'inherit']
  })
}

/** All whole lines that a process said until it was killed, which happens after `enough` of them. */
async function saidUntilKilled(
  child: ChildProcessByStdio<null, Readable, null>,
  enough: number
): Promise<string[]> {
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.split('\n').length > enough) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'close')
  assert.equal(signal, 'SIGKILL')
  return said.split('\n').slice(0, -1)
}

t.test('every send and settlement before a kill is found after it', async t => {
  const directory = t.testdir()
  const slots = 1_000_000
  const child = start(
    directory,
    slots,
    `const journal = open()
     for (let slot = 0; slot < ${slots}; slot++) {
       journal.sent(slot, slot)
       if (slot % 3 === 0) journal.settled(slot, slot + 0.5)
       say(String(slot))
     }`
  )
  const sends = (await saidUntilKilled(child, 2000)).length
  const { doneAt } = historyIn(directory, { capacity: slots })
  t.ok(doneAt.length === sends || doneAt.length === sends + 1, `${sends} sends were said`)
  const expected = Array.from({ length: sends }, (_, slot) =>
    slot % 3 === 0 ? slot + 0.5 : now + giveUpMarginMs
  )
  t.same(doneAt.slice(0, sends), expected)
})

/** Kills its own process before `name`, or when half of it (for a write) or all of it is done. */
const killAt = (name: string, when: 'before' | 'after') => `
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  const real = fs.${name}
  fs.${name} = (file, bytes, done, length, position) => {
    const written = ${name === 'writeSync'} ? length / 2 : length
    if (${when === 'after'}) real(file, bytes, done, written, position)
    process.kill(process.pid, 'SIGKILL')
  }
  syncBuiltinESMExports()
  open()`

for (const name of ['rmSync', 'openSync', 'writeSync', 'fsyncSync', 'renameSync']) {
  t.test(`a kill around ${name} leaves the old journal or the new one`, async t => {
    const directory = t.testdir()
    journalIn(directory)
    for (const when of ['before', 'after'] as const) {
      await saidUntilKilled(start(directory, 1000, killAt(name, when)), 1)
      t.same(historyIn(directory), journaled, when)
    }
  })
}

t.test('a write costs microseconds', async t => {
  const journal = open(t.testdir(), { capacity: 120 })
  const writes = 20_000
  const from = systemClock.now()
  for (let write = 0; write < writes; write++) journal.sent(write % 120, now)
  const eachUs = ((systemClock.now() - from) / writes) * 1000
  journal.close()
  t.comment(`${eachUs.toFixed(1)} µs a write`)
  t.ok(eachUs < 1000)
})
