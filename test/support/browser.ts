/**
 * A real browser, Debian's chromium, for what only a browser can tell. Machines of developers may
 * have none: then the tests that want one are passed over with one line that says so. CI has one.
 */

import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** What keeps a test from having a browser, for tap's `skip`; false if nothing does. */
export const withoutBrowser =
  process.env.CI === undefined && !places.some(place => existsSync(place))
    ? 'no chromium here: apt-get install chromium'
    : false

export async function startBrowser(t: Test): Promise<Browser> {
  const executablePath = places.find(place => existsSync(place))
  if (executablePath === undefined) throw new Error(`There is none of ${places.join(', ')}`)
  // Containers have neither a sandbox nor much shared memory.
  const args = ['--no-sandbox', '--disable-dev-shm-usage']
  const browser = await chromium.launch({ executablePath, args })
  t.teardown(() => browser.close())
  return browser
}

export interface Visit {
  readonly page: Page
  /** Whatever the page or the browser complained about so far, refused content included. */
  readonly complaints: string[]
}

/** A window of its own, without anything remembered. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {}
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto(url)
  return { page, complaints }
}
