/** Chats as NDJSON, JSON and CSV: nothing lost, nothing re-typed, nothing that does harm. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { csvColumns, csvHeader, csvRow } from '../../../src/chats/export/csv.ts'
import { formats } from '../../../src/chats/export/formats.ts'
import { parseCsv } from '../../support/csv.ts'
import { objectText } from '../../support/json-text.ts'
import { holds } from '../../support/property.ts'
import { anyText } from '../../support/texts.ts'

const summary = { count: 3, total: 4, complete: true } as const
const { csv, json, ndjson } = formats

/** Windows of chats in any spelling that JSON allows. */
const windows = fc.array(
  fc.array(
    objectText.map(text => Buffer.from(text)),
    { minLength: 1, maxLength: 4 }
  ),
  { maxLength: 4 }
)

function bodyOf(
  format: typeof json,
  chats: readonly (readonly Buffer[])[],
  isMarked = true
): string {
  const parts = chats.map((window, index) => format.chats(window, index === 0))
  const end = format.end(isMarked ? summary : undefined)
  return Buffer.concat([format.start(false), ...parts, end]).toString()
}

t.test('NDJSON has one chat per line, to the byte but for line breaks between tokens', async t => {
  const property = fc.property(windows, chats => {
    const lines = bodyOf(ndjson, chats).split('\n')
    assert.equal(lines.pop(), '')
    assert.equal(lines.pop(), JSON.stringify({ export: summary }))
    const wanted = chats.flat().map(chat => chat.toString().replace(/[\r\n]/g, ' '))
    assert.deepEqual(lines, wanted)
    for (const [at, chat] of chats.flat().entries()) {
      assert.deepEqual(JSON.parse(lines[at]!), JSON.parse(chat.toString()))
    }
    assert.equal(bodyOf(ndjson, chats, false), wanted.map(line => `${line}\n`).join(''))
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('a chat without line breaks is the same bytes in NDJSON', async t => {
  const chat = Buffer.from('{ "id" : 1.0,\t"é":"\\n\\u000a" }')
  t.equal(ndjson.chats([chat], true).toString(), `${chat}\n`)
})

t.test('JSON is one document with the chats to the byte, and the export member last', async t => {
  const property = fc.property(windows, chats => {
    const body = bodyOf(json, chats)
    const document = JSON.parse(body)
    assert.deepEqual(Object.keys(document), ['data', 'export'])
    assert.deepEqual(document.export, summary)
    assert.deepEqual(
      document.data,
      chats.flat().map(chat => JSON.parse(chat.toString()))
    )
    let at = 0
    for (const chat of chats.flat()) {
      at = body.indexOf(chat.toString(), at)
      assert(at >= 0, 'to the byte')
    }
    assert.deepEqual(Object.keys(JSON.parse(bodyOf(json, chats, false))), ['data'])
  })
  await holds(t, property, { numRuns: 300 })
})

const row = (chat: string) => {
  const cells = parseCsv(csvRow(chat))[0] ?? []
  return Object.fromEntries(csvColumns.map((name, at) => [name, cells[at]]))
}

t.test('a row has a cell for every column, whatever the chat is', async t => {
  const property = fc.property(windows, chats => {
    const rows = parseCsv(bodyOf(csv, chats))
    assert.deepEqual(rows.shift(), [...csvColumns])
    assert.equal(rows.length, chats.flat().length)
    for (const cells of rows) assert.equal(cells.length, csvColumns.length)
  })
  await holds(t, property)
})

t.test(
  'a text comes back as it was, but for an apostrophe where it would be a formula',
  async t => {
    const property = fc.property(anyText, anyText, (text, name) => {
      const cells = row(JSON.stringify({ lastMessageText: text, customer: { name } }))
      for (const [cell = '', wanted] of [
        [cells.lastMessageText, text],
        [cells['customer.name'], name]
      ] as const) {
        // UTF-8 has no lone surrogates.
        const sent = wanted.toWellFormed()
        assert(cell === sent || (cell === `'${sent}` && /^[=+\-@\t\r\n]/.test(sent)), cell)
        assert(!/^[=+\-@\t\r\n]/.test(cell) || /^-?\d+(\.\d+)?$/.test(cell))
      }
    })
    await holds(t, property, { numRuns: 500 })
  }
)

t.test('formulas are disarmed, numbers stay numbers', async t => {
  const seen = (text: string) => row(JSON.stringify({ lastMessageText: text })).lastMessageText
  for (const formula of [
    '=1+1',
    '=HYPERLINK("http://evil","x")',
    "+1+cmd|' /C calc'!A0",
    '-1+1',
    '-2-3',
    '-',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    '--1',
    '-1e5',
    '+380501234567'
  ]) {
    t.equal(seen(formula), `'${formula}`)
  }
  for (const plain of ['-5', '-0.25', '1607542030.713', "it's", "'=1", 'a=1', ' =1', '']) {
    t.equal(seen(plain), plain)
  }
  t.equal(row('{"lastMessageId":-5}').lastMessageId, '-5')
})

t.test('numbers keep every digit, also beyond what a double holds', async t => {
  const cells = row(
    '{"id":9007199254740993,"createdAt":1.0,"closedAt":"1607542030.713","lastMessageId":1E+2,' +
      '"customer":{"id":12345678901234567890},"agents":[{"id":9007199254740995,"role":-0}]}'
  )
  t.match(cells, {
    id: '9007199254740993',
    createdAt: '1.0',
    closedAt: '1607542030.713',
    lastMessageId: '1E+2',
    'customer.id': '12345678901234567890',
    agents: '[{"id":9007199254740995,"role":-0}]'
  })
})

t.test('null, absent and what is nested in something else are empty; lists are JSON', async t => {
  const cells = row(
    '{"status":null,"customer":"nobody","assignee":[{"id":1}],"department":{"id":null},' +
      '"agents":{"name":"A \\"B\\""},"notes":[],"readByAgent":false}'
  )
  t.match(cells, {
    id: '',
    status: '',
    'customer.id': '',
    'assignee.id': '',
    'department.id': '',
    agents: '{"name":"A \\"B\\""}',
    notes: '[]',
    readByAgent: 'false'
  })
})

t.test('a name from the prototype of objects is no member of a chat', async t => {
  t.equal(row('{"customer":{}}')['customer.name'], '')
  t.equal(row('{"__proto__":{"id":5},"constructor":1}').id, '')
  t.equal(({} as { id?: unknown }).id, undefined)
})

t.test('CSV begins with the names of its columns, and a resumed one does not', async t => {
  t.equal(csv.start(false).toString(), csvHeader)
  t.equal(csvHeader, `${csvColumns.join(',')}\r\n`)
  t.equal(csv.start(true).length, 0)
  t.equal(ndjson.start(true).length, 0)
  t.equal(csv.end(summary).length, 0)
})
