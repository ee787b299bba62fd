/**
 * The environment's structured texts: base URL, team tokens, CORS origins. Each parser returns
 * its value and its problems, so that `config.ts` can report everything at once. Problems never
 * contain a token.
 */

export interface Team {
  readonly name: string
  /** Share of the budget when several teams wait, relative to the others'. */
  readonly weight: number
  readonly tokens: readonly string[]
}

export interface Parsed<Value> {
  readonly value: Value
  readonly problems: readonly string[]
}

const teamName = /^[a-z0-9_-]{1,32}$/
const tokenText = /^[A-Za-z0-9._~+/=-]{16,128}$/
const weightText = /^\d{1,6}(\.\d{1,6})?$/

const teamExample = 'example: TEAM_TOKENS=blue=a-long-random-token:2,green=another-long-token'

/** `team=token[:weight]`, comma-separated; the tokens of one team add up under its name. */
export function parseTeamTokens(text: string): Parsed<readonly Team[]> {
  const teams = new Map<string, { weight: number | undefined; tokens: string[] }>()
  const owners = new Map<string, string>()
  const problems: string[] = []
  if (text === '') return { value: [], problems }

  for (const [index, item] of text.split(',').entries()) {
    const problem = (what: string) =>
      problems.push(`TEAM_TOKENS: entry ${index + 1} ${what}; ${teamExample}`)
    const entry = parseEntry(item.trim(), problem)
    if (!entry) continue
    const team = teams.get(entry.name) ?? { weight: undefined, tokens: [] }
    if (owners.has(entry.token)) problem('repeats the token of an earlier entry')
    if (entry.weight !== undefined && team.weight !== undefined && entry.weight !== team.weight) {
      problem(`gives team ${entry.name} a second, different weight`)
    }
    owners.set(entry.token, entry.name)
    teams.set(entry.name, {
      weight: entry.weight ?? team.weight,
      tokens: [...team.tokens, entry.token]
    })
  }
  const value = [...teams].map(([name, { weight = 1, tokens }]) => ({ name, weight, tokens }))
  return { value, problems }
}

/** Its problems do not even name the team: where a name was forgotten, that is part of a token. */
function parseEntry(item: string, problem: (what: string) => void) {
  const equals = item.indexOf('=')
  const name = item.slice(0, Math.max(equals, 0))
  const [token = '', weight, ...rest] = item.slice(equals + 1).split(':')
  if (equals < 0 || !teamName.test(name)) {
    return void problem('needs a team name of 1-32 characters a-z, 0-9, _ or -, then =')
  }
  if (!tokenText.test(token)) {
    return void problem('needs a token of 16-128 characters A-Z a-z 0-9 . _ ~ + / = -')
  }
  if (
    rest.length > 0 ||
    (weight !== undefined && !(weightText.test(weight) && Number(weight) > 0))
  ) {
    return void problem('needs a weight above 0 after the token, or none')
  }
  return { name, token, weight: weight === undefined ? undefined : Number(weight) }
}

/** http or https, no credentials, query or fragment; a trailing slash is dropped. */
export function parseBaseUrl(text: string): Parsed<URL> {
  const refuse = (what: string) => ({
    value: new URL('http://127.0.0.1'),
    problems: [
      `HELPCRUNCH_BASE_URL: ${what}; example: HELPCRUNCH_BASE_URL=https://api.helpcrunch.com/v1`
    ]
  })
  const url = URL.parse(text)
  if (!url) return refuse('must be an absolute URL')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refuse('must be http or https')
  if (url.username || url.password) return refuse('must not contain credentials')
  if (url.search || url.hash) return refuse('must not contain a query or a fragment')
  url.pathname = url.pathname.replace(/\/+$/, '')
  return { value: url, problems: [] }
}

/** Origins as browsers send them: scheme, host and port, nothing after, and no wildcards. */
export function parseOrigins(text: string): Parsed<readonly string[]> {
  const value = listOf(text)
  const problems = value
    .filter(origin => URL.parse(origin)?.origin !== origin || !/^https?:[^*]+$/.test(origin))
    .map(
      origin =>
        `CORS_ORIGINS: ${JSON.stringify(origin.slice(0, 80))} is not an origin (scheme://host[:port], ` +
        'nothing after it); example: CORS_ORIGINS=https://desk.example.com'
    )
  return { value, problems }
}

/** The items of a comma-separated text, trimmed, without empty ones. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
