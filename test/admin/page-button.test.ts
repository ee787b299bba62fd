/**
 * Who may press the button of the status page: operators at the page itself, with the token if there
 * is one; never another site, whatever it makes their browser do.
 */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startBrowser, visit, withoutBrowser } from '../support/browser.ts'
import { startOperators } from '../support/operators.ts'
import { recordedStatus } from '../support/recorded-status.ts'
import { startStack } from '../support/stack.ts'
import { isLive, shows, text } from '../support/status-page.ts'

const skip = withoutBrowser
const browser = skip ? undefined : await startBrowser(t)

t.test('the button makes what the real cache holds stale', { skip }, async t => {
  const { get, service } = await startStack(t)
  const cacheStatus = async () => (await get('/chats')).headers.get('cache-status')
  await cacheStatus()
  t.match(await cacheStatus(), 'hit')
  const url = await service.admin.listen({ host: '127.0.0.1', port: 0 })
  const { complaints, page } = await visit(browser!, url)
  await isLive(page)
  await page.locator('#invalidate').click()
  await page.locator('#confirm-yes').click()
  await shows(page, '#invalidated', 'made stale')
  t.match(await cacheStatus(), 'fwd=')
  t.same(complaints, [])
})

t.test('what the service refuses is said in its words', { skip }, async t => {
  const status = recordedStatus()
  const { app, url } = await startOperators(t, { status: () => status })
  const { page } = await visit(browser!, url)
  await isLive(page)
  await page.route('**/cache', route =>
    route.fulfill({ status: 403, json: { detail: 'Set ADMIN_TOKEN.' } })
  )
  const press = async () => {
    await page.locator('#invalidate').click()
    await page.locator('#confirm-yes').click()
  }
  await press()
  await shows(page, '#invalidated', 'Refused: Set ADMIN_TOKEN.')
  await page.unroute('**/cache')
  await app.close()
  await press()
  await shows(page, '#invalidated', 'The service could not be reached')
  t.equal(await page.locator('dialog[open]').count(), 0)
})

const token = 'operators:secret-of-the-desk'

t.test('a browser that was given the token once uses it for everything', { skip }, async t => {
  const status = recordedStatus()
  const env = { ADMIN_TOKEN: token }
  const { invalidations, url } = await startOperators(t, { status: () => status, env })
  t.equal((await fetch(`${url}/`)).status, 401)
  t.equal((await fetch(`${url}/page/main.js`)).status, 401)
  const asked = { httpCredentials: { username: 'me', password: token } }
  const inAddress = `http://me:${encodeURIComponent(token)}@${new URL(url).host}/`
  for (const [address, options] of [[url, asked] as const, [inAddress, {}] as const]) {
    const before = invalidations()
    const { page } = await visit(browser!, address, options)
    await isLive(page)
    await page.locator('#invalidate').click()
    await page.locator('#confirm-yes').click()
    await shows(page, '#invalidated', 'made stale')
    t.equal(invalidations(), before + 1)
    t.match(await text(page, '#headline'), '37 of 120')
    await page.context().close()
  }
})

/** Everything that a page of somebody else can make a browser do. */
const attack = (target: string) => `<!doctype html><title>prizes</title><body><script type="module">
  const told = []
  const attempt = async (name, act) => {
    try { told.push(name + ': ' + await act()) } catch { told.push(name + ': nothing') }
  }
  const asks = (path, options) => async () => (await fetch('${target}' + path, options)).text()
  await attempt('delete', asks('/cache', { method: 'DELETE' }))
  await attempt('delete with password', asks('/cache', { method: 'DELETE', credentials: 'include' }))
  await attempt('blind delete', asks('/cache', { method: 'DELETE', mode: 'no-cors' }))
  await attempt('blind post', asks('/cache', { method: 'POST', mode: 'no-cors', credentials: 'include',
    headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '_method=DELETE' }))
  await attempt('status', asks('/status', { credentials: 'include' }))
  await attempt('blind status', asks('/status', { mode: 'no-cors' }))
  await attempt('events', () => new Promise((done, fail) => {
    const source = new EventSource('${target}/events', { withCredentials: true })
    source.addEventListener('status', () => done('heard'))
    source.addEventListener('error', fail)
  }))
  await attempt('script', () => new Promise((done, fail) => {
    const script = document.createElement('script')
    script.src = '${target}/page/main.js'
    script.type = 'module'
    script.onload = () => done('ran')
    script.onerror = fail
    document.body.append(script)
  }))
  await attempt('image', () => new Promise((done, fail) => {
    const image = new Image()
    image.onload = () => done('shown')
    image.onerror = fail
    image.src = '${target}/page/icon.svg'
  }))
  await attempt('frame', () => new Promise(done => {
    const frame = document.createElement('iframe')
    frame.name = 'inside'
    frame.onload = () => done('loaded')
    frame.src = '${target}/'
    document.body.append(frame)
  }))
  await attempt('sandboxed', () => new Promise(done => {
    const frame = document.createElement('iframe')
    frame.sandbox = 'allow-scripts'
    addEventListener('message', ({ data }) => done(data))
    frame.srcdoc = \`<script>fetch('${target}/cache', { method: 'DELETE', mode: 'cors' })
      .then(() => parent.postMessage('answered', '*'), () => parent.postMessage('nothing', '*'))<\\/script>\`
    document.body.append(frame)
  }))
  const form = document.createElement('form')
  form.method = 'POST'
  form.action = '${target}/cache'
  form.target = 'inside'
  document.body.append(form)
  form.submit()
  document.body.dataset.told = JSON.stringify(told)
</script>`

