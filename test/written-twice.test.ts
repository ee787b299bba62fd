/**
 * What the README, `.env.example`, `openapi.yaml` and the Dockerfile say again is held against the
 * code that says it first.
 */

import { readFile } from 'node:fs/promises'
import type { TSchema } from '@sinclair/typebox'
import t from 'tap'
import { variables } from '../src/config-variables.ts'
import { errorKinds } from '../src/errors.ts'

const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8')

function shownDefault(schema: TSchema): string {
  if (schema.required) return 'required'
  return schema.default === undefined || schema.default === '' ? 'none' : `\`${schema.default}\``
}

/** The cells of the Markdown table rows whose first cell is code. */
function tableRows(text: string): string[][] {
  const rows = text.split('\n').filter(line => line.startsWith('| `') || /^\| \d{3} \|/.test(line))
  return rows.map(row => row.slice(2, -2).split(' | '))
}

t.test('the README shows every variable with its default and meaning, in order', async t => {
  const shown = tableRows(await read('README.md')).filter(([name]) =>
    /^`[A-Z_]+`$/.test(name ?? '')
  )
  const wanted = Object.entries(variables).map(([name, schema]) => [
    `\`${name}\``,
    shownDefault(schema),
    schema.description
  ])
  t.strictSame(shown, wanted)
})

t.test('.env.example shows every variable with its default or example', async t => {
  const lines = (await read('.env.example')).split('\n').filter(line => /^(# )?[A-Z_]+=/.test(line))
  const wanted = Object.entries(variables).map(([name, schema]: [string, TSchema]) => {
    const value =
      schema.default === undefined || schema.default === '' ? schema.example : schema.default
    return `${schema.required ? '' : '# '}${name}=${value}`
  })
  t.strictSame(lines, wanted)
})

t.test('the README has every error code under its status', async t => {
  const shown = tableRows(await read('README.md')).filter(([status]) =>
    /^\d{3}$/.test(status ?? '')
  )
  const pairs = shown.flatMap(([status, codes = '']) =>
    [...codes.matchAll(/`([a-z_]+)`/g)].map(([, code]) => `${status} ${code}`)
  )
  const wanted = Object.entries(errorKinds).map(([code, { status }]) => `${status} ${code}`)
  t.strictSame(pairs.sort(), wanted.sort())
})

t.test('the commands that the README names exist', async t => {
  const { scripts } = JSON.parse(await read('package.json'))
  const named = [...(await read('README.md')).matchAll(/npm run ([a-z]+)/g)].map(([, name]) => name)
  t.strictSame(
    named.filter(name => name && !(name in scripts)),
    []
  )
})

t.test('the README stays within 200 lines', async t => {
  t.ok((await read('README.md')).split('\n').length <= 200)
})

t.test('docs/dependencies.md has a reason for every package, and for no other', async t => {
  const { dependencies, devDependencies } = JSON.parse(await read('package.json'))
  const [running = '', others = ''] = (await read('docs/dependencies.md')).split('\n## For ')
  const named = (text: string) =>
    tableRows(text).flatMap(([names = '']) =>
      [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
    )
  t.same(named(running).sort(), Object.keys(dependencies).sort())
  t.same(named(others).sort(), Object.keys(devDependencies).sort())
})
