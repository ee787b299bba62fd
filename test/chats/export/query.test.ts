/** The query of an export: strict as the list's, and nothing but what a resumption can mean. */

import t from 'tap'
import { parseExportQuery, placeOf } from '../../../src/chats/export/query.ts'
import { refusalOf } from '../../support/refusals.ts'

const refused = (text: string) =>
  refusalOf(() => parseExportQuery(text)).entries.map(({ code }) => code)

t.test('without parameters it is all chats as NDJSON with an end', async t => {
  t.same(parseExportQuery(''), { format: 'ndjson', hasEnd: true, offset: 0, after: [] })
  t.same(placeOf(parseExportQuery('')), { offset: 0, lastIds: [], isWhole: true, isResumed: false })
})

t.test('every parameter is taken', async t => {
  t.same(parseExportQuery('format=csv&offset=300&after=12,9007199254740993&end=none'), {
    format: 'csv',
    hasEnd: false,
    offset: 300,
    after: ['12', '9007199254740993']
  })
})

t.test('a resumed export begins at the last chat received', async t => {
  t.same(placeOf(parseExportQuery('offset=300&after=12')), {
    offset: 299,
    lastIds: ['12'],
    isWhole: false,
    isResumed: true
  })
  t.match(placeOf(parseExportQuery('offset=300')), { offset: 300, lastIds: [], isResumed: false })
})

const bad: [text: string, names: string[]][] = [
  ['format=xml', ['format']],
  ['format=', ['format']],
  ['format=CSV', ['format']],
  ['format=__proto__', ['format']],
  ['end=all', ['end']],
  ['end=', ['end']],
  ['offset=-1&after=5', ['offset']],
  ['offset=1e3', ['offset']],
  ['after=5', ['offset']],
  ['after=5&offset=0', ['offset']],
  ['after=&offset=5', ['after']],
  ['after=5,&offset=5', ['after']],
  ['after=x&offset=5', ['after']],
  ['after=-5&offset=5', ['after']],
  [`after=${'9'.repeat(31)}&offset=5`, ['after']],
  [`after=${Array(101).fill('1').join()}&offset=5`, ['after']],
  ['after=5&after=6&offset=5', ['after']],
  ['limit=5', ['limit']],
  ['sort=chats.createdAt', ['sort']],
  ['Format=csv', ['Format']],
  ['x=1&format=y&end=z', ['x', 'format', 'end']]
]

for (const [text, names] of bad) {
  t.test(`"${text.slice(0, 60)}" is refused by name`, async t => {
    t.same(refused(text).sort(), names.sort())
    t.equal(refusalOf(() => parseExportQuery(text)).code, 'invalid_query')
  })
}
