/**
 * The README's "Try it", taken at its word: the demo is started and every curl line is run as it
 * stands, and has to print what the README says it prints. `…` there matches anything.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)

interface Example {
  readonly command: string
  readonly output: string
}

/** Each shell block with a curl line, and the block after it. */
function examplesIn(readme: string): Example[] {
  const blocks = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ([, language, text = '']) => ({
      language,
      text
    })
  )
  return blocks.flatMap(({ language, text }, index) =>
    language === 'sh' && text.startsWith('curl ')
      ? [{ command: text.trim(), output: blocks[index + 1]?.text.trim() ?? '' }]
      : []
  )
}

function patternOf(output: string): RegExp {
  const parts = output.split('…').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[\\s\\S]*')}$`)
}

/** The demo and all it printed until it was ready. */
async function startDemo(t: Test): Promise<{ demo: ChildProcess; guide: string }> {
  const demo = spawn(process.execPath, ['simulator/demo.ts'], { cwd: root })
  t.teardown(() => demo.kill('SIGKILL'))
  let guide = ''
  for await (const chunk of demo.stdout) {
    guide += chunk
    if (guide.includes('Ctrl-C')) break
  }
  return { demo, guide }
}

t.test('every curl line of the README prints what the README says', async t => {
  const { demo, guide } = await startDemo(t)
  const address = /http:\/\/(127\.0\.0\.1:\d+)/.exec(guide)?.[1] ?? ''
  const examples = examplesIn(await readFile(`${root}README.md`, 'utf8'))
  t.ok(examples.length >= 3)
  for (const { command, output } of examples) {
    const { stdout } = await run('sh', ['-c', command.replaceAll('127.0.0.1:8080', address)])
    t.match(stdout.replaceAll('\r', '').trim(), patternOf(output), command)
  }
  const exit = once(demo, 'exit')
  demo.kill('SIGINT')
  t.strictSame(await exit, [0, null])
})

t.test('the first URL that the demo prints is in a ready curl line, which works', async t => {
  const { demo, guide } = await startDemo(t)
  const line = guide.split('\n').find(text => text.includes('http://')) ?? ''
  t.match(line, /^curl -H 'Authorization: Bearer \S+' http:\/\/127\.0\.0\.1:\d+\/chats\?limit=3$/)
  const { stdout } = await run('sh', ['-c', line])
  t.equal(JSON.parse(stdout).data.length, 3)
  const pages = [...guide.matchAll(/^[A-Z][^:]+: +(http:\S+)$/gm)].map(([, url = '']) => url)
  t.match(pages, [/\/docs$/, /\/openapi\.yaml$/, /:\d+\/$/, /\/v1$/])
  const operators = `${pages[2]}status`
  for (const page of [pages[0], pages[1], operators, pages[3]]) {
    t.equal((await fetch(page ?? '')).status, 200, `${page}`)
  }
  const exit = once(demo, 'exit')
  demo.kill('SIGTERM')
  t.strictSame(await exit, [0, null])
})
