/** The status page of the real service, in front of the simulator, while it has much to do. */

import t, { type Test } from 'tap'
import { startBrowser, visit, withoutBrowser } from '../support/browser.ts'
import { until } from '../support/children.ts'
import { startStack, tokens } from '../support/stack.ts'
import { isLive, shows, text } from '../support/status-page.ts'

const skip = withoutBrowser
const browser = skip ? undefined : await startBrowser(t)

interface Budget {
  readonly used: number
  readonly maxInAnyWindow: number
}

t.test('under load the page has the figures of /status within one update', { skip }, async t => {
  const env = { UPSTREAM_LIMIT: '100', UPSTREAM_WINDOW_SECONDS: '600' }
  const { get, service } = await startStack(t, { env, upstream: { chats: 9_000, latencyMs: 5 } })
  const url = await service.admin.listen({ host: '127.0.0.1', port: 0 })
  const status = async () =>
    (await (await fetch(`${url}/status`)).json()) as { budget: Budget; queue: { length: number } }
  const { complaints, page } = await visit(browser!, url)
  await isLive(page)
  const green = { headers: { authorization: `Bearer ${tokens.green}` } }
  let offset = 0
  // No slot comes free while this runs, so the figures only grow: what the page shows lies between
  // what was there before its update and what is there after it.
  for (let round = 0; round < 4; round++) {
    const asked = Array.from({ length: 20 }, (_, index) => {
      offset += 100
      return get(`/chats?offset=${offset}&limit=100`, index % 2 === 0 ? green : {})
    })
    await asked[0]
    const before = (await status()).budget
    await until(async () => Number(await text(page, '#used')) >= before.used)
    const used = Number(await text(page, '#used'))
    const most = Number(await text(page, '#most'))
    const after = (await status()).budget
    t.ok(before.used <= used && used <= after.used, `${before.used} ≤ ${used} ≤ ${after.used}`)
    t.ok(before.maxInAnyWindow <= most && most <= after.maxInAnyWindow)
    await Promise.all(asked)
  }
  const { budget } = await status()
  await shows(page, '#headline', `${budget.used} of 100 calls used in the last 600 s`)
  await shows(page, '#headline', `most in any window ${budget.maxInAnyWindow}`)
  t.equal(budget.used, 80)
  t.equal(await page.locator('#gauge-used').evaluate(bar => bar.style.width), '80%')
  t.same(complaints, [])
})

t.test('who waits in line, and for how long, is seen while they wait', { skip }, async t => {
  const env = {
    UPSTREAM_LIMIT: '5',
    UPSTREAM_WINDOW_SECONDS: '600',
    QUEUE_MAX_WAIT_SECONDS: '900'
  }
  const { get, service } = await startStack(t, { env })
  const url = await service.admin.listen({ host: '127.0.0.1', port: 0 })
  const { page } = await visit(browser!, url)
  await isLive(page)
  const { abort, signal } = leaving(t)
  for (const id of [1, 2, 3, 4, 5, 6, 7]) get(`/chats/${id}/messages`, { signal }).catch(() => {})
  await shows(page, '#waiting', /^[1-9]$/)
  await shows(page, '#by-team', /blue\s*[1-9]/)
  await shows(page, '#by-class', /interactive\s*[1-9]/)
  await shows(page, '#remarks', /wait/)
  await shows(page, '#oldest', /s$/)
  abort()
  await shows(page, '#waiting', /^0$/)
  t.equal(await text(page, '#oldest'), '–')
})

t.test('an export is seen to advance, and gone when its reader is', { skip }, async t => {
  const { get, service } = await startStack(t, {
    env: { UPSTREAM_CONCURRENCY: '1', UPSTREAM_LIMIT: '1000' },
    upstream: { chats: 50_000, latencyMs: 200, limit: 1_000 }
  })
  const url = await service.admin.listen({ host: '127.0.0.1', port: 0 })
  const { page } = await visit(browser!, url)
  await isLive(page)
  const { abort, signal } = leaving(t)
  const whole = get('/chats/export?format=ndjson', { signal }).then(answer => answer.text())
  whole.catch(() => {})
  const progress = page.locator('#exports progress')
  await progress.waitFor()
  t.equal(await progress.getAttribute('max'), '50000')
  const done = async () => Number(await progress.getAttribute('value'))
  const first = await done()
  await until(async () => (await done()) > first)
  abort()
  await shows(page, '#no-exports', 'None is running.')
  await t.rejects(whole)
  t.equal(await page.locator('#exports li').count(), 0)
})

/** A signal for callers who leave, at the latest when the test does. */
function leaving(t: Test) {
  const controller = new AbortController()
  t.teardown(() => controller.abort())
  return { signal: controller.signal, abort: () => controller.abort() }
}
