/**
 * The typed client, made as the README says from the contract that is served: its types hold the
 * right use and refuse the wrong one, in the current compiler and in the one before it, and it runs
 * against the service, errors and `/v1` included.
 */

import { execFile } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { emptyFolder } from '../support/children.ts'
import { olderTypescript } from '../support/older-typescript.ts'
import { type Stack, startStack, tokens } from '../support/stack.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const preload = join(root, 'test/support/older-typescript.ts')
const generator = join(root, 'node_modules/openapi-typescript/bin/cli.js')

const compilers = {
  current: join(
    dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
    'bin/tsc'
  ),
  older: join(dirname(olderTypescript), '../bin/tsc')
}

const compilerOptions = {
  strict: true,
  target: 'es2024',
  lib: ['es2024', 'dom'],
  module: 'nodenext',
  allowImportingTsExtensions: true,
  noEmit: true,
  types: []
}

const imports = `import createClient from 'openapi-fetch'
import type { components, paths } from './helpcrunch-proxy.d.ts'
`

/** Blocks of a Markdown file, of one language. */
async function blocksOf(file: string, language: string): Promise<string[]> {
  const text = await readFile(join(root, file), 'utf8')
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , block = '']) => block)
}

/** A folder with the types that the README's command makes, and with the packages of this project. */
async function startProject(t: Test, stack: Stack): Promise<string> {
  const folder = await emptyFolder(t)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const shell = (await blocksOf('README.md', 'sh')).find(block => block.startsWith('npx '))
  const [, address = '', output = ''] = /openapi-typescript (\S+) -o (\S+)/.exec(shell ?? '') ?? []
  const url = address.replace('http://127.0.0.1:8080', stack.url)
  await run(process.execPath, ['--import', preload, generator, url, '-o', output], { cwd: folder })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  return folder
}

/** What a compiler has to say about the project. */
function complaintsOf(compiler: string, folder: string): Promise<string> {
  return run(process.execPath, [compiler], { cwd: folder }).then(
    ({ stdout }) => stdout,
    ({ stdout }) => String(stdout)
  )
}

const addressed = (program: string, { url }: Stack) =>
  program.replaceAll('http://127.0.0.1:8080', url).replaceAll('Bearer …', `Bearer ${tokens.blue}`)

const program = `${imports}
const headers = { authorization: 'Bearer …' }
const proxy = createClient<paths>({ baseUrl: 'http://127.0.0.1:8080', headers })
const asHelpCrunch = createClient<paths>({ baseUrl: 'http://127.0.0.1:8080/v1', headers })
const stranger = createClient<paths>({ baseUrl: 'http://127.0.0.1:8080' })
const seen: unknown[] = []

const list = await proxy.GET('/chats', { params: { query: { sort: 'chats.createdAt', limit: 2 } } })
const chats: components['schemas']['Chat'][] = list.data?.data ?? []
const total: number | undefined = list.data?.meta.total
seen.push(chats.length, total, list.response.headers.get('x-total-count'))

const { data: chat } = await asHelpCrunch.GET('/chats/{id}', { params: { path: { id: '100005' } } })
const id: number | undefined = chat?.id
seen.push(id)

const { data: messages } = await proxy.GET('/chats/{id}/messages', {
  params: { path: { id: '100005' }, query: { limit: 1 } }
})
seen.push(typeof messages?.total)

const { data: found } = await asHelpCrunch.POST('/chats/search', { body: { filter: [], limit: 1 } })
seen.push(found?.data.length)

const { data: exported } = await proxy.GET('/chats/export', { parseAs: 'text' })
seen.push(typeof exported === 'string' && exported.trim().split('\\n').length)

// The error of a wrong query, of no token, and of no chat: problems, with all their members.
const wrong = await proxy.GET('/chats', { params: { query: { limit: 0 } } })
const problem: components['schemas']['Problem'] | undefined = wrong.error
seen.push(problem?.code, problem?.errors[0]?.code)
const { error: unknown } = await stranger.GET('/chats')
seen.push(unknown?.code, unknown?.status)
const { error: missing } = await proxy.GET('/chats/{id}', { params: { path: { id: '7' } } })
if (missing?.code === 'chat_not_found') seen.push(missing.title)

// @ts-expect-error there is no such parameter
await proxy.GET('/chats', { params: { query: { limt: 5 } } })
// @ts-expect-error it is not sorted by that
await proxy.GET('/chats', { params: { query: { sort: 'id' } } })
// @ts-expect-error there is no such route
await proxy.GET('/customers')
// @ts-expect-error it only reads
await proxy.DELETE('/chats')
// @ts-expect-error there is no such error
seen.push(problem?.code === 'nothing_like_it')
console.log(JSON.stringify(seen))
`

t.test('the client has the right types, and gets what they say', async t => {
  const stack = await startStack(t)
  const folder = await startProject(t, stack)
  const [short = ''] = await blocksOf('README.md', 'ts')
  const [long = ''] = await blocksOf('docs/clients.md', 'ts')
  const programs = {
    'short.ts': `${imports}${short}console.log(data?.data.length, error, response.status)`,
    'long.ts': `${long}console.log(chats.length)`,
    'every-route.ts': program
  }
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(folder, name), addressed(text, stack))
  }
  for (const [name, compiler] of Object.entries(compilers)) {
    t.equal(await complaintsOf(compiler, folder), '', `${name} compiler`)
  }
  const outputOf = async (name: string) =>
    (await run(process.execPath, [name], { cwd: folder })).stdout
  t.equal(await outputOf('short.ts'), '3 undefined 200\n', "the README's two lines")
  t.equal(await outputOf('long.ts'), '20\n', 'the example of docs/clients.md')
  t.same(JSON.parse(await outputOf('every-route.ts')), [
    ...[2, 435, '435', 100005, 'number', 1, 436],
    ...['invalid_query', 'limit', 'unauthenticated', 401, 'There is no such chat', false]
  ])
})
