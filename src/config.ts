/**
 * The environment, read once and validated as a whole. Every variable is one row of `variables`:
 * a TypeBox schema with its default, its meaning and an example. The README's table and
 * `.env.example` are compared with these rows by a test. Only this file reads `process.env`.
 *
 * A problem names the variable, what is wrong and an example; it never repeats a secret's value.
 */

import { readFileSync } from 'node:fs'
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import {
  isLoopback,
  listOf,
  parseBaseUrl,
  parseOrigins,
  parseTeamTokens,
  type Team
} from './config-values.ts'

const seconds = (fallback: number, description: string, example: number, minimum = 0) =>
  Type.Number({ minimum, maximum: 31_536_000, default: fallback, description, example })

const integer = (
  range: { minimum: number; maximum: number; default: number },
  description: string,
  example: number
) => Type.Integer({ ...range, description, example })

const secret = (description: string, example: string, options: object = {}) =>
  Type.String({ ...options, description, example, secret: true })

/** Every variable the service understands, in the order the README shows them. */
export const variables = {
  HELPCRUNCH_API_KEY: secret(
    'the upstream key; never leaves the process except to the upstream',
    'your-helpcrunch-api-key',
    // What may stand in an Authorization header after the scheme.
    { required: true, pattern: '^[\\x21-\\x7e]{1,4096}$' }
  ),
  HELPCRUNCH_BASE_URL: Type.String({
    default: 'https://api.helpcrunch.com/v1',
    description: 'the upstream',
    example: 'https://api.helpcrunch.com/v1'
  }),
  UPSTREAM_LIMIT: integer(
    { minimum: 1, maximum: 100_000, default: 120 },
    "the upstream's allowance: calls in any window",
    120
  ),
  UPSTREAM_WINDOW_SECONDS: seconds(60, 'the window of that allowance', 60, 0.01),
  UPSTREAM_TIMEOUT_SECONDS: seconds(10, 'one attempt, from send to last byte', 10, 0.01),
  UPSTREAM_CONCURRENCY: integer(
    { minimum: 1, maximum: 1000, default: 8 },
    'calls in flight at once',
    8
  ),
  UPSTREAM_MAX_BODY_MB: Type.Number({
    minimum: 0.001,
    maximum: 1024,
    default: 16,
    description: 'a larger answer is refused',
    example: 16
  }),
  HOST: Type.String({
    default: '127.0.0.1',
    description: "the callers' listener: address",
    example: '127.0.0.1',
    pattern: '^[A-Za-z0-9.:_-]+$'
  }),
  PORT: integer(
    { minimum: 0, maximum: 65_535, default: 8080 },
    "the callers' listener: port",
    8080
  ),
  ADMIN_HOST: Type.String({
    default: '127.0.0.1',
    description: "the operators' listener: address",
    example: '127.0.0.1',
    pattern: '^[A-Za-z0-9.:_-]+$'
  }),
  ADMIN_PORT: integer(
    { minimum: 0, maximum: 65_535, default: 8081 },
    "the operators' listener: port; 0 turns it off",
    8081
  ),
  ADMIN_ALLOWED_HOSTS: Type.String({
    default: '',
    description: 'names admitted as `Host` there besides localhost and IP literals',
    example: 'proxy.internal.example.com'
  }),
  ADMIN_TOKEN: secret(
    'if set, asked of everything there (Bearer, or the password of Basic)',
    'a-long-random-token',
    { pattern: '^[\\x21-\\x7e]{1,4096}$' }
  ),
  TEAM_TOKENS: secret(
    '`team=token[:weight]`, comma-separated; a team may have several tokens',
    'blue=a-long-random-token:2,green=another-long-token'
  ),
  ALLOW_ANONYMOUS: Type.Boolean({
    default: false,
    description: 'without `TEAM_TOKENS`, start on a `HOST` that others can reach',
    example: false
  }),
  TEAM_RATE_LIMIT: integer(
    { minimum: 0, maximum: 1_000_000_000, default: 6000 },
    'requests per minute and team, hits included; 0 turns it off',
    6000
  ),
  CORS_ORIGINS: Type.String({
    default: '',
    description: 'comma-separated origins whose pages may read answers',
    example: 'https://desk.example.com'
  }),
  CACHE_FRESH_SECONDS: seconds(30, 'freshness lifetime of a stored page', 30),
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: seconds(
    60,
    'after that, how long a page may be served while it is refreshed behind',
    60
  ),
  CACHE_STALE_IF_ERROR_SECONDS: seconds(
    86_400,
    'after freshness, how long a page may be served if no newer one can be had',
    86_400
  ),
  CACHE_MAX_MB: Type.Number({
    minimum: 0.1,
    maximum: 65_536,
    default: 128,
    description: 'bytes of cached data held in memory',
    example: 128
  }),
  QUEUE_MAX_WAIT_SECONDS: seconds(8, 'the latest a call may be sent after its request arrived', 8),
  QUEUE_MAX_LENGTH: integer(
    { minimum: 0, maximum: 100_000, default: 1000 },
    'waiting calls, all teams together',
    1000
  ),
  MAX_LIMIT: integer(
    { minimum: 1, maximum: 10_000, default: 1000 },
    'largest `limit` a caller may ask for',
    1000
  ),
  STATE_DIR: Type.String({
    default: '.state',
    description: 'where an instance keeps its send journal; must outlive the process',
    example: '/var/lib/helpcrunch-proxy'
  }),
  WEBHOOK_SIGNING_KEY: secret('turns the webhook route on', 'the-key-you-gave-helpcrunch', {
    // Empty is a mistake, not a choice: it would accept what nobody signed.
    refuseEmpty: true,
    pattern: '^[\\x21-\\x7e]{1,4096}$'
  }),
  LOG_LEVEL: Type.Union(
    (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map(level =>
      Type.Literal(level)
    ),
    { default: 'info', description: 'pino levels', example: 'info' }
  ),
  SHUTDOWN_GRACE_SECONDS: seconds(10, 'from SIGTERM to exit', 10, 0.1),
  SHUTDOWN_DELAY_SECONDS: seconds(
    0,
    'between `/readyz` going red and the listener closing, within the grace',
    5
  )
} as const satisfies Record<string, TSchema>

type Name = keyof typeof variables
type Values = { [N in Name]: Static<(typeof variables)[N]> }
type Environment = Record<string, string | undefined>

export interface Config
  extends Omit<
    Values,
    'HELPCRUNCH_BASE_URL' | 'TEAM_TOKENS' | 'CORS_ORIGINS' | 'ADMIN_ALLOWED_HOSTS'
  > {
  readonly HELPCRUNCH_BASE_URL: URL
  /** Empty: no token is asked for and everybody is the team `anonymous`. */
  readonly TEAM_TOKENS: readonly Team[]
  readonly CORS_ORIGINS: readonly string[]
  readonly ADMIN_ALLOWED_HOSTS: readonly string[]
}

/** Carries every problem of a bad environment, one line each. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** The process's environment, completed by `.env` in the working directory if there is one. */
export function readConfig(): Config {
  try {
    process.loadEnvFile('.env')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new ConfigError([`.env: cannot be read (${(error as Error).message})`])
    }
  }
  return parseConfig(process.env)
}