/** Another origin; on the same machine, so another port is all that differs, or by another name. */
async function startOtherSite(t: Test, target: string): Promise<number> {
  const server = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end(attack(target))
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => void server.close().closeAllConnections())
  return (server.address() as AddressInfo).port
}

t.test('another site cannot press it, nor see anything', { skip }, async t => {
  const { app, invalidations, url } = await startOperators(t, { status: recordedStatus })
  const seen: [method: string, url: string, status: number][] = []
  app.server.on('request', ({ method = '', url = '' }, response) => {
    response.on('close', () => seen.push([method, url, response.statusCode]))
  })
  const port = await startOtherSite(t, url)
  for (const host of ['127.0.0.1', 'localhost']) {
    seen.length = 0
    const { page } = await visit(browser!, `http://${host}:${port}/`)
    const told = await page.locator('body[data-told]').getAttribute('data-told')
    // A refused frame loads its refusal; all else comes to nothing.
    const successes = JSON.parse(told ?? '').filter((one: string) => !one.endsWith(': nothing'))
    t.same(successes, ['frame: loaded'])
    t.ok(seen.length > 3, `${seen.length} requests came`)
    t.ok(
      seen.every(([, , status]) => status === 403),
      JSON.stringify(seen)
    )
    await page.context().close()
  }
  t.equal(invalidations(), 0)
})

t.test('nor a name that was made to point here, nor an origin that hides', async t => {
  const { app, invalidations } = await startOperators(t, { status: recordedStatus })
  const host = 'localhost:8081'
  const refused: Record<string, string>[] = [
    { host: 'rebound.example:8081' },
    { host: 'rebound.example:8081', origin: 'http://rebound.example:8081' },
    { host: 'rebound.example:8081', 'sec-fetch-site': 'same-origin' },
    { host: 'localhost.:8081' },
    { host, origin: 'null' },
    { host, origin: '' },
    { host, origin: 'http://localhost:8080' },
    { host, origin: 'http://localhost:8081.evil.example' },
    { host, origin: 'http://evil.example/localhost:8081' },
    { host, origin: 'http://localhost:8081@evil.example' },
    { host, 'sec-fetch-site': 'cross-site' },
    { host, 'sec-fetch-site': 'same-site' },
    { host, 'sec-fetch-site': 'Same-Origin, cross-site' },
    { host, 'sec-fetch-site': '' }
  ]
  for (const headers of refused) {
    const { statusCode } = await app.inject({ method: 'DELETE', url: '/cache', headers })
    t.equal(statusCode, 403, JSON.stringify(headers))
  }
  t.equal(invalidations(), 0)
  const admitted: Record<string, string>[] = [
    { host },
    { host, origin: 'http://localhost:8081' },
    { host, origin: 'http://localhost:8081', 'sec-fetch-site': 'same-origin' },
    // Behind something that speaks TLS and puts a Host of its own.
    { host, origin: 'https://desk.example', 'sec-fetch-site': 'same-origin' },
    { host: '[::1]:8081', origin: 'http://[::1]:8081' },
    { host: '10.0.0.7:8081', 'sec-fetch-site': 'none' }
  ]
  for (const headers of admitted) {
    const { statusCode } = await app.inject({ method: 'DELETE', url: '/cache', headers })
    t.equal(statusCode, 200, JSON.stringify(headers))
  }
  t.equal(invalidations(), admitted.length)
})
