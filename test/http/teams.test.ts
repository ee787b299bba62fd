/** Who is calling: by the bearer token alone, and in the same words whatever was wrong with it. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { anonymous, Teams } from '../../src/http/teams.ts'
import { holds } from '../support/property.ts'
import { refusalOf } from '../support/refusals.ts'
import { anyText } from '../support/texts.ts'

const blue = 'blue-token-0123456789'
const rotated = 'blue-token-ABCDEFGHIJ'
const green = 'green.token~+/=-abcdef'

const teams = new Teams([
  { name: 'blue', weight: 1, tokens: [blue, rotated] },
  { name: 'green', weight: 2, tokens: [green] }
])
const nobody = new Teams([])

const identify = (authorization: string | undefined, room = teams) =>
  room.identify(authorization, authorization === undefined ? [] : ['Authorization', authorization])

t.test('a token names its team, whichever of its tokens it is', async t => {
  t.equal(identify(`Bearer ${blue}`), 'blue')
  t.equal(identify(`Bearer ${rotated}`), 'blue')
  t.equal(identify(`Bearer ${green}`), 'green')
})

t.test('the scheme is read in any case', async t => {
  t.equal(identify(`bearer ${blue}`), 'blue')
  t.equal(identify(`BEARER ${blue}`), 'blue')
})

const wrong = [
  undefined,
  '',
  'Bearer',
  'Bearer ',
  `Bearer  ${blue}`,
  ` Bearer ${blue}`,
  `Bearer ${blue} `,
  `Bearer\t${blue}`,
  `Bearer ${blue},${green}`,
  `Bearer ${blue} ${blue}`,
  `Bearer "${blue}"`,
  `Basic ${blue}`,
  `Basic ${Buffer.from(`x:${blue}`).toString('base64')}`,
  `Bearer: ${blue}`,
  `Bearer${blue}`,
  blue,
  `Bearer ${blue.slice(0, -1)}`,
  `Bearer ${blue.slice(1)}`,
  `Bearer ${blue}x`,
  `Bearer x${blue.slice(1)}`,
  `Bearer ${blue.slice(0, -1)}x`,
  `Bearer ${blue.toUpperCase()}`,
  `Bearer ${blue}\0`,
  `Bearer ${blue}\n`,
  'Bearer blue',
  'Bearer __proto__',
  'Bearer ключ',
  `Bearer ${'a'.repeat(8192)}`
]

const words = (authorization: string | undefined, room = teams) => {
  const { code, message, entries } = refusalOf(() => identify(authorization, room))
  return { code, message, entries }
}

for (const authorization of wrong) {
  t.test(`${JSON.stringify(authorization?.slice(0, 60))} is nobody's token`, async t => {
    t.same(words(authorization), words('Bearer wrong'))
    t.equal(words(authorization).code, 'unauthenticated')
  })
}

t.test('two Authorization headers are refused, even if both are right', async t => {
  const header = `Bearer ${blue}`
  const twice = ['Authorization', header, 'authorization', header]
  t.throws(() => teams.identify(header, twice), { code: 'unauthenticated' })
})

t.test('without any teams everybody is anonymous, unless a token is shown', async t => {
  t.equal(identify(undefined, nobody), anonymous)
  t.throws(() => identify(`Bearer ${blue}`, nobody), { code: 'unauthenticated' })
  t.throws(() => identify('', nobody), { code: 'unauthenticated' })
})

t.test('no text but the tokens themselves names a team', async t => {
  const text = fc.oneof(anyText, fc.constantFrom(blue, green))
  const scheme = fc.constantFrom('Bearer ', 'bearer ', 'Basic ', '')
  const property = fc.property(scheme, text, (scheme, text) => {
    const team = [blue, green].includes(text) && /^bearer /i.test(scheme)
    if (team) assert.equal(identify(scheme + text), text === blue ? 'blue' : 'green')
    else assert.equal(refusalOf(() => identify(scheme + text)).code, 'unauthenticated')
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('a refusal repeats nothing of the token', async t => {
  t.notMatch(JSON.stringify(words('Bearer SECRETSECRETSECRET')), /SECRET/)
})

t.test('8 kB of anything is refused at once', async t => {
  for (const part of ['a', ' ', 'Bearer ', '=', '\0']) {
    const started = performance.now()
    t.throws(() => identify(`Bearer ${part.repeat(8000 / part.length)}`), {
      code: 'unauthenticated'
    })
    t.ok(performance.now() - started < 50, JSON.stringify(part))
  }
})
