/**
 * The environment: read as a whole, every problem at once and by name, and never a secret in one.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { type Config, ConfigError, parseConfig, secretsOf } from '../src/config.ts'
import { variables } from '../src/config-variables.ts'
import { holds } from './support/property.ts'

type Name = keyof typeof variables

const apiKey = 'HCKEY-canary-5f1d0c0ffee'
const token = 'TEAMTOKEN-canary-0123456789'

const parse = (environment: Record<string, string> = {}): Config =>
  parseConfig({ HELPCRUNCH_API_KEY: apiKey, ...environment })

const problemsOf = (environment: Record<string, string>): readonly string[] => {
  try {
    parse(environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

const namesOf = (problems: readonly string[]) => problems.map(problem => problem.split(':', 1)[0])

/** Values that each variable must refuse; a path or a list of names may be anything. */
const refused: Record<Name, readonly string[]> = {
  HELPCRUNCH_API_KEY: ['two words', 'ключ', 'a\tb', 'a\nb', 'x'.repeat(4097)],
  HELPCRUNCH_BASE_URL: [
    'api.helpcrunch.com',
    '/v1',
    'ftp://api.helpcrunch.com',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://user@api.helpcrunch.com/v1',
    'https://user:pass@api.helpcrunch.com/v1',
    'https://api.helpcrunch.com/v1?x=1',
    'https://api.helpcrunch.com/v1#x',
    'https://',
    'https://a b/'
  ],
  UPSTREAM_LIMIT: ['0', '-1', '1.5', '100001'],
  UPSTREAM_WINDOW_SECONDS: ['0', '-1', '31536001'],
  UPSTREAM_TIMEOUT_SECONDS: ['0', '1m'],
  UPSTREAM_CONCURRENCY: ['0', '1001'],
  UPSTREAM_MAX_BODY_MB: ['0', '1025'],
  CACHE_ADAPTIVE: ['yes', '1', 'TRUE '],
  CACHE_REFRESH_AHEAD: ['on', '0'],
  CACHE_READ_AHEAD: ['off', 'null'],
  HOST: ['two words', 'http://127.0.0.1', '127.0.0.1/', '[::1]'],
  PORT: ['65536', '-1', '80.5'],
  ADMIN_HOST: ['two words', 'http://127.0.0.1'],
  ADMIN_PORT: ['65536', '-1'],
  ADMIN_ALLOWED_HOSTS: [],
  ADMIN_TOKEN: ['two words', 'ключ'],
  TEAM_TOKENS: [
    'blue',
    'blue=',
    `=${token}`,
    token,
    'blue=too-short',
    `blue=${'x'.repeat(129)}`,
    `Blue=${token}`,
    `${'b'.repeat(33)}=${token}`,
    `blue team=${token}`,
    `blue=${token};green=${token}`,
    `blue=${token}!`,
    `blue=${token}:`,
    `blue=${token}:0`,
    `blue=${token}:-1`,
    `blue=${token}:heavy`,
    `blue=${token}:1:2`,
    `blue=${token},`,
    `,blue=${token}`,
    `blue=${token},blue=${token}`,
    `blue=${token},green=${token}`,
    `blue=${token}:1,blue=${token}x:2`,
    ' '
  ],
  ALLOW_ANONYMOUS: ['yes', '1', 'TRUE', 'True'],
  TEAM_RATE_LIMIT: ['-1', '1000000001', '1.5'],
  CORS_ORIGINS: [
    '*',
    'null',
    'desk.example.com',
    'https://desk.example.com/',
    'https://desk.example.com/path',
    'https://*.example.com',
    'ftp://desk.example.com',
    'HTTPS://DESK.example.com',
    'https://desk.example.com:443'
  ],
  CACHE_FRESH_SECONDS: ['-1', '31536001', 'forever'],
  CACHE_STALE_WHILE_REVALIDATE_SECONDS: ['-1', '31536001'],
  CACHE_STALE_IF_ERROR_SECONDS: ['-1', 'forever'],
  CACHE_MAX_MB: ['0', '65537'],
  QUEUE_MAX_WAIT_SECONDS: ['-1', '8s'],
  QUEUE_MAX_LENGTH: ['-1', '100001', '0.5'],
  MAX_LIMIT: ['0', '10001'],
  STATE_DIR: [],
  REDIS_URL: [
    'redis.internal:6379',
    'http://redis.internal',
    'redis://',
    'redis://two words',
    `redis://${token}@redis.internal`,
    'redis://:100%@redis.internal',
    'redis://redis.internal:65536',
    'redis://redis.internal/first',
    'redis://redis.internal/0/1',
    'redis://redis.internal?family=6',
    'redis://one:6379,two:6379',
    'redis+sentinel://one:26379,two:26379',
    'redis+sentinel://one:26379/mymaster?password=x',
    'redis+sentinel://one:,:2/mymaster'
  ],
  STORE_LOSS_GRACE_SECONDS: ['-1', 'never'],
  WEBHOOK_SIGNING_KEY: ['two words', 'ключ'],
  LOG_LEVEL: ['verbose', 'INFO'],
  SHUTDOWN_GRACE_SECONDS: ['0', 'never'],
  SHUTDOWN_DELAY_SECONDS: ['-1', 'never']
}

