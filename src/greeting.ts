/**
 * What somebody who starts the service by hand sees first: where it is, for whom, and what it may
 * spend, in a block of 80 columns. No secret is in it, tokens included.
 */

import about from '../package.json' with { type: 'json' }
import type { Config } from './config.ts'
import type { StoreAddress } from './config-store.ts'

export interface Addresses {
  readonly callers: string
  /** None if that listener is turned off. */
  readonly operators: string | undefined
}

const columns = 80
const indent = ' '.repeat(13)

export function greeting(config: Config, { callers, operators }: Addresses): string {
  const rows: readonly (readonly [string, string])[] = [
    ['Callers', `${callers}${everywhere(config.HOST)}, docs at ${callers}/docs`],
    [
      'Operators',
      operators ? `${operators}${everywhere(config.ADMIN_HOST)}` : 'off (ADMIN_PORT=0)'
    ],
    ['Teams', teamsOf(config)],
    ['Upstream', config.HELPCRUNCH_BASE_URL.href],
    ['Budget', `${config.UPSTREAM_LIMIT} calls in any ${time(config.UPSTREAM_WINDOW_SECONDS)}`],
    ['Cache', cacheOf(config)],
    ['Redis', config.REDIS_URL ? storeOf(config.REDIS_URL) : 'none: one instance, no replicas'],
    ['State', config.STATE_DIR]
  ]
  const lines = rows.map(([name, text]) => wrapped(`  ${name}`.padEnd(indent.length), text))
  const example = [`curl ${tokenOf(config)}\\`, `  '${callers}/chats?limit=3'`]
  const end = 'Ctrl-C ends it in order. A JSON line for each request follows.'
  return ['', `helpcrunch-proxy ${about.version}`, ...lines, '', ...example, '', end, '', ''].join(
    '\n'
  )
}

function everywhere(host: string): string {
  return host === '0.0.0.0' || host === '::' ? ' (on all addresses)' : ''
}

function teamsOf({ TEAM_TOKENS }: Config): string {
  if (TEAM_TOKENS.length === 0) return 'none: no token is asked for (TEAM_TOKENS)'
  const names = TEAM_TOKENS.map(({ name, weight }) =>
    weight === 1 ? name : `${name} (×${weight})`
  )
  const shown = names.slice(0, 12)
  const more = names.length - shown.length
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function cacheOf(config: Config): string {
  const fresh = time(config.CACHE_FRESH_SECONDS)
  const stale = time(config.CACHE_STALE_WHILE_REVALIDATE_SECONDS)
  const error = time(config.CACHE_STALE_IF_ERROR_SECONDS)
  const { CACHE_MAX_MB } = config
  return `${CACHE_MAX_MB} MB; fresh ${fresh}, stale ${stale} more, ${error} if HelpCrunch fails`
}

function time(seconds: number): string {
  return seconds >= 3600 && seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds} s`
}

function tokenOf({ TEAM_TOKENS }: Config): string {
  const [team] = TEAM_TOKENS
  return team ? `-H 'Authorization: Bearer <token of ${team.name}>' ` : ''
}

/** Where it is, without what opens it. */
function storeOf({ hosts, masterName, tls }: StoreAddress): string {
  const places = hosts.map(({ host, port }) => `${host}:${port}`).join(', ')
  const watched = masterName === undefined ? places : `${masterName} (Sentinels ${places})`
  return watched + (tls ? ', over TLS' : '')
}

/** Breaks between words, so that no line is longer than the columns unless one word is. */
function wrapped(head: string, text: string): string {
  const lines = [head]
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? ''
    const isStart = last === head || last === indent
    const fits = last.length + word.length + 1 <= columns
    if (isStart) lines[lines.length - 1] = last + word
    else if (fits) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(indent + word)
  }
  return lines.join('\n')
}
