/**
 * An export of 100,000 chats in virtual time, through the real schedule: as fast as bulk may go, and
 * not noticed by a team that asks for a page now and then.
 */

import t from 'tap'
import { largestWindow } from '../../../simulator/arrivals.ts'
import { Random } from '../../../simulator/random.ts'
import { parseExportQuery } from '../../../src/chats/export/query.ts'
import { chatList } from '../../../src/chats/lists.ts'
import { parseConfig } from '../../../src/config.ts'
import type { Attempt, Call } from '../../../src/ports.ts'
import { noJournal } from '../../../src/schedule/journal.ts'
import { joinRooms, type Rooms } from '../../../src/service.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { needOf } from '../../support/needs.ts'
import { chatTexts, pageFor } from '../../support/pages.ts'

t.setTimeout(120_000)

const chats = chatTexts(100_000)
const config = parseConfig({
  HELPCRUNCH_API_KEY: 'simulated',
  TEAM_TOKENS: 'blue=0123456789abcdef-blue,green=0123456789abcdef-green',
  // What the other team asks for is a call of its own.
  CACHE_READ_AHEAD: 'false',
  CACHE_REFRESH_AHEAD: 'false'
})
const [leastLatencyMs, jitterMs] = [150, 200]
const askEveryMs = 4000

const pages = chatList({ sort: 'chats.closedAt', order: 'desc' })

interface World {
  readonly clock: FakeClock
  readonly rooms: Rooms
  readonly arrivals: number[]
}

function world(): World {
  const clock = new FakeClock()
  const random = new Random(1)
  const arrivals: number[] = []
  const attempt: Attempt = async (call: Call) => {
    arrivals.push(clock.now())
    await new Promise<void>(resolve => {
      clock.after(leastLatencyMs + random.below(jitterMs), resolve)
    })
    return pageFor(call, chats)
  }
  const rooms = joinRooms({ config, clock, journal: noJournal, attempt, random: () => 0.5 })
  return { clock, rooms, arrivals }
}

/** The other team makes fifteen calls a minute, each for a page that nobody has. */
function askNowAndThen({ clock, rooms }: World): { readonly addedMs: number[] } {
  const addedMs: number[] = []
  const ask = async (index: number) => {
    clock.after(askEveryMs, () => ask(index + 1))
    const startedAt = clock.now()
    const need = needOf({ team: 'green', deadline: startedAt + 8000 })
    const window = { list: pages, offset: index * 100, limit: 100 }
    const timing = await rooms.chats.list(window, need, answer => answer.timing)
    addedMs.push(clock.now() - startedAt - (timing?.upstreamMs ?? Infinity))
  }
  ask(0)
  return { addedMs }
}

/** Lets the world go on until it is done; how long that took, in its own time. */
async function timeOf(clock: FakeClock, done: Promise<unknown>): Promise<number> {
  const startedAt = clock.now()
  let endedAt: number | undefined
  const note = () => {
    endedAt = clock.now()
  }
  done.then(note, note)
  while (endedAt === undefined) await clock.advance(1000)
  await done
  return endedAt - startedAt
}

const calls = 1011

/** As many bulk calls, as fast as the schedule lets anybody who always has more to send. */
function greedily({ clock, rooms }: World): Promise<unknown> {
  let asked = 0
  const line = async () => {
    while (asked++ < calls) {
      const call = chatList({}).part(asked, 1)
      await rooms.schedule.send(call, needOf({ priority: 'bulk', deadline: clock.now() + 1e9 }))
    }
  }
  return Promise.all(Array.from({ length: 12 }, line))
}

t.test('100,000 chats at 99 % of the rate that is open to bulk, unnoticed by others', async t => {
  const open = world()
  askNowAndThen(open)
  const openMs = await timeOf(open.clock, greedily(open))

  const walked = world()
  const { arrivals, clock, rooms } = walked
  const { addedMs } = askNowAndThen(walked)
  let given = 0
  let planned = 0
  const exported = async () => {
    const one = await rooms.exports.open('id', parseExportQuery(''), needOf())
    planned = one.plan.estimateMs
    t.equal(one.plan.calls, calls)
    for (let window = await one.next(); window; window = await one.next()) {
      if (window[0]?.toString() !== chats[given]) throw new Error(`not chat ${given}`)
      given += window.length
    }
    t.same(one.summary, { count: 100_000, total: 100_000, complete: true })
  }
  const walkMs = await timeOf(clock, exported())
  t.equal(given, 100_000)
  t.comment(`${walkMs / 1000} s; greedy ${openMs / 1000} s; planned ${planned / 1000} s`)
  t.ok(openMs / walkMs >= 0.99, `${openMs / walkMs} of the rate`)
  t.ok(addedMs.length > 100)
  t.ok(Math.max(...addedMs) < 50, `at most ${Math.max(...addedMs)} ms added`)
  t.ok(planned > 0.7 * walkMs && planned < 1.1 * walkMs, 'the estimate was of use')
  t.ok(largestWindow(arrivals, 60_000) <= 120)
})

t.test('beside others who take all they can, an export gets its one call in twenty', async t => {
  const { arrivals, clock, rooms } = world()
  let going = true
  let answered = 0
  const line = async (lane: number) => {
    for (let turn = 0; going; turn++) {
      const call = chatList({}).part((turn * 60 + lane) * 100, 100)
      const need = needOf({ team: 'green', deadline: clock.now() + 8000 })
      await rooms.schedule.send(call, need).then(
        () => answered++,
        () => new Promise<void>(resolve => void clock.after(1000, resolve))
      )
    }
  }
  for (let lane = 0; lane < 60; lane++) void line(lane)
  await clock.advance(60_000)
  const before = { answered, arrivals: arrivals.length }
  const exported = async () => {
    const need = needOf({ deadline: clock.now() + 68_000 })
    const one = await rooms.exports.open('id', parseExportQuery('offset=98900&after=98900'), need)
    let windows = 0
    while (await one.next()) windows++
    return windows
  }
  const exporting = exported()
  const tookMs = await timeOf(clock, exporting)
  going = false
  const calls = arrivals.length - before.arrivals
  t.equal(await exporting, 12)
  t.ok(tookMs < 4 * 60_000, `${tookMs / 1000} s for 12 calls`)
  t.ok(answered - before.answered > 0.85 * calls, 'and the others the rest')
})
