/** The status page while its service goes away and comes back: it says so, and is right again. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { startBrowser, withoutBrowser } from '../support/browser.ts'
import { type Operators, startOperators } from '../support/operators.ts'
import type { Recorded } from '../support/recorded-status.ts'
import { isLive, shows, text, watch } from '../support/status-page.ts'

const skip = withoutBrowser
const browser = skip ? undefined : await startBrowser(t)

/** The listener again, where the page expects it. */
async function restart(t: Test, { app, url }: Operators, status: Recorded): Promise<Operators> {
  await app.close()
  return startOperators(t, { status: () => status, port: Number(new URL(url).port) })
}

t.test(
  'a restart of the service is said, survived, and not mixed with before',
  { skip },
  async t => {
    const watched = await watch(t, browser!)
    const { app, page, status, url } = watched
    await isLive(page)
    await app.close()
    await shows(page, '#live', /^Not live: these figures are of \d\d:\d\d:\d\d/)
    t.match(await page.title(), 'Not live')
    t.match(await text(page, '#headline'), '37 of 120', 'the last figures stay')
    status.budget.used = 3
    status.budget.maxInAnyWindow = 3
    await startOperators(t, { status: () => status, port: Number(new URL(url).port) })
    await isLive(page)
    await shows(
      page,
      '#headline',
      /^Open: 3 of 120 calls used in the last 60 s; most in any window 3$/
    )
    await shows(page, '#budget-readout', /^highest 3;/)
    t.notMatch(await page.title(), 'Not live')
  }
)

t.test('after an update of the service the page is of the new version too', { skip }, async t => {
  const watched = await watch(t, browser!)
  const { page, status } = watched
  await page.evaluate("document.body.setAttribute('data-before', 'true')")
  const service = { ...status.service, version: '0.2.0' }
  await restart(t, watched, { ...status, service })
  await shows(page, '#service', 'version 0.2.0')
  await page.locator('body:not([data-before])').waitFor()
  t.equal(await page.locator('#level').innerText(), 'All is well')
})

t.test('the page comes back after answers that a browser gives up at', { skip }, async t => {
  const { app, page, status, url } = await watch(t, browser!)
  await app.close()
  const port = Number(new URL(url).port)
  const other = createServer((_, response) => void response.writeHead(404).end())
  t.teardown(() => other.close())
  await once(other.listen(port, '127.0.0.1'), 'listening')
  await once(other, 'request')
  await page.waitForResponse(answer => answer.status() === 404)
  await shows(page, '#live', 'Not live')
  other.closeAllConnections()
  await once(other.close(), 'close')
  await startOperators(t, { status: () => status, port })
  await isLive(page)
  t.match(await text(page, '#headline'), '37 of 120')
})
