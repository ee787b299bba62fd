/** Memory for what is kept: its bytes stay what they were, and it goes back to the system. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { Keeper, keep } from '../src/kept-bytes.ts'
import { isKept } from './support/kept.ts'
import { holds } from './support/property.ts'

const part = fc
  .tuple(fc.oneof(fc.nat(300), fc.nat(40_000)), fc.nat(255))
  .map(([bytes, filling]) => Buffer.alloc(bytes, filling))
const lists = fc.array(fc.array(part, { maxLength: 4 }), { maxLength: 40 })

t.test('what is kept are the bytes that were given, whatever is kept after them', async t => {
  const unchanged = fc.property(lists, fc.nat(6), (all, most) => {
    const keeper = new Keeper(most)
    const kept = all.map(parts => keeper.keep(parts))
    return kept.every((bytes, at) => bytes.equals(Buffer.concat(all[at] ?? [])))
  })
  await holds(t, unchanged)
})

t.test('what is kept does not follow what it was copied from', async t => {
  const given = Buffer.from('first')
  const kept = keep([given])
  given.write('other')
  t.equal(kept.toString(), 'first')
})

t.test('much lies in memory of its own, little beside what is kept at the same time', async t => {
  const keeper = new Keeper(10)
  const [large, one, other] = [50_000, 1000, 2000].map(bytes => keeper.keep([Buffer.alloc(bytes)]))
  t.equal(large?.buffer.byteLength, 50_000)
  t.equal(one?.buffer, other?.buffer)
  t.ok(isKept(large!) && isKept(one!))
  t.notOk(isKept(Buffer.alloc(50_000)))
})

t.test('what comes when all regions are in use is kept in ordinary memory', async t => {
  const keeper = new Keeper(1)
  const [first, second] = [0, 1].map(filling => keeper.keep([Buffer.alloc(50_000, filling)]))
  t.ok(isKept(first!))
  t.notOk(isKept(second!))
})

const module = new URL('../src/kept-bytes.ts', import.meta.url).href
const support = new URL('./support/kept.ts', import.meta.url).href

/** In turns of their own, because finalizers run between them. */
const collect = `
    for (let turn = 0; turn < 3; turn++) {
      gc()
      await new Promise(resolve => setTimeout(resolve, 100))
    }`

/** What a program of its own process prints; only there the collector can be called. */
async function output(program: string): Promise<string> {
  const flags = ['--expose-gc', '--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  return stdout
}

t.test(
  'what was forgotten goes back to the system, though its neighbours are still kept',
  async t => {
    const program = `
    import { keep } from ${JSON.stringify(module)}
    let kept = Array.from({ length: 1000 }, () => keep([Buffer.alloc(70_000, 1)]))
    const full = process.memoryUsage.rss()
    kept = kept.filter((_, at) => at % 10 === 0)
    ${collect}
    console.log(JSON.stringify([full - process.memoryUsage.rss(), kept.length]))`
    const [returned, kept] = JSON.parse(await output(program))
    t.equal(kept, 100)
    t.ok(returned > 35_000_000, `${returned} of 63,000,000 bytes went back`)
  }
)

t.test('regions whose bytes are all forgotten may be used again', async t => {
  const program = `
    import { Keeper } from ${JSON.stringify(module)}
    import { isKept } from ${JSON.stringify(support)}
    const keeper = new Keeper(1)
    const large = Buffer.alloc(50_000)
    const before = [isKept(keeper.keep([large])), isKept(keeper.keep([large]))]
    ${collect}
    console.log(JSON.stringify([...before, isKept(keeper.keep([large]))]))`
  t.same(JSON.parse(await output(program)), [true, false, true])
})
