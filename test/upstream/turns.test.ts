/** Heavy work lets in between what has come in meanwhile: one piece at a time, in order. */

import { setImmediate as settled } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { startSimulator } from '../../simulator/upstream.ts'
import { Turns } from '../../src/upstream/turns.ts'
import { upstreamTo } from '../support/attempts.ts'
import { callTo } from '../support/pages.ts'
import { holds } from '../support/property.ts'
import { apiKey } from '../support/stack.ts'

/** Input that counts as handled when the test says so. */
function handledByHand() {
  const behind: (() => void)[] = []
  return {
    afterInput: (run: () => void) => void behind.push(run),
    /** Whether anybody had waited for it. */
    handled: async () => {
      behind.shift()?.()
      await settled()
      return behind.length > 0
    }
  }
}

t.test('pieces that come in bursts are done in order, one when input was handled', async t => {
  const bursts = fc.array(fc.tuple(fc.nat(4), fc.nat(6)), { maxLength: 6 })
  const inOrder = fc.asyncProperty(bursts, async all => {
    const input = handledByHand()
    const turns = new Turns(input)
    const done: number[] = []
    let pieces = 0
    const work = async (piece: number) => {
      await turns.next()
      done.push(piece)
    }
    const handles = async () => {
      await settled()
      const before = done.length
      const goesOn = await input.handled()
      if (done.length > before + 1) throw new Error('two at a time')
      return goesOn
    }
    for (const [burst, inputs] of all) {
      for (let i = 0; i < burst; i++) work(pieces++)
      for (let i = 0; i < inputs; i++) await handles()
    }
    while (await handles());
    return done.length === pieces && done.every((piece, at) => piece === at)
  })
  await holds(t, inOrder)
})

t.test('who comes when nobody else does is not kept waiting', async t => {
  const input = handledByHand()
  const turns = new Turns(input)
  t.equal(turns.next(), undefined)
  await input.handled()
  t.equal(turns.next(), undefined)
})

t.test('pages that arrive together are read one by one', async t => {
  const simulator = await startSimulator({ chats: 1000, apiKey, enforce: false })
  t.teardown(() => simulator.close())
  const behind: (() => void)[] = []
  const load = { afterInput: (run: () => void) => void behind.push(run) }
  const upstream = upstreamTo(t, simulator.baseUrl, { load, concurrency: 10 })
  let read = 0
  const pages = Array.from({ length: 10 }, async (_, at) => {
    const { total } = await upstream.attempt(callTo(`/chats?offset=${at * 100}&limit=100`))
    read++
    return total
  })
  await Promise.race(pages)
  for (let handled = 1; handled < 10; handled++) {
    while (behind.length === 0) await settled()
    t.equal(read, handled)
    behind.shift()?.()
    while (read === handled) await settled()
  }
  t.same(new Set(await Promise.all(pages)), new Set([1000]))
})