/** @throws {ConfigError} with all problems at once. */
export function parseConfig(environment: Environment): Config {
  const problems: string[] = []
  const values = {} as Values
  for (const name of Object.keys(variables) as Name[]) {
    const schema: TSchema = variables[name]
    const problem = (what: string) =>
      problems.push(`${name}: ${what}; example: ${name}=${schema.example}`)
    const text = rawText(environment, name, schema, problem)
    if (text === undefined) {
      if (schema.required) problem('is required')
      Object.assign(values, { [name]: schema.default ?? '' })
    } else {
      Object.assign(values, { [name]: parseValue(schema, text, problem) })
    }
  }
  const config = assemble(values, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

type Report = (what: string) => void

/** The variable's text, from itself or, for a secret, from the file that `NAME_FILE` names. */
function rawText(environment: Environment, name: Name, schema: TSchema, problem: Report) {
  if (schema.refuseEmpty && environment[name] === '') problem('must not be empty')
  const text = environment[name] || undefined
  const path = schema.secret ? environment[`${name}_FILE`] || undefined : undefined
  if (path === undefined) return text
  if (text !== undefined) {
    problem(`is given twice, also by ${name}_FILE`)
    return text
  }
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (schema.refuseEmpty && text === '')
      problem(`must not be empty, as in the file of ${name}_FILE`)
    return text || undefined
  } catch (error) {
    problem(`${name}_FILE cannot be read (${(error as NodeJS.ErrnoException).code})`)
    return undefined
  }
}

/** The typed value of a variable; a plain spelling only, so `0x10` or `1e3` are not numbers. */
function parseValue(schema: TSchema, text: string, problem: Report): unknown {
  const value = convert(schema, text)
  if (Value.Check(schema, value)) return value
  problem(
    `must be ${wanted(schema)}${schema.secret ? '' : `, got ${JSON.stringify(text.slice(0, 80))}`}`
  )
  return schema.default
}

function convert(schema: TSchema, text: string): unknown {
  if (schema.type === 'integer') return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (schema.type === 'number') return /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : text
  if (schema.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return text
}

function wanted(schema: TSchema): string {
  if (schema.anyOf) return `one of ${schema.anyOf.map((one: TSchema) => one.const).join(', ')}`
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'string')
    return schema.secret ? 'printable ASCII without spaces' : 'a plain value'
  const what = schema.type === 'integer' ? 'a whole number' : 'a number'
  return `${what} from ${schema.minimum} to ${schema.maximum}`
}

/** Turns the structured texts into values and checks what only several variables can tell. */
function assemble(values: Values, problems: string[]): Config {
  const baseUrl = parseBaseUrl(values.HELPCRUNCH_BASE_URL)
  const teams = parseTeamTokens(values.TEAM_TOKENS ?? '')
  const origins = parseOrigins(values.CORS_ORIGINS)
  problems.push(...baseUrl.problems, ...teams.problems, ...origins.problems)
  if (teams.value.some(team => team.tokens.includes(values.HELPCRUNCH_API_KEY))) {
    problems.push(
      'TEAM_TOKENS: a team token equals HELPCRUNCH_API_KEY; give every team a token of its own'
    )
  }
  if (!values.TEAM_TOKENS && !values.ALLOW_ANONYMOUS && !isLoopback(values.HOST)) {
    problems.push(
      `TEAM_TOKENS: is required because HOST=${values.HOST} is not loopback (or set ALLOW_ANONYMOUS=true); ` +
        `example: TEAM_TOKENS=${variables.TEAM_TOKENS.example}`
    )
  }
  return {
    ...values,
    HELPCRUNCH_BASE_URL: baseUrl.value,
    TEAM_TOKENS: teams.value,
    CORS_ORIGINS: origins.value,
    ADMIN_ALLOWED_HOSTS: listOf(values.ADMIN_ALLOWED_HOSTS.toLowerCase())
  }
}
