/**
 * What the docs page says before its routes, in Markdown: what is the same everywhere, and every
 * error with what helps.
 */

import { errorTable } from './error-examples.ts'

export const introduction = `A caching proxy that keeps one HelpCrunch API key, and its 120 calls a minute, for many callers.

\`curl -H 'Authorization: Bearer <token of your team>' '<this server>/chats?limit=3'\`

Every route also answers under \`/v1\`, so a HelpCrunch client moves over by changing its base URL and its token. A trailing slash is accepted. \`HEAD\` is answered wherever \`GET\` is.

**Freshness.** \`Cache-Status\` says where an answer came from and \`Age\` how old it is; \`max-age\` minus \`Age\` is what remains of its freshness, a negative \`ttl\` is a stale answer. Its \`detail\` is the code of the error that a stale answer stands in for, \`shared\` if another replica had fetched it, or \`seam\` if two pages of it were found to be of moments between which the list changed: a chat may then stand there twice, or be missing. A request's own \`Cache-Control\` (\`no-cache\`, \`max-age\`, \`min-fresh\`, \`max-stale\`, \`only-if-cached\`) and \`If-None-Match\` are honoured; \`Prefer: wait=<seconds>\` shortens the time it may wait for a call.

**Browsers.** Pages of the origins in \`CORS_ORIGINS\`, and of no others, may read all answers, errors included: these have \`Access-Control-Allow-Origin\` and \`Access-Control-Expose-Headers\`, which names all of our headers, and everything has \`Vary: Origin\`. A preflight needs no token and may be kept for two hours (\`Access-Control-Max-Age\`). Credentials of browsers are not used: the page sends the token.

**Every answer** has \`X-Request-Id\`, to be named when something has to be looked up in the log, and \`X-Content-Type-Options: nosniff\`. Errors have \`Cache-Control: no-store\`.

**Errors** are problem details (RFC 9457) that HelpCrunch clients can read as well, because \`errors[]\` is there, specific entries first. Under \`/v1\`, where clients live that know only 429, \`budget_exhausted\` and \`upstream_rate_limited\` have status 429 instead of 503.

${errorTable()}
`

/** In the page: a problem's `type` leads to its row, which is there only once the page is drawn. */
export const anchorScript = `'use strict'
const wanted = () => document.getElementById(location.hash.slice(1))
const show = () => wanted()?.scrollIntoView({ block: 'center' })
addEventListener('hashchange', show)
new MutationObserver((_, observer) => {
  if (!wanted()) return
  observer.disconnect()
  show()
}).observe(document, { childList: true, subtree: true })
`
