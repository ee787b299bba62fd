/** What the status page shows, in a real browser, and that it moves. */

import t from 'tap'
import { startBrowser, visit, withoutBrowser } from '../support/browser.ts'
import { until } from '../support/children.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { startOperators } from '../support/operators.ts'
import { recordedStatus } from '../support/recorded-status.ts'
import { shows, text, watch } from '../support/status-page.ts'

const skip = withoutBrowser
const browser = skip ? undefined : await startBrowser(t)

t.test('what is seen first is whether all is well, in words', { skip }, async t => {
  const { complaints, page } = await watch(t, browser!)
  t.equal(await text(page, '#level'), 'All is well')
  const headline = 'Open: 37 of 120 calls used in the last 60 s; most in any window 112'
  t.equal(await text(page, '#headline'), headline)
  t.equal(await page.title(), '37/120 · helpcrunch-proxy')
  t.equal(await page.locator('main > section').first().getAttribute('id'), 'verdict')
  t.same(complaints, [])
})

t.test('every figure of the status is there', { skip }, async t => {
  const { page } = await watch(t, browser!)
  const all = (await text(page, 'body')).replace(/\s+/g, ' ')
  for (const wanted of [
    'desk-1 · version 0.1.0 · up 3 h 12 min',
    ...['used now 37 of 120 in 60 s', 'most in any window 112', 'in flight 2', 'allowance 120'],
    ...['waiting 7', 'oldest waits 1.3 s', 'interactive 1', 'refresh 2', 'bulk 4', 'reporting 3'],
    ...['answered without a call 93 %', 'stored 46 MB of 128 MB', 'evicted 12'],
    ...['Miss: a call was made – 1,630', 'Collapsed: shared a call – 822', 'Fresh – 18,200'],
    ...[
      'half within 182 ms',
      '99 % within 911 ms',
      'calls since start 1,702',
      '502 5',
      'timeout 2'
    ],
    ...['upstream_timeout HelpCrunch did not answer within 10 s.', 'HelpCrunch answered 502.'],
    ...['blue 9,120 611 8,302 93 % 4 4', 'All teams 23,062 1,702 21,104 93 % 35 7'],
    ...[
      'reporting 19 min left 31,400 of 88,210 chats · 36 %',
      'this one · holds 31 calls · 60 if cut off'
    ]
  ]) {
    t.ok(all.includes(wanted), wanted)
  }
})

t.test('gauge, export bars and figures move with each snapshot', { skip }, async t => {
  const { page, status } = await watch(t, browser!)
  const width = () => page.locator('#gauge-used').evaluate(bar => bar.style.width)
  const progress = page.locator('#exports progress').first()
  t.equal(await width(), '30.83%')
  t.equal(await progress.getAttribute('value'), '31400')
  status.budget.used = 90
  status.exports = [{ ...status.exports[0], done: 60_000 }]
  await shows(page, '#headline', '90 of 120')
  t.equal(await width(), '75%')
  t.equal(await progress.getAttribute('value'), '60000')
  t.equal(await page.locator('#exports li').count(), 1)
  const meter = page.getByRole('meter', { name: 'Calls used in the window' })
  t.equal(await meter.getAttribute('value'), '90')
})

t.test('all plots move, and say in words what they show', { skip }, async t => {
  const clock = new FakeClock()
  const status = recordedStatus()
  const { url } = await startOperators(t, { status: () => status, clock })
  const { page } = await visit(browser!, url)
  await shows(page, '#headline', '37 of')
  // In the browser's words, whose types the tests do not have.
  const drawn = "Array.from(document.querySelectorAll('.plot canvas'), one => one.toDataURL())"
  const before = await page.evaluate<string[]>(drawn)
  t.equal(before.length, 4)
  Object.assign(status.budget, { used: 111 })
  Object.assign(status.queue, { length: 42 })
  Object.assign(status.upstream, { latencyP50: 1.5, latencyP99: 6 })
  status.cache.hits += 90
  status.cache.misses += 10
  await clock.advance(10_000)
  await shows(page, '#budget-readout', 'highest 111')
  await shows(page, '#queue-readout', 'highest 42')
  await shows(page, '#latency-readout', 'highest 6 s')
  await shows(page, '#cache-readout', 'fresh 90 %, stale 0 %, collapsed 0 %, miss 10 %')
  const label = await page.locator('#budget-plot').getAttribute('aria-label')
  t.match(label, /^Calls used in the window, last 30 minutes: highest 111/)
  await until(async () => {
    const after = await page.evaluate<string[]>(drawn)
    return after.every((picture, index) => picture !== before[index])
  })
  t.pass('every canvas was drawn anew')
})

t.test('what holds sending up, and whoever takes the key, is said at once', { skip }, async t => {
  const { page, status } = await watch(t, browser!)
  const pausedUntil = new Date(Date.now() + 3_600_000).toISOString()
  Object.assign(status.budget, { mode: 'paused', pausedUntil, workingLimit: 96 })
  await shows(page, '#headline', /^Paused until \d\d:\d\d:\d\d/)
  t.equal(await text(page, '#level'), 'Trouble')
  t.match(await text(page, '#remarks'), 'Somebody else spends from this key: 96 of 120')
  t.equal(await page.locator('#gauge-taken').evaluate(bar => bar.style.width), '20%')
  t.match(await page.title(), /^✕/)
  t.match(await page.getByRole('status').first().innerText(), 'Trouble. Paused.')
  Object.assign(status.budget, { mode: 'open', pausedUntil: null, workingLimit: 120 })
  await shows(page, '#level', 'All is well')
})

t.test('a service that leaves members out is shown as far as it goes', { skip }, async t => {
  const { budget, queue } = recordedStatus()
  const { complaints, page } = await watch(t, browser!, { budget, queue, exports: [] })
  t.equal(await text(page, '#level'), 'All is well')
  t.equal(await text(page, '#p99'), '–')
  t.equal(await text(page, '#no-teams'), 'No team has asked for anything yet.')
  t.same(complaints, [])
})
