/**
 * The status page for everybody who has to use it: with a keyboard, a screen reader, a phone, in the
 * dark. axe-core finds what a machine can find.
 */

import axe from 'axe-core'
import type { BrowserContextOptions, Page } from 'playwright-core'
import t from 'tap'
import { startBrowser, visit, withoutBrowser } from '../support/browser.ts'
import { startOperators } from '../support/operators.ts'
import { type Recorded, recordedStatus } from '../support/recorded-status.ts'
import { untilTrue } from '../support/redis.ts'
import { isLive, shows, text, watch } from '../support/status-page.ts'

const skip = withoutBrowser
const browser = skip ? undefined : await startBrowser(t)

/** What axe finds, in the words that say what to do. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()')
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]?.html}`)
}

function inTrouble(): Recorded {
  const status = recordedStatus()
  const pausedUntil = new Date(Date.now() + 60_000).toISOString()
  Object.assign(status.budget, { mode: 'paused', pausedUntil, workingLimit: 88, used: 112 })
  return status
}

const phone = { width: 390, height: 844 }
/** Both signs in both schemes, on every width. */
const views: [name: string, status: Recorded, options: BrowserContextOptions][] = [
  ['at a desk', recordedStatus(), { colorScheme: 'light' }],
  ['at a desk, in the dark', inTrouble(), { colorScheme: 'dark' }],
  ['on a phone', inTrouble(), { colorScheme: 'light', viewport: phone }],
  ['on a phone, in the dark', recordedStatus(), { colorScheme: 'dark', viewport: phone }],
  ['on a small phone', recordedStatus(), { viewport: { width: 320, height: 568 } }]
]

t.test('axe finds nothing, and nothing is wider than the window', { skip }, async t => {
  for (const [name, status, options] of views) {
    const { url } = await startOperators(t, { status: () => status })
    const { page } = await visit(browser!, url, options)
    await isLive(page)
    t.same(await findings(page), [], name)
    const beside = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
    t.equal(await page.evaluate(beside), 0, `${name}: nothing beside the window`)
    await page.context().close()
  }
})

t.test(
  'axe finds nothing while a question is asked, nor when it is not live',
  { skip },
  async t => {
    const { app, page } = await watch(t, browser!)
    await page.locator('#invalidate').click()
    t.same(await findings(page), [], 'question')
    await page.keyboard.press('Escape')
    await app.close()
    await shows(page, '#live', 'Not live')
    t.same(await findings(page), [], 'not live')
  }
)

t.test('colours follow the system while the page is open', { skip }, async t => {
  const { page } = await watch(t, browser!)
  const panel = 'getComputedStyle(document.querySelector(".panel")).backgroundColor'
  const canvas = 'document.querySelector("#budget-plot canvas").toDataURL()'
  await page.emulateMedia({ colorScheme: 'light' })
  const [lightPanel, lightPlot] = [await page.evaluate(panel), await page.evaluate(canvas)]
  await page.emulateMedia({ colorScheme: 'dark' })
  t.not(await page.evaluate(panel), lightPanel)
  // It is drawn a moment later.
  await untilTrue(async () => (await page.evaluate(canvas)) !== lightPlot)
})

t.test(
  'the keyboard is enough to make everything stale, and to think better of it',
  { skip },
  async t => {
    const { invalidations, page } = await watch(t, browser!)
    const focused = () => page.evaluate<string>('document.activeElement.id')
    const tabTo = async (id: string) => {
      for (let presses = 0; presses < 10 && (await focused()) !== id; presses++) {
        await page.keyboard.press('Tab')
      }
      t.equal(await focused(), id)
    }
    await tabTo('invalidate')
    await page.keyboard.press('Enter')
    t.ok(await page.getByRole('dialog', { name: 'Make everything stored stale?' }).isVisible())
    t.equal(await focused(), 'confirm-no', 'doing nothing is nearest')
    await page.keyboard.press('Enter')
    t.equal(await focused(), 'invalidate', 'back where it was')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Escape')
    t.equal(await page.getByRole('dialog').count(), 0)
    t.equal(invalidations(), 0)
    await page.keyboard.press('Enter')
    await tabTo('confirm-yes')
    await page.keyboard.press('Enter')
    await shows(page, '#invalidated', /^All of it was made stale at \d\d:\d\d:\d\d\.$/)
    t.equal(invalidations(), 1)
  }
)

t.test('who cannot see is told when the state changes, and not every second', { skip }, async t => {
  const { page, status } = await watch(t, browser!)
  await page.evaluate(`
    window.told = []
    new MutationObserver(() => told.push(document.querySelector('#announcer').textContent))
      .observe(document.querySelector('#announcer'), { childList: true, characterData: true, subtree: true })
  `)
  for (const used of [41, 42, 43]) {
    status.budget.used = used
    await shows(page, '#headline', `${used} of`)
  }
  status.budget.mode = 'key-refused'
  await shows(page, '#headline', 'Key refused')
  t.same(await page.evaluate('told'), ['Trouble. Key refused.'])
  t.equal(await text(page, '#level'), 'Trouble')
})
