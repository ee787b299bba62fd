/**
 * The variables of the environment, one row each: a TypeBox schema with its default, its meaning
 * and an example. The README's table and `.env.example` are compared with these rows by a test.
 */

import { type TSchema, Type } from '@sinclair/typebox'

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
  CACHE_ADAPTIVE: Type.Boolean({
    default: true,
    description: 'refresh a page by how often it changes; in idle budget, sooner than it must',
    example: true
  }),
  CACHE_REFRESH_AHEAD: Type.Boolean({
    default: true,
    description: 'from idle budget, refresh a page in use just before it is due',
    example: true
  }),
  CACHE_READ_AHEAD: Type.Boolean({
    default: true,
    description: 'from idle budget, fetch the next page of a list that is being walked',
    example: true
  }),
  CACHE_MAX_MB: Type.Number({
    minimum: 0.1,
    maximum: 65_536,
    default: 128,
    description: 'bytes of cached pages and answers held in memory',
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
  REDIS_URL: secret(
    'Redis or Valkey that replicas share: `redis://`, `rediss://` (TLS), `redis+sentinel://host:port,host:port/name`',
    'redis://user:password@redis.internal:6379/0',
    { pattern: '^[\\x21-\\x7e]{1,4096}$' }
  ),
  STORE_LOSS_GRACE_SECONDS: seconds(
    300,
    'how long a replica cut off from Redis may go on spending its share',
    300
  ),
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
