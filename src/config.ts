/**
 * The environment, read once and validated as a whole against `config-variables.ts`. Only this
 * file reads `process.env`.
 *
 * A problem names the variable, what is wrong and an example; it never repeats a secret's value.
 */

import { readFileSync } from 'node:fs'
import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { parseStoreUrl, type StoreAddress } from './config-store.ts'
import {
  isLoopback,
  listOf,
  parseBaseUrl,
  parseOrigins,
  parseTeamTokens,
  type Team
} from './config-values.ts'
import { variables } from './config-variables.ts'

type Name = keyof typeof variables
type Values = { [N in Name]: Static<(typeof variables)[N]> }
type Environment = Record<string, string | undefined>

export interface Config
  extends Omit<
    Values,
    'HELPCRUNCH_BASE_URL' | 'TEAM_TOKENS' | 'CORS_ORIGINS' | 'ADMIN_ALLOWED_HOSTS' | 'REDIS_URL'
  > {
  readonly HELPCRUNCH_BASE_URL: URL
  /** Empty: no token is asked for and everybody is the team `anonymous`. */
  readonly TEAM_TOKENS: readonly Team[]
  readonly CORS_ORIGINS: readonly string[]
  readonly ADMIN_ALLOWED_HOSTS: readonly string[]
  /** Without it nothing is shared, and this is the only replica. */
  readonly REDIS_URL: StoreAddress | undefined
}

/** Everything that must never be shown: what is marked as secret among the variables. */
export function secretsOf(config: Config): readonly string[] {
  const { ADMIN_TOKEN, HELPCRUNCH_API_KEY, REDIS_URL, TEAM_TOKENS, WEBHOOK_SIGNING_KEY } = config
  const tokens = TEAM_TOKENS.flatMap(team => team.tokens)
  const passwords = [REDIS_URL?.password, REDIS_URL?.sentinelPassword].map(text => text ?? '')
  const all = [HELPCRUNCH_API_KEY, ADMIN_TOKEN, WEBHOOK_SIGNING_KEY, ...tokens, ...passwords]
  return all.filter(Boolean)
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
  const store = parseStoreUrl(values.REDIS_URL ?? '')
  problems.push(...[baseUrl, teams, origins, store].flatMap(parsed => parsed.problems))
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
    ADMIN_ALLOWED_HOSTS: listOf(values.ADMIN_ALLOWED_HOSTS.toLowerCase()),
    REDIS_URL: store.value
  }
}
