/** What the command understands, and what it refuses in words. */

import t from 'tap'
import { readOptions, UsageError } from '../../cli/options.ts'

t.test('where, as whom and in which format have their defaults', async t => {
  t.same(readOptions(['--out', 'x'], {}), {
    url: 'http://127.0.0.1:8080',
    token: '',
    out: 'x',
    format: 'ndjson',
    hasEnd: true,
    fresh: false
  })
  const { format } = readOptions(['--out', 'a/b.csv'], {}) as { format: string }
  t.equal(format, 'csv')
})

t.test('arguments go before the environment', async t => {
  const env = { HELPCRUNCH_PROXY_URL: 'https://here/v1/', HELPCRUNCH_PROXY_TOKEN: 'mine' }
  t.match(readOptions(['--out', 'x'], env), { url: 'https://here/v1', token: 'mine' })
  const args = ['--out', 'x.csv', '--url', 'http://there', '--token', 'other', '--format', 'json']
  t.match(readOptions([...args, '--end', 'none', '--fresh'], env), {
    ...{ url: 'http://there', token: 'other', format: 'json' },
    ...{ hasEnd: false, fresh: true }
  })
})

t.test('help is help, whatever else is asked', async t => {
  t.equal(readOptions(['--help', '--format', 'csv'], {}), 'help')
})

function refusalOf(args: readonly string[]): unknown {
  try {
    return readOptions(args, {})
  } catch (error) {
    return error
  }
}

const wrong = [
  [],
  ['--out'],
  ['--out', ''],
  ['--out', 'x', '--format', 'xml'],
  ['--out', 'x', '--url', 'ftp://x'],
  ['--out', 'x', '--url', 'localhost:8080'],
  ['--out', 'x', '--url', 'http://x/?y'],
  ['--out', 'x', '--url', 'http://me@x'],
  ['--out', 'x', '--end', 'all'],
  ['--out', 'x', '--what'],
  ['stray', '--out', 'x']
]

for (const args of wrong) {
  t.test(`"${args.join(' ')}" is refused in words`, async t => {
    const refusal = refusalOf(args)
    t.ok(refusal instanceof UsageError)
    t.match((refusal as Error).message, /--/)
  })
}