const names = Object.keys(variables) as Name[]
const refusing = names.filter(name => refused[name].length > 0)

for (const name of refusing) {
  t.test(`each bad ${name} is one problem, named and with an example`, async t => {
    for (const value of refused[name]) {
      const problems = problemsOf({ [name]: value })
      t.same(namesOf(problems), [name], JSON.stringify(value))
      t.match(problems[0], `example: ${name}=`)
    }
  })
}

t.test('all problems are told at once, one for each variable', async t => {
  const environment = Object.fromEntries(refusing.map(name => [name, refused[name][0]!]))
  const problems = problemsOf(environment)
  t.same(namesOf(problems).toSorted(), refusing.toSorted())
  t.throws(() => parse(environment), { name: 'ConfigError', message: problems.join('\n') })
  t.ok(problems.every(problem => !problem.includes('\n')))
})

t.test('several bad entries of one variable are told one by one', async t => {
  const problems = problemsOf({ TEAM_TOKENS: `blue,green=${token},red=short` })
  t.match(problems, [/^TEAM_TOKENS: entry 1 /, /^TEAM_TOKENS: entry 3 /])
  t.equal(problems.length, 2)
  t.equal(problemsOf({ CORS_ORIGINS: 'a,https://b.example,c' }).length, 2)
})

t.test('an empty signing key is a mistake, not a choice', async t => {
  t.match(problemsOf({ WEBHOOK_SIGNING_KEY: '' }), [/^WEBHOOK_SIGNING_KEY: must not be empty/])
  t.match(problemsOf({ WEBHOOK_SIGNING_KEY_FILE: '/dev/null' }), [
    /^WEBHOOK_SIGNING_KEY: must not be empty/
  ])
})

t.test('what is absent or empty has its default', async t => {
  const { HELPCRUNCH_BASE_URL, ...config } = parse()
  t.equal(HELPCRUNCH_BASE_URL.href, 'https://api.helpcrunch.com/v1')
  t.match(config, {
    HELPCRUNCH_API_KEY: apiKey,
    UPSTREAM_LIMIT: 120,
    UPSTREAM_WINDOW_SECONDS: 60,
    UPSTREAM_TIMEOUT_SECONDS: 10,
    UPSTREAM_CONCURRENCY: 8,
    UPSTREAM_MAX_BODY_MB: 16,
    HOST: '127.0.0.1',
    PORT: 8080,
    ADMIN_HOST: '127.0.0.1',
    ADMIN_PORT: 8081,
    ADMIN_ALLOWED_HOSTS: [],
    ADMIN_TOKEN: '',
    TEAM_TOKENS: [],
    ALLOW_ANONYMOUS: false,
    TEAM_RATE_LIMIT: 6000,
    CORS_ORIGINS: [],
    CACHE_FRESH_SECONDS: 30,
    CACHE_STALE_WHILE_REVALIDATE_SECONDS: 60,
    CACHE_STALE_IF_ERROR_SECONDS: 86_400,
    CACHE_MAX_MB: 128,
    QUEUE_MAX_WAIT_SECONDS: 8,
    QUEUE_MAX_LENGTH: 1000,
    MAX_LIMIT: 1000,
    STATE_DIR: '.state',
    REDIS_URL: undefined,
    STORE_LOSS_GRACE_SECONDS: 300,
    LOG_LEVEL: 'info',
    SHUTDOWN_GRACE_SECONDS: 10,
    SHUTDOWN_DELAY_SECONDS: 0
  })
  const mayBeEmpty = names.filter(name => name !== 'WEBHOOK_SIGNING_KEY')
  const empty = Object.fromEntries(mayBeEmpty.map(name => [name, '']))
  t.same(parse({ ...empty, HELPCRUNCH_API_KEY: apiKey }), parse())
})

