/**
 * `/docs`: a page to read and try the service, open to everybody and made of nothing but what the
 * service itself serves; and no way from it to any other file.
 */

import t from 'tap'
import { checkProblem, read } from '../support/answers.ts'
import { converse } from '../support/raw-socket.ts'
import { startStack } from '../support/stack.ts'

/** What a page or a style sheet makes a browser load. */
function loadedBy(text: string): string[] {
  const inTags = [
    ...text.matchAll(/<(?:link|script|img|iframe|source|embed)\b[^>]*?(?:href|src)="([^"]*)"/g)
  ]
  const inStyles = [
    ...text.matchAll(/url\(\s*["']?([^"')]+)["']?\s*\)|@import\s+["']([^"']+)["']/g)
  ]
  return [...inTags, ...inStyles].map(([, first, second]) => first ?? second ?? '')
}

t.test('the page and everything it loads comes from here, without a token', async t => {
  const { url } = await startStack(t)
  for (const page of ['/docs', '/docs/', '/v1/docs', '/v1/docs/']) {
    const { status, headers, body } = await read(fetch(url + page))
    t.equal(status, 200, page)
    t.match(headers.get('content-type'), 'text/html')
    const loaded = loadedBy(body)
    t.ok(loaded.length >= 4, `${loaded.length} files`)
    for (const reference of loaded) {
      const target = new URL(reference, url + page)
      t.equal(target.origin, new URL(url).origin, reference)
      const file = await read(fetch(target))
      t.equal(file.status, 200, reference)
      t.notMatch(file.headers.get('content-type'), 'text/html')
      const styles = reference.endsWith('.css') ? loadedBy(file.body) : []
      t.same(
        styles.filter(one => !one.startsWith('data:')),
        [],
        'styles load nothing more'
      )
    }
  }
})

t.test('the page reads the contract that is served here', async t => {
  const { url, service } = await startStack(t)
  const script = await read(fetch(`${url}/docs/static/swagger-initializer.js`))
  const [, reference = ''] = /url: resolveUrl\('([^']+)'\)/.exec(script.body) ?? []
  const target = new URL(reference, `${url}/docs/`)
  t.equal(target.origin, new URL(url).origin)
  const contract = JSON.parse(JSON.stringify(service.app.swagger()))
  t.same(JSON.parse((await read(fetch(target))).body), contract)
  t.notMatch(script.body, 'validator.swagger.io')
})

t.test('a browser is told to load nothing from elsewhere', async t => {
  const { url } = await startStack(t)
  for (const path of ['/docs', '/docs/static/swagger-ui-bundle.js', '/docs/static/nothing.js']) {
    const { headers } = await read(fetch(url + path))
    const policy = headers.get('content-security-policy') ?? ''
    t.match(policy, "default-src 'none'", path)
    t.notMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/)
    t.match(policy, "frame-ancestors 'none'")
    t.equal(headers.get('x-content-type-options'), 'nosniff')
  }
})

const steps = [
  '../',
  '%2e%2e/',
  '..%2f',
  '%2e%2e%2f',
  '..%5c',
  '..\\',
  '%2e%2e%5c',
  '....//',
  '..;/',
  './../',
  '%252e%252e%252f'
]
const files = ['package.json', 'etc/passwd', 'src/main.ts', '.env']

const outside = [
  ...steps.flatMap(step => files.map(file => `/docs/static/${step.repeat(6)}${file}`)),
  ...steps.map(step => `/docs/${step}${step}package.json`),
  '/docs/static//etc/passwd',
  '/docs/static/%2fetc/passwd',
  '/docs/static/C:/Windows/win.ini',
  '/docs/static/.env',
  '/docs/static/.',
  '/docs/static/..',
  '/docs/static/',
  '/docs/static',
  '/docs/static/~root',
  '/docs/static/logo.svg/x',
  '/docs/static/index.css/',
  '/docs/static/swagger-ui.css.map',
  `/docs/static/${'a'.repeat(3_000)}`,
  `/docs/static/${'a/'.repeat(3_000)}`,
  '/docs/static/swagger-ui.css%20',
  '/docs/static/con',
  '/docs/nothing',
  '/status/../../etc/passwd',
  '/status/%2e%2e%2f%2e%2e%2fetc/passwd',
  '/../../etc/passwd',
  '/..%5c..%5cetc%5cpasswd'
]

t.test('no path leads out of the page or to what is not there', async t => {
  const { url, lines } = await startStack(t, { env: { TEAM_TOKENS: '' } })
  for (const target of outside) {
    const { answers } = await converse(
      url,
      `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    )
    t.equal(answers.length, 1)
    const [answer] = answers
    if (answer) checkProblem(t, answer, { status: 404, code: 'not_found' }, target.slice(0, 80))
    t.notMatch(answer?.body, /root:|"dependencies"|import /)
  }
  // A slow machine takes a second, at the end of which it is told that lines were left out.
  const errors = lines.map(line => JSON.parse(line)).filter(({ level }) => level >= 50)
  t.same(errors, [], 'and none is an error of ours')
})

t.test('a NUL in the path is unreadable', async t => {
  const { url } = await startStack(t)
  for (const target of ['/docs/static/%00', '/docs/static/swagger-ui.css%00.html', '/docs%00']) {
    checkProblem(t, await read(fetch(url + target)), { status: 400, code: 'bad_request' }, target)
  }
})

t.test('problem types are anchors of the page', async t => {
  const { get } = await startStack(t)
  const { body } = await read(get('/nowhere'))
  const { pathname } = new URL(JSON.parse(body).type, 'http://service/nowhere')
  t.equal((await read(get(pathname))).status, 200)
})
