/**
 * README.md beside this file says for every row of the demands where it is tested. Each place that
 * it names has to be there: the file, and in it the row's number or the test's name.
 */

import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'

const root = new URL('../../', import.meta.url)
const folder = 'test/faults/'

/** How many rows each group has; S has no row 14. */
const groups = { A: 21, B: 8, C: 9, D: 23, E: 14, F: 8, G: 11, H: 12, M: 5, S: 18 }

interface Place {
  readonly file: string
  /** Without one, the row's number has to be in the file. */
  readonly name?: string
}

interface Row {
  readonly row: string
  readonly priority: number
  readonly places: readonly Place[]
  readonly byHand: boolean
}

const read = (path: string) => readFile(new URL(path, root), 'utf8')

async function rowsOfReadme(): Promise<Row[]> {
  const lines = (await read(`${folder}README.md`)).split('\n')
  return lines.flatMap(line => {
    const [, row = '', priority, where = ''] = /^\| ([A-Z]\d+) \| (\d) \| (.*) \|$/.exec(line) ?? []
    if (row === '') return []
    const places = where.split('<br>').flatMap(item => placeOf(item))
    return [
      { row, priority: Number(priority), places, byHand: /by hand, \d{4}-\d\d-\d\d: ./.test(where) }
    ]
  })
}

function placeOf(item: string): Place[] {
  const [, file, name] = /^`([\w./-]+\.test\.ts)`(?:: (.+))?$/.exec(item) ?? []
  if (file === undefined) return []
  if (name === undefined) return [{ file: folder + file }]
  return [{ file: `test/${file}`, name }]
}

t.test('every row is there once, in order', async t => {
  const wanted = Object.entries(groups).flatMap(([group, count]) =>
    Array.from({ length: count }, (_, index) => `${group}${index + 1}`)
  )
  const rows = (await rowsOfReadme()).map(({ row }) => row)
  t.strictSame(
    rows,
    wanted.filter(row => row !== 'S14')
  )
})

t.test('each is automated or was done by hand, those of priority 1 automated', async t => {
  const rows = await rowsOfReadme()
  const bare = rows.filter(({ byHand, places }) => places.length === 0 && !byHand)
  t.same(
    bare.map(({ row }) => row),
    []
  )
  const manual = rows.filter(({ places, priority }) => places.length === 0 && priority === 1)
  t.same(
    manual.map(({ row }) => row),
    []
  )
})

t.test('what it names is there', async t => {
  for (const { places, row } of await rowsOfReadme()) {
    for (const { file, name } of places) {
      const text = await read(file).catch(() => '')
      const isThere = name ? text.includes(name) : new RegExp(`\\b${row}\\b`).test(text)
      t.ok(isThere, `${row} in ${file}${name ? `: ${name}` : ''}`)
    }
  }
})

t.test('every row that a file here plays is told of', async t => {
  const told = new Map((await rowsOfReadme()).map(row => [row.row, row.places]))
  const files = (await readdir(new URL(folder, root))).filter(file => file.endsWith('.test.ts'))
  for (const file of files.filter(file => file !== 'readme.test.ts')) {
    const text = await read(folder + file)
    const played = [...text.matchAll(/row: '([A-Z]\d+)'/g)].map(([, row = '']) => row)
    for (const row of new Set(played)) {
      t.ok(
        told.get(row)?.some(place => place.file === folder + file),
        `${row} in ${file}`
      )
    }
  }
})
