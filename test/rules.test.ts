/**
 * The room rules are only worth something if breaking one is reported: each row plants a violation
 * in a room of a temporary tree, and
 * Biome has to name the rule. A clean file must stay unreported.
 */

import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Biome's report, with our rules, on a tree that holds only these files. */
async function lint(t: Test, files: Record<string, string>): Promise<string> {
  const tree = t.testdir()
  const rules = JSON.parse(await readFile(join(root, 'biome.json'), 'utf8'))
  await writeFile(join(tree, 'biome.json'), JSON.stringify({ ...rules, vcs: { enabled: false } }))
  for (const [path, code] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true })
    await writeFile(join(tree, path), code)
  }
  const { stdout, stderr } = spawnSync(
    join(root, 'node_modules/.bin/biome'),
    ['lint', '--max-diagnostics=none', '--colors=off'],
    { cwd: tree, encoding: 'utf8' }
  )
  return stdout + stderr
}

const imports = (from: string) =>
  `import * as planted from '${from}'\nexport const used = planted\n`

const violations: [room: string, code: string, rule: string][] = [
  ['src/chats', imports('../cache/cache.ts'), 'noRestrictedImports'],
  ['src/chats', imports('../http/app.ts'), 'noRestrictedImports'],
  ['src/chats/export', imports('../../cache/cache.ts'), 'noRestrictedImports'],
  ['src/chats/export', imports('../../schedule/schedule.ts'), 'noRestrictedImports'],
  ['src/chats/export', imports('../../config.ts'), 'noRestrictedImports'],
  ['src/chats/export', 'setTimeout(() => {}, 1)\n', 'noRestrictedGlobals'],
  ['src/cache', imports('../schedule/schedule.ts'), 'noRestrictedImports'],
  ['src/cache', imports('lru-cache'), 'noRestrictedImports'],
  ['src/schedule', imports('../upstream/client.ts'), 'noRestrictedImports'],
  ['src/upstream', imports('../schedule/ledger.ts'), 'noRestrictedImports'],
  ['src/observe', imports('../cache/cache.ts'), 'noRestrictedImports'],
  ['src/http', imports('../cache/cache.ts'), 'noRestrictedImports'],
  ['src/http', imports('undici'), 'noRestrictedImports'],
  ['src/chats', imports('fastify'), 'noRestrictedImports'],
  ['src/schedule', imports('../service.ts'), 'noRestrictedImports'],
  ['src/http', imports('../operators.ts'), 'noRestrictedImports'],
  ['src/chats/export', imports('../../replicas.ts'), 'noRestrictedImports'],
  ['src/schedule', imports('../config.ts'), 'noRestrictedImports'],
  ['src/schedule', imports('node:timers/promises'), 'noRestrictedImports'],
  ['src', imports('undici'), 'noRestrictedImports'],
  ['src', imports('ioredis'), 'noRestrictedImports'],
  ['src/cache', imports('ioredis'), 'noRestrictedImports'],
  ['src/http', imports('ioredis'), 'noRestrictedImports'],
  ['src/schedule', imports('../store/redis-store.ts'), 'noRestrictedImports'],
  ['src/chats/export', imports('../../store/redis-store.ts'), 'noRestrictedImports'],
  ['src/store', imports('../schedule/schedule.ts'), 'noRestrictedImports'],
  ['src/store', imports('../config.ts'), 'noRestrictedImports'],
  ['src/store', 'setTimeout(() => {}, 1)\n', 'noRestrictedGlobals'],
  ['src', imports('pino'), 'noRestrictedImports'],
  ['src', imports('@prometheus-io/client'), 'noRestrictedImports'],
  ['src/admin', imports('../schedule/schedule.ts'), 'noRestrictedImports'],
  ['src/admin', imports('../http/app.ts'), 'noRestrictedImports'],
  ['src/admin/page', imports('../app.ts'), 'noRestrictedImports'],
  ['src/admin/page', imports('uplot'), 'noRestrictedImports'],
  ['src/upstream', imports('../admin/app.ts'), 'noRestrictedImports'],
  ['src/http', imports('node:process'), 'noRestrictedImports'],
  ['src/schedule', 'export const at = Date.now()\n', 'noRestrictedGlobals'],
  ['src/cache', 'export const at = performance.now()\n', 'noRestrictedGlobals'],
  ['src/http', 'setTimeout(() => {}, 1)\n', 'noRestrictedGlobals'],
  ['src', 'setInterval(() => {}, 1)\n', 'noRestrictedGlobals'],
  ['src/http', 'export const key = process.env.KEY\n', 'noProcessEnv'],
  ['src/upstream', 'export const key = process.env.KEY\n', 'noProcessEnv']
]

t.test('every planted violation of a room rule is reported', async t => {
  const path = (index: number) => `${violations[index]?.[0]}/planted-${index}.ts`
  const report = await lint(
    t,
    Object.fromEntries(violations.map(([, code], index) => [path(index), code]))
  )
  for (const [index, [, code, rule]] of violations.entries()) {
    const found = new RegExp(`${path(index)}:\\d+:\\d+ lint/style/${rule}`)
    t.match(report, found, `${rule} in ${path(index)}: ${code.split('\n')[0]}`)
  }
})

t.test('an import of the ground floor is not reported', async t => {
  const report = await lint(t, { 'src/cache/clean.ts': imports('../cache-status.ts') })
  t.match(report, 'Checked 2 files')
  t.notMatch(report, /noRestricted/)
})
