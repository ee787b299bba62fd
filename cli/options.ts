/** What the command is asked: arguments first, then the environment. */

import { parseArgs } from 'node:util'
import { type FormatName, formatNames } from '../src/chats/export/formats.ts'

export interface Options {
  readonly url: string
  /** Empty where the service asks for none. */
  readonly token: string
  readonly out: string
  readonly format: FormatName
  /** Whether NDJSON and JSON say at their end what they hold. */
  readonly hasEnd: boolean
  /** Begins again whatever is there. */
  readonly fresh: boolean
}

/** The command was not asked as it can be. */
export class UsageError extends Error {}

export const usage = `npm run export -- --out <file> [options]

  --out <file>      where to; <file>.part is what there is of it before it is complete
  --format <name>   ndjson, csv or json; by default what the name of the file says, or ndjson
  --url <url>       the service (HELPCRUNCH_PROXY_URL; by default http://127.0.0.1:8080)
  --token <token>   your team's token (better in HELPCRUNCH_PROXY_TOKEN, where others do not see it)
  --end none        leaves out the line or member at the end that says how much there is
  --fresh           begins again, although <file>.part is there
  --help            this text`

type Environment = Readonly<Record<string, string | undefined>>

/** @throws {UsageError} */
export function readOptions(args: readonly string[], env: Environment): Options | 'help' {
  const values = parse(args)
  if (values.help) return 'help'
  const { out, end } = values
  if (!out) throw new UsageError(`--out is needed\n\n${usage}`)
  if (end !== undefined && end !== 'none') throw new UsageError(`--end takes none, not "${end}"`)
  return {
    url: serviceUrl(values.url ?? env.HELPCRUNCH_PROXY_URL ?? 'http://127.0.0.1:8080'),
    token: values.token ?? env.HELPCRUNCH_PROXY_TOKEN ?? '',
    out,
    format: formatOf(values.format, out),
    hasEnd: end === undefined,
    fresh: values.fresh
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        out: { type: 'string' },
        format: { type: 'string' },
        url: { type: 'string' },
        token: { type: 'string' },
        end: { type: 'string' },
        fresh: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`)
  }
}

function formatOf(given: string | undefined, out: string): FormatName {
  const known = formatNames.find(name => name === given)
  if (known) return known
  if (given !== undefined) {
    throw new UsageError(`--format is one of ${formatNames.join(', ')}, not "${given}"`)
  }
  return formatNames.find(name => out.endsWith(`.${name}`)) ?? 'ndjson'
}

function serviceUrl(text: string): string {
  const url = URL.parse(text)
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError(`--url is an http or https URL, not "${text}"`)
  }
  if (url.search || url.hash || url.username) {
    throw new UsageError('--url is where the service is, without a query or a name')
  }
  return url.href.replace(/\/$/, '')
}
