/** Text from outside stays text on the status page, whoever wrote it and whatever it says. */

import t from 'tap'
import { startBrowser, withoutBrowser } from '../support/browser.ts'
import { recordedStatus } from '../support/recorded-status.ts'
import { shows, text, watch } from '../support/status-page.ts'

const skip = withoutBrowser
const browser = skip ? undefined : await startBrowser(t)

const hostile = '<img src=x onerror="document.title=1"><script>alert(1)</script>&lt;b&gt;\u202e'

t.test('text from outside is text, wherever it appears', { skip }, async t => {
  const status = recordedStatus()
  status.service.instance = hostile
  status.budget.journalProblem = hostile
  status.teams = { [hostile]: status.teams.blue, constructor: status.teams.green }
  status.queue.byTeam = { [hostile]: 3 }
  status.queue.byClass = { [hostile]: 3 }
  status.upstream.byStatus = { [hostile]: 1 }
  status.upstream.recentErrors = [{ at: hostile, code: hostile, detail: hostile }]
  status.exports = [{ ...status.exports[0], id: hostile, team: hostile }]
  status.replicas = { mode: hostile, members: [hostile, { name: hostile, said: hostile }] }
  const { complaints, page } = await watch(t, browser!, status)
  const all = await text(page, 'body')
  const times = all.split('<script>alert(1)</script>&lt;b&gt;').length - 1
  t.ok(times >= 10, `${times} times as it was written`)
  t.equal(await page.locator('img, body script').count(), 0)
  t.match(await page.title(), 'helpcrunch-proxy')
  t.same(complaints, [])
})

t.test('an error of HelpCrunch that is markup is text too', { skip }, async t => {
  const { page, status } = await watch(t, browser!)
  const at = new Date().toISOString()
  const detail = '</span><iframe src="javascript:alert(1)"></iframe>'
  status.upstream.recentErrors = [{ at, code: 'upstream_error', detail }]
  await shows(page, '#errors', detail)
  t.equal(await page.locator('iframe').count(), 0)
})

t.test('even if the page made markup of text, the browser would refuse it', { skip }, async t => {
  const { complaints, page } = await watch(t, browser!)
  const attempts = [
    "document.body.innerHTML = '<b>x</b>'",
    "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
    "document.createElement('script').textContent = 'document.title = 1'"
  ]
  for (const attempt of attempts) {
    await t.rejects(page.evaluate(attempt), { message: /TrustedHTML|TrustedScript/ }, attempt)
  }
  t.ok(complaints.length > 0, 'and it is seen that it did')
})
