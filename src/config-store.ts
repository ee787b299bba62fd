/**
 * `REDIS_URL`: where the store is that replicas share. One server, `redis://` or `rediss://` (TLS):
 *
 *   redis://[user:password@]host[:port][/database]
 *
 * or the Sentinels that know which server is the master now, `redis+sentinel://` or
 * `rediss+sentinel://` (TLS to all of them):
 *
 *   redis+sentinel://[user:password@]host[:port][,host[:port]…]/name[/database]
 *     [?sentinelUsername=…&sentinelPassword=…]
 *
 * What is no letter or digit in a user or a password is percent-encoded. Problems never repeat
 * any of it.
 */

import type { Parsed } from './config-values.ts'

export interface StoreAddress {
  /** The server, or the Sentinels. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  /** What Sentinel calls the master; undefined if the host is the server itself. */
  readonly masterName: string | undefined
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly sentinelUsername: string | undefined
  readonly sentinelPassword: string | undefined
  readonly database: number
}

const shape =
  /^(?<tls>rediss?)(?<sentinel>\+sentinel)?:\/\/(?:(?<login>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/i

const examples =
  'example: REDIS_URL=redis://user:password@redis.internal:6379/0 or ' +
  'redis+sentinel://user:password@sentinel-1:26379,sentinel-2:26379/mymaster'

export function parseStoreUrl(text: string): Parsed<StoreAddress | undefined> {
  if (text === '') return { value: undefined, problems: [] }
  const problems: string[] = []
  const problem = (what: string) => problems.push(`REDIS_URL: ${what}; ${examples}`)
  const parts = shape.exec(text)?.groups
  if (!parts) {
    problem('must be redis:// or rediss://, or either with +sentinel, with what it needs behind')
    return { value: undefined, problems }
  }
  const isSentinel = parts.sentinel !== undefined
  const value = {
    ...parseLogin(parts.login, problem),
    ...parsePath(parts.path ?? '', isSentinel, problem),
    ...parseQuery(parts.query ?? '', isSentinel, problem),
    hosts: parseHosts(parts.hosts ?? '', isSentinel, problem),
    tls: parts.tls?.toLowerCase() === 'rediss'
  }
  return { value, problems }
}

type Report = (what: string) => void

function parseHosts(text: string, isSentinel: boolean, problem: Report) {
  const items = text.split(',')
  if (!isSentinel && items.length > 1) {
    problem('names several hosts, which only +sentinel can')
  }
  return items.map(item => {
    // A scheme that URL knows nothing of: it would drop the port that is its default.
    const url = URL.parse(`store://${item}`)
    if (!url?.hostname || url.port === '0') problem('has a host that is none')
    return {
      host: (url?.hostname ?? '').replace(/^\[|\]$/g, ''),
      port: Number(url?.port || (isSentinel ? 26_379 : 6379))
    }
  })
}

function parseLogin(login: string | undefined, problem: Report) {
  if (login === undefined || login === '') return { username: undefined, password: undefined }
  const colon = login.indexOf(':')
  if (colon < 0) problem('has a user without a password: write user:password@ or :password@')
  const username = decoded(login.slice(0, Math.max(colon, 0)), problem) || undefined
  return { username, password: decoded(login.slice(colon + 1), problem) || undefined }
}

function parsePath(path: string, isSentinel: boolean, problem: Report) {
  const parts = path.split('/').slice(1)
  const masterName = isSentinel ? decoded(parts.shift() ?? '', problem) : undefined
  if (masterName === '') problem('must end in the name that Sentinel has for the master')
  const [database = '', ...rest] = parts
  if (!/^\d{0,5}$/.test(database) || rest.length > 0) {
    problem('has a path that is not the number of a database')
  }
  return { masterName, database: Number(database) || 0 }
}

function parseQuery(query: string, isSentinel: boolean, problem: Report) {
  const parameters = new URLSearchParams(query)
  const sentinelUsername = parameters.get('sentinelUsername') || undefined
  const sentinelPassword = parameters.get('sentinelPassword') || undefined
  const known = isSentinel ? ['sentinelUsername', 'sentinelPassword'] : []
  if ([...parameters.keys()].some(name => !known.includes(name))) {
    problem(`has a query that it cannot have (${known.join(', ') || 'none'})`)
  }
  return { sentinelUsername, sentinelPassword }
}

function decoded(text: string, problem: Report): string {
  try {
    return decodeURIComponent(text)
  } catch {
    problem('has a % that is not followed by two digits: write %25')
    return ''
  }
}