t.test('the examples are valid, and so are the defaults', async t => {
  const examples = names.map(name => [name, String(variables[name].example)])
  t.same(problemsOf(Object.fromEntries(examples)), [])
})

t.test('the key is required, and the environment holds nothing else that is', async t => {
  t.match(problemsOf({ HELPCRUNCH_API_KEY: '' }), [/^HELPCRUNCH_API_KEY: is required; example: /])
})

const numeric = names.filter(name => ['integer', 'number'].includes(variables[name].type))

t.test('a number is plain decimal digits, whatever JavaScript would make of it', async t => {
  const spellings = [
    '0x10',
    '1e1',
    '+5',
    ' 5',
    '5 ',
    '5.',
    '.5',
    '٥',
    '５',
    '1_0',
    'NaN',
    'Infinity'
  ]
  for (const name of numeric) {
    for (const value of spellings) {
      t.same(namesOf(problemsOf({ [name]: value })), [name], `${name}=${value}`)
    }
  }
})

t.test('a number within its range is taken as it is, any other is refused', async t => {
  const input = fc.tuple(fc.constantFrom(...numeric), fc.nat(2_000_000_000))
  const property = fc.property(input, ([name, value]) => {
    const { minimum, maximum } = variables[name] as { minimum: number; maximum: number }
    const problems = problemsOf({ [name]: String(value) })
    if (value < minimum || value > maximum) assert.deepEqual(namesOf(problems), [name])
    else assert.equal(parse({ [name]: String(value) })[name], value)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('durations and sizes may be fractions, counts may not', async t => {
  t.equal(parse({ UPSTREAM_TIMEOUT_SECONDS: '0.25' }).UPSTREAM_TIMEOUT_SECONDS, 0.25)
  t.equal(parse({ CACHE_MAX_MB: '0.5' }).CACHE_MAX_MB, 0.5)
  t.same(namesOf(problemsOf({ MAX_LIMIT: '10.5' })), ['MAX_LIMIT'])
})

t.test('a base URL is kept without its last slash', async t => {
  const href = (url: string) => parse({ HELPCRUNCH_BASE_URL: url }).HELPCRUNCH_BASE_URL.href
  t.equal(href('http://127.0.0.1:3000/v1/'), 'http://127.0.0.1:3000/v1')
  t.equal(href('https://api.helpcrunch.com'), 'https://api.helpcrunch.com/')
})

t.test('teams have a weight of one unless told, and may have several tokens', async t => {
  const TEAM_TOKENS = `blue=${token}:2.5, green=${token}g,blue=${token}b`
  t.same(parse({ TEAM_TOKENS }).TEAM_TOKENS, [
    { name: 'blue', weight: 2.5, tokens: [token, `${token}b`] },
    { name: 'green', weight: 1, tokens: [`${token}g`] }
  ])
})

t.test('any valid list of teams is read as it is written', async t => {
  const name = fc.string({ unit: fc.constantFrom(...'az09_-'), minLength: 1, maxLength: 32 })
  const unit = fc.constantFrom(...'AZaz09._~+/=-')
  const text = fc.string({ unit, minLength: 16, maxLength: 128 })
  const team = fc.record({ name, weight: fc.integer({ min: 1, max: 999_999 }), token: text })
  const teams = fc.uniqueArray(team, {
    maxLength: 5,
    comparator: (left, right) => left.name === right.name || left.token === right.token
  })
  const property = fc.property(teams, teams => {
    const written = teams.map(({ name, weight, token }) => `${name}=${token}:${weight}`).join(',')
    const read = teams.map(({ name, weight, token }) => ({ name, weight, tokens: [token] }))
    assert.deepEqual(parse({ TEAM_TOKENS: written }).TEAM_TOKENS, read)
  })
  await holds(t, property)
})

t.test('a team token that equals the key is refused', async t => {
  const problems = problemsOf({ TEAM_TOKENS: `blue=${token},green=${apiKey}` })
  t.match(problems, [/^TEAM_TOKENS: a team token equals HELPCRUNCH_API_KEY/])
})

t.test('without tokens the service listens on loopback only, unless that is allowed', async t => {
  for (const HOST of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) {
    t.equal(parse({ HOST }).HOST, HOST)
  }
  for (const HOST of ['0.0.0.0', '::', '10.0.0.1', 'proxy.example', '127.0.0.1.example']) {
    t.match(problemsOf({ HOST }), [/^TEAM_TOKENS: is required because HOST=/], HOST)
    t.equal(parse({ HOST, ALLOW_ANONYMOUS: 'true' }).HOST, HOST)
    t.equal(parse({ HOST, TEAM_TOKENS: `blue=${token}` }).HOST, HOST)
  }
})

t.test('origins are kept as browsers send them', async t => {
  const CORS_ORIGINS = 'https://desk.example.com, http://localhost:3000,'
  t.same(parse({ CORS_ORIGINS }).CORS_ORIGINS, [
    'https://desk.example.com',
    'http://localhost:3000'
  ])
})

t.test('a secret may be given as a file, without the line end', async t => {
  const directory = t.testdir({ key: `${apiKey}\n`, tokens: `blue=${token}\r\n` })
  const config = parse({
    HELPCRUNCH_API_KEY: '',
    HELPCRUNCH_API_KEY_FILE: `${directory}/key`,
    TEAM_TOKENS_FILE: `${directory}/tokens`
  })
  t.equal(config.HELPCRUNCH_API_KEY, apiKey)
  t.match(config.TEAM_TOKENS, [{ name: 'blue', tokens: [token] }])
})

t.test('a secret file that is of no use is a problem of its variable', async t => {
  const directory = t.testdir({ empty: '\n', key: `${apiKey}\n` })
  const keyFile = (file: string, key = '') =>
    problemsOf({ HELPCRUNCH_API_KEY: key, HELPCRUNCH_API_KEY_FILE: `${directory}/${file}` })
  t.match(keyFile('empty'), [/^HELPCRUNCH_API_KEY: is required/])
  t.match(keyFile('key', apiKey), [/^HELPCRUNCH_API_KEY: is given twice/])
  t.match(keyFile('missing')[0], /^HELPCRUNCH_API_KEY: HELPCRUNCH_API_KEY_FILE .*ENOENT/)
  t.match(keyFile('.')[0], /^HELPCRUNCH_API_KEY: HELPCRUNCH_API_KEY_FILE .*EISDIR/)
})

t.test('only secrets are read from files', async t => {
  const directory = t.testdir({ port: '1234' })
  t.equal(parse({ PORT_FILE: `${directory}/port` }).PORT, 8080)
})

/** Whether eight characters of `secret` in a row stand in any of the problems. */
const leaks = (problems: readonly string[], secret: string) =>
  Array.from({ length: Math.max(secret.length - 7, 0) }, (_, at) => secret.slice(at, at + 8)).some(
    part => problems.some(problem => problem.includes(part))
  )

t.test('no problem repeats a part of a secret, however it was mistyped', async t => {
  // No run of eight of these stands in any message by itself.
  const units = ['qzxjkv0123456789_-', 'qzxjkv0123456789QZX_~+/=.-:! ']
  const secret = fc
    .constantFrom(...units)
    .chain(unit => fc.string({ unit: fc.constantFrom(...unit), minLength: 12, maxLength: 140 }))
  const mistyped = fc.constantFrom<(secret: string) => Record<string, string>>(
    secret => ({ HELPCRUNCH_API_KEY: `${secret} x` }),
    secret => ({ ADMIN_TOKEN: `${secret} x` }),
    secret => ({ HELPCRUNCH_BASE_URL: `https://${encodeURIComponent(secret)}@h` }),
    secret => ({ HELPCRUNCH_BASE_URL: `https://h/?key=${encodeURIComponent(secret)}` }),
    secret => ({ TEAM_TOKENS: secret }),
    secret => ({ TEAM_TOKENS: `${secret}=` }),
    secret => ({ TEAM_TOKENS: `blue=${secret}` }),
    secret => ({ TEAM_TOKENS: `blue=${secret}:heavy` }),
    secret => ({ TEAM_TOKENS: `blue:${secret}` }),
    secret => ({ TEAM_TOKENS: `blue=${secret},blue=${secret}` }),
    secret => ({ TEAM_TOKENS: `blue=${secret}:1,blue=${secret}x:2` }),
    secret => ({ TEAM_TOKENS: `blue=${secret}`, HELPCRUNCH_API_KEY: secret }),
    secret => ({ TEAM_TOKENS: `blue=${token},green=${secret}`, HOST: '0.0.0.0', PORT: 'x' })
  )
  const property = fc.property(secret, mistyped, (secret, mistype) => {
    const problems = problemsOf(mistype(secret))
    assert(!leaks(problems, secret), problems.join('\n'))
  })
  await holds(t, property, { numRuns: 1000 })
})

const configFrom = (directory: string, environment: Record<string, string>): string =>
  execFileSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { readConfig } from ${JSON.stringify(new URL('../src/config.ts', import.meta.url))}
      try {
        const { PORT, MAX_LIMIT } = readConfig()
        console.log(JSON.stringify({ PORT, MAX_LIMIT }))
      } catch (error) {
        console.log(error.message)
      }`
    ],
    { cwd: directory, env: { HELPCRUNCH_API_KEY: apiKey, ...environment }, encoding: 'utf8' }
  )

t.test('.env completes the environment, which wins', async t => {
  const directory = t.testdir({ '.env': 'PORT=1111\nMAX_LIMIT=22\n' })
  t.same(JSON.parse(configFrom(directory, { PORT: '3333' })), { PORT: 3333, MAX_LIMIT: 22 })
})

t.test('there need not be an .env, but one that cannot be read is a problem', async t => {
  t.same(JSON.parse(configFrom(t.testdir({}), {})), { PORT: 8080, MAX_LIMIT: 1000 })
  t.match(configFrom(t.testdir({ '.env': {} }), {}), /^\.env: cannot be read/)
})

t.test('everything that is marked as a secret is among the secrets', async t => {
  const secret = (name: string) => `${name.toLowerCase()}-value-of-sixteen`
  const names = Object.entries(variables).flatMap(([name, schema]) =>
    'secret' in schema ? [name] : []
  )
  const written: Record<string, string> = {
    TEAM_TOKENS: `blue=${secret('TEAM_TOKENS')},blue=another-${secret('TEAM_TOKENS')}`,
    REDIS_URL: `redis://:${secret('REDIS_URL')}@127.0.0.1`
  }
  const values = names.map(name => [name, written[name] ?? secret(name)])
  const found = secretsOf(parseConfig(Object.fromEntries(values)))
  t.same([...found].sort(), [...names.map(secret), `another-${secret('TEAM_TOKENS')}`].sort())
  t.ok(names.length >= 4)
  t.same(secretsOf(parseConfig({ HELPCRUNCH_API_KEY: 'only-this-one' })), ['only-this-one'])
})

t.test('the store is one server, or the Sentinels that know its master', async t => {
  const none = { username: undefined, password: undefined }
  const noSentinel = { sentinelUsername: undefined, sentinelPassword: undefined }
  t.same(parse({ REDIS_URL: 'redis://redis.internal' }).REDIS_URL, {
    ...{ ...none, ...noSentinel, masterName: undefined, tls: false, database: 0 },
    hosts: [{ host: 'redis.internal', port: 6379 }]
  })
  t.match(parse({ REDIS_URL: 'rediss://me:p%40ss%2Fword@[::1]:7000/3' }).REDIS_URL, {
    ...{ username: 'me', password: 'p@ss/word', tls: true, database: 3 },
    hosts: [{ host: '::1', port: 7000 }]
  })
  const REDIS_URL =
    'rediss+sentinel://:secret@one,two:7001/main/2?sentinelUsername=s&sentinelPassword=t%26t'
  t.same(parse({ REDIS_URL }).REDIS_URL, {
    ...{ username: undefined, password: 'secret', tls: true, database: 2, masterName: 'main' },
    ...{ sentinelUsername: 's', sentinelPassword: 't&t' },
    hosts: [
      { host: 'one', port: 26_379 },
      { host: 'two', port: 7001 }
    ]
  })
})

t.test('the passwords of the store are secrets', async t => {
  const REDIS_URL = 'redis+sentinel://me:store-canary@one/main?sentinelPassword=sentinel-canary'
  const secrets = secretsOf(parse({ REDIS_URL }))
  t.ok(secrets.includes('store-canary') && secrets.includes('sentinel-canary'))
  const problems = problemsOf({ REDIS_URL: REDIS_URL.replace('/main', '/main/x') })
  t.equal(problems.length, 1)
  t.notMatch(problems[0], 'canary')
})
