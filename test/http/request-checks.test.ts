/** What makes a request unreadable although the parser let it through. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { parseListQuery } from '../../src/chats/query.ts'
import { ServiceError } from '../../src/errors.ts'
import { checkRequest, countHeader, originForm } from '../../src/http/request-checks.ts'
import { holds } from '../support/property.ts'

const host = ['Host', 'proxy.example']

const check =
  (url: string, rawHeaders = host, version = '1.1') =>
  () =>
    checkRequest(url, version, rawHeaders)

t.test('a URL of 8000 characters is read, a longer one is not', async t => {
  t.doesNotThrow(check(`/${'a'.repeat(7999)}`))
  t.throws(check(`/${'a'.repeat(8000)}`), { code: 'uri_too_long' })
})

t.test('200 headers are read, more are not', async t => {
  const headers = (count: number) => [
    ...host,
    ...Array(count - 1)
      .fill(['X', 'y'])
      .flat()
  ]
  t.doesNotThrow(check('/', headers(200)))
  t.throws(check('/', headers(201)), { code: 'headers_too_large' })
})

t.test('there is exactly one Host, except from HTTP/1.0', async t => {
  t.throws(check('/', []), { code: 'bad_request' })
  t.throws(check('/', [...host, 'hOsT', 'other.example']), { code: 'bad_request' })
  t.throws(check('/', [...host, ...host], '1.0'), { code: 'bad_request' })
  t.doesNotThrow(check('/', [], '1.0'))
  t.doesNotThrow(check('/', ['X-Forwarded-Host', 'evil', 'HOST', 'proxy.example']))
})

t.test('headers are counted by name, not by value or likeness', async t => {
  const raw = ['A', 'b', 'B', 'a', 'aa', 'a', 'a', 'x']
  t.equal(countHeader(raw, 'a'), 2)
  t.equal(countHeader(raw, 'b'), 1)
  t.equal(countHeader(raw, 'c'), 0)
  t.equal(countHeader([], 'a'), 0)
})

const badEncodings = [
  '%',
  '%z',
  '%zz',
  '%c0%af',
  '%ff',
  '%ed%a0%80',
  '%f5%80%80%80',
  '%e2%82',
  '%u0041'
]

for (const bad of badEncodings) {
  t.test(`"${bad}" is no percent-encoding, in the path or the query`, async t => {
    t.throws(check(`/chats/${bad}`), { code: 'bad_request' })
    t.throws(check(`/chats?sort=${bad}`), { code: 'bad_request' })
    t.throws(check(`/chats?${bad}=1&limit=5`), { code: 'bad_request' })
  })
}

t.test('a NUL is refused in the path and left to the rules of the query', async t => {
  t.throws(check('/chats%00'), { code: 'bad_request' })
  t.doesNotThrow(check('/chats?sort=%00'))
})

t.test('a fragment is refused', async t => {
  t.throws(check('/chats#top'), { code: 'bad_request' })
  t.throws(check('/chats?limit=5#top'), { code: 'bad_request' })
})

const targets: [string, string][] = [
  ['/chats?limit=5', '/chats?limit=5'],
  ['http://evil.example/chats?limit=5', '/chats?limit=5'],
  ['HTTPS://user:pass@evil.example:1/chats', '/chats'],
  ['http://evil.example', '/'],
  ['http://evil.example?limit=5', '/?limit=5'],
  ['//evil.example/chats', '//evil.example/chats'],
  ['/http://evil.example/', '/http://evil.example/'],
  ['evil.example:443', '/evil.example:443'],
  ['*', '/*'],
  ['', '/']
]

for (const [target, form] of targets) {
  t.test(`of the target "${target}" the path and query are "${form}"`, async t => {
    t.equal(originForm(target), form)
  })
}

t.test('what is encoded well is read', async t => {
  for (const url of ['/', '/chats?limit=%35', '/%F0%9F%98%80', '/chats?a=100%25', '*']) {
    t.doesNotThrow(check(url), url)
  }
})

t.test('any query that is let through can be parsed or refused by name', async t => {
  const text = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '%',
          '%c3',
          '%a9',
          '%80',
          '&',
          '=',
          '+',
          'limit',
          'sort',
          '5',
          '%00',
          '%e2%82%ac'
        ),
        fc.string({ maxLength: 2 })
      )
    )
    .map(parts => parts.join(''))
  const property = fc.property(text, text => {
    if (refusal(check(`/chats?${text}`)) === 'bad_request') return
    const code = refusal(() => parseListQuery(text, 1000))
    assert(code === undefined || code === 'invalid_query')
  })
  await holds(t, property, { numRuns: 1000 })
})

function refusal(act: () => unknown): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    assert(error instanceof ServiceError, String(error))
    return error.code
  }
}
