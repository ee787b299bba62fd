/** The status page in a browser, on a status that the test makes up and may change meanwhile. */

import type { Browser, Page } from 'playwright-core'
import type { Test } from 'tap'
import { visit } from './browser.ts'
import { type Operators, startOperators } from './operators.ts'
import { type Recorded, recordedStatus } from './recorded-status.ts'

export interface Watched extends Operators {
  readonly page: Page
  readonly complaints: string[]
  readonly status: Recorded
}

/** Resolves when the page is live. */
export async function watch(
  t: Test,
  browser: Browser,
  status: Recorded = recordedStatus()
): Promise<Watched> {
  const operators = await startOperators(t, { status: () => status })
  const { complaints, page } = await visit(browser, operators.url)
  t.teardown(() => page.context().close())
  await isLive(page)
  return { ...operators, complaints, page, status }
}

export function text(page: Page, selector: string): Promise<string> {
  return page.locator(selector).innerText()
}

/** Resolves when the page shows it; a text in any case and with more around it. */
export async function shows(page: Page, selector: string, wanted: string | RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: wanted }).first().waitFor()
}

export function isLive(page: Page): Promise<void> {
  return shows(page, '#live', /^Live$/)
}
