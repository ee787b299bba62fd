/** Which of its two text formats a scraper of metrics likes better. */

import { Negotiator } from 'negotiator'

const openMetrics = 'application/openmetrics-text'

/** Prometheus asks for OpenMetrics first; who says nothing in particular gets the older format. */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  // There is but one version of each here, and of other parameters nothing is known.
  const types = (accept ?? '*/*').replace(/;\s*(?!q\s*=)[^;,]*/gi, '')
  const [best] = new Negotiator({ headers: { accept: types } }).mediaTypes([
    'text/plain',
    openMetrics
  ])
  return best === openMetrics
}
