/** The judge of exports: what is missing, twice, untrue or falsely called complete is found. */

import t from 'tap'
import { chatCount } from '../../soak/conditions.ts'
import { type ExportClaim, judgeExport } from '../../soak/export-truth.ts'
import { History, idOf } from '../../soak/history.ts'

const history = new History(3)
const before = history.lists('created', 0, 0)[0]!.items
for (let change = 1; change <= 20; change++) history.change(1000 * change)
const after = history.lists('created', 20_500, 20_500)[0]!.items

const markOf = (count: number) => `{"export":{"count":${count},"total":${count},"complete":true}}`

function judge(items: readonly string[], changed: Partial<ExportClaim> = {}) {
  const body = [...items, markOf(items.length), ''].join('\n')
  const claim = { startedAt: 0, endedAt: 500, body, ended: true, allowanceMs: 0 }
  return judgeExport(history, { ...claim, ...changed })
}

t.test('a complete one is complete and right', async t => {
  t.equal(before.length, chatCount)
  t.strictSame(judge(before), { complete: true, wrong: undefined })
  t.strictSame(judge(after, { startedAt: 20_500, endedAt: 21_000 }), {
    ...{ complete: true, wrong: undefined }
  })
})

t.test('while the list changes each chat may be as it was or is, if it was there', async t => {
  t.equal(judge(before, { endedAt: 20_500 }).wrong, undefined)
  t.equal(judge(after, { endedAt: 20_500 }).wrong, undefined)
  t.match(judge(after).wrong, /is not what the upstream had/)
})

t.test('it may have been read for somebody who asked ten seconds ago, not before', async t => {
  const old = new Map(before.map(text => [idOf(text), text]))
  const exportAt = (at: number) => {
    const items = history.lists('created', at, at)[0]!.items.map(now => old.get(idOf(now)) ?? now)
    return judge(items, { startedAt: at, endedAt: at + 100 })
  }
  t.equal(exportAt(11_500).wrong, undefined)
  t.match(exportAt(20_500).wrong, /is not what the upstream had/)
})

t.test('a chat that is missing, twice or changed is found', async t => {
  t.match(judge(before.toSpliced(300, 1)).wrong, /was there all the time and is missing/)
  t.match(judge([...before, before[7]!]).wrong, /is there twice/)
  t.match(judge(before.with(9, before[9]!.replace('}', ' }'))).wrong, /is not what/)
})

t.test('one that was broken off is right as far as it goes, and may not look complete', async t => {
  const part = `${before.slice(0, 250).join('\n')}\n${before[250]!.slice(0, 40)}`
  t.strictSame(judge([], { body: part, ended: false }), { complete: false, wrong: undefined })
  t.match(judge([], { body: part, ended: true }).wrong, /what it says of its end/)
  t.match(judge(before, { ended: false }).wrong, /what it says of its end/)
})

t.test('the end mark is the end, and counts right', async t => {
  const body = [...before, markOf(before.length)].join('\n')
  t.match(judge([], { body: `${body}\nmore` }).wrong, /what it says|follows/)
  const short = [...before, markOf(before.length - 1), ''].join('\n')
  t.match(judge([], { body: short }).wrong, /the count is wrong/)
})
