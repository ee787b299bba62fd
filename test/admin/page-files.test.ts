/** The files of the page: exactly those, from here, with headers that forbid everything else. */

import fc from 'fast-check'
import t from 'tap'
import { startOperators } from '../support/operators.ts'
import { holds } from '../support/property.ts'
import { converse } from '../support/raw-socket.ts'
import { recordedStatus } from '../support/recorded-status.ts'

const get = (target: string) =>
  `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`

t.test('everything that the page names is there, and comes from here', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  const seen = new Set<string>()
  const follow = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const answer = await fetch(url + path)
    t.equal(answer.status, 200, path)
    const text = await answer.text()
    if (path.includes('/uplot/')) return
    t.notMatch(text, /https?:\/\/(?!www\.w3\.org\/2000\/svg)/, `${path} names no other host`)
    const named = [...text.matchAll(/(?:href|src)="([^"]+)"|from '([^']+)'/g)]
    for (const [, link, module] of named) {
      await follow(new URL(link ?? module ?? '', new URL(path, url)).pathname)
    }
  }
  await follow('/')
  t.ok(seen.has('/page/uplot/uPlot.esm.js'))
  t.ok(seen.size > 15, `${seen.size} files`)
})

t.test('nothing may be loaded from elsewhere, run inline, be guessed at or be framed', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  for (const path of ['/', '/page/main.js', '/status', '/metrics', '/nowhere']) {
    const { headers } = await fetch(url + path)
    const policy = headers.get('content-security-policy') ?? ''
    t.match(policy, /default-src 'none'/, path)
    t.match(policy, /frame-ancestors 'none'/)
    t.match(policy, /require-trusted-types-for 'script'/)
    t.notMatch(policy, /unsafe|\*|http|data:/)
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
    t.equal(headers.get('cache-control'), 'no-store')
  }
})

t.test('no markup of the page has code or styles in it', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  const html = await (await fetch(url)).text()
  t.notMatch(html, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:/i)
  t.match(html, '<script type="module" src="/page/main.js">')
})

const tricks = [
  '/status/../../etc/passwd',
  '/page/../../../../etc/passwd',
  '/page/..%2f..%2f..%2fpackage.json',
  '/page/%2e%2e%2fapp.ts',
  '/page/%2e%2e/app.ts',
  '/page/..%5capp.ts',
  '/page/..\\app.ts',
  '/page/main.js%00',
  '/page/main.js%00.html',
  '/page/.env',
  '/page/.git/config',
  '/.env',
  '/page/',
  '/page',
  '/page/tsconfig.json',
  '/page//main.js',
  '//page/main.js',
  '/page/./main.js',
  '/page/main.js/',
  '/PAGE/MAIN.JS',
  '/page/uplot/',
  '/page/uplot/../main.js',
  '/page/uplot/uPlot.cjs.js',
  '/node_modules/uplot/package.json',
  '/page/%252e%252e%252fapp.ts'
]

t.test('a path that leads elsewhere leads nowhere', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  for (const target of tricks) {
    const { answers } = await converse(url, get(target))
    t.equal(answers[0]?.status, 404, target)
    t.match(JSON.parse(answers[0]?.body ?? ''), { code: 'not_found' })
  }
})

t.test('no spelling of a path gets a file that the page does not have', async t => {
  const { url } = await startOperators(t, { status: recordedStatus })
  const parts = ['..', '.', '%2e%2e', '%2f', '%5c', '\\', '%00', 'page', 'uplot', 'app.ts', '.env']
  const paths = fc
    .array(fc.constantFrom(...parts, 'main.js', 'package.json', 'etc', 'passwd'), { maxLength: 6 })
    .chain(names => fc.constantFrom('/', '//', '%2f').map(slash => `/${names.join(slash)}`))
    .filter(path => !['/', '/page/main.js'].includes(path))
  const property = fc.asyncProperty(paths, async path => {
    const { answers } = await converse(url, get(path))
    return answers[0]?.status === 404
  })
  await holds(t, property, { numRuns: 200 })
})
