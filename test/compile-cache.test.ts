/** Compiled ahead is everything that a start loads, and everything that is loaded later. */

import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { emptyFolder } from './support/children.ts'

const src = fileURLToPath(new URL('../src', import.meta.url))

/** What Node says of its compile cache while it runs a script of ours, one line a step. */
async function run(script: string, folder: string): Promise<string[]> {
  const { PATH = '' } = process.env
  const env = { PATH, NODE_COMPILE_CACHE: folder, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }
  const options = { cwd: folder, env, maxBuffer: Infinity }
  const started = promisify(execFile)(process.execPath, [join(src, script)], options)
  const { stderr, stdout } = await started.catch(refused => refused)
  return `${stdout}${stderr}`.split('\n')
}

t.test('a start after that strips no types and compiles nothing', async t => {
  const folder = await emptyFolder(t)
  await run('compile.ts', folder)
  const lines = await run('main.ts', folder)
  t.ok(
    lines.some(line => line.includes('HELPCRUNCH_API_KEY: is required')),
    'it refused to start'
  )
  const found = lines.filter(line => line.startsWith('[compile cache] retrieving transpile cache'))
  t.ok(found.some(line => line.includes('/src/service.ts')))
  t.same(
    found.filter(line => !line.endsWith('success')),
    []
  )
  t.same(
    lines.filter(line => / (no transpile cache|saving) /.test(line)),
    []
  )
  t.same(
    lines.filter(line => line.includes('was rejected')),
    []
  )
})

t.test('it names whatever is imported only when it is asked for', async t => {
  const names = (file: string) =>
    [...readFileSync(join(src, file), 'utf8').matchAll(/\bimport\('([^']+)'\)/g)].map(
      ([, name = '']) => join(file, '..', name)
    )
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  const later = files.filter(file => file.endsWith('.ts') && file !== 'compile.ts').flatMap(names)
  t.ok(later.length > 1)
  t.same(
    [...new Set([...later, 'main.ts'])].filter(name => name !== 'gate.ts').sort(),
    names('compile.ts').sort()
  )
})
