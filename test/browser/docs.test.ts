/**
 * The docs page in a real browser: it draws itself without a complaint and without leaving this
 * server, a token typed in is enough to try every route, and the `type` of a problem leads to what
 * helps against it.
 */

import type { Page } from 'playwright-core'
import t from 'tap'
import { startBrowser, visit, withoutBrowser } from '../support/browser.ts'
import { startStack, tokens } from '../support/stack.ts'

/** Most clicks as events: a busy machine draws too slowly to wait until everything stands still. */
async function authorize(page: Page, token: string): Promise<void> {
  await page.getByRole('button', { name: 'Authorize', exact: true }).dispatchEvent('click')
  const dialog = page.locator('.dialog-ux')
  await dialog.getByRole('textbox').fill(token)
  await dialog.getByRole('button', { name: /Apply|^Authorize$/ }).dispatchEvent('click')
  await dialog.getByRole('button', { name: 'Close' }).last().dispatchEvent('click')
}

/** Opens a route, presses Execute, and returns what the page shows once that status is there. */
async function execute(page: Page, operationId: string, status: number): Promise<string> {
  const block = page.locator(`[id$="-${operationId}"]`)
  if (!(await block.locator('.opblock-body').count())) {
    await block.locator('.opblock-summary-control').first().dispatchEvent('click')
  }
  await block.getByRole('button', { name: 'Execute' }).click()
  const answer = block.locator('.live-responses-table')
  await answer.locator('.response-col_status', { hasText: String(status) }).waitFor()
  return await answer.innerText()
}

t.test('the docs page', { skip: withoutBrowser }, async t => {
  const env = { WEBHOOK_SIGNING_KEY: 'any' }
  const stack = await startStack(t, { env, upstream: { chats: 7 } })
  const browser = await startBrowser(t)
  const { complaints, page } = await visit(browser, 'about:blank')
  page.setDefaultTimeout(20_000)
  const asked: string[] = []
  page.on('request', request => asked.push(request.url()))
  await page.goto(`${stack.url}/docs`)
  await page.locator('.opblock').first().waitFor()

  await t.test('draws itself without a complaint, from this server alone', async t => {
    t.same(complaints, [])
    const elsewhere = asked.filter(url => !url.startsWith(`${stack.url}/`) && !/^data:/.test(url))
    t.same(elsewhere, [])
    t.equal(await page.locator('.opblock').count(), 9, 'all routes')
    t.equal(await page.title(), 'helpcrunch-proxy')
  })

  await t.test('is refused in words without a token, and answered with one typed in', async t => {
    t.match(await execute(page, 'listChats', 401), 'Send the token of your team')
    await authorize(page, tokens.blue)
    const listed = await execute(page, 'listChats', 200)
    t.match(listed, /"total": 7/)
    t.match(listed, /cache-status: helpcrunch-proxy;/, 'with its headers')
    t.match(await execute(page, 'searchChats', 200), /"data": \[/)
    t.match(await execute(page, 'exportChats', 200), 'Download file')
    t.match(await execute(page, 'getDirectory', 200), '"docs": "/docs"')
    // Chromium says of every 401 that a resource failed to load.
    t.same(
      complaints.filter(text => !/status of 401/.test(text)),
      []
    )
  })

  await t.test('shows where the type of a problem leads to', async t => {
    for (const code of ['budget_exhausted', 'unauthenticated']) {
      await page.goto('about:blank')
      await page.goto(`${stack.url}/v1/docs#${code}`)
      const row = page.locator('tr', { has: page.locator(`#${code}`) })
      await row.waitFor()
      await page.waitForFunction(`(() => {
        const { top, bottom } = document.getElementById('${code}').getBoundingClientRect()
        return top >= 0 && bottom <= innerHeight
      })()`)
      t.match(await row.innerText(), /token of your team|Retry-After/, code)
    }
  })
})
