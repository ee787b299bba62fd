/** Whatever a secret is written into, and however, it does not come out; all else does. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { createRedactor, mask } from '../../src/observe/redact.ts'
import { holds } from '../support/property.ts'
import { anyText } from '../support/texts.ts'

const characters = (from: number, to: number, except = '') =>
  fc
    .integer({ min: from, max: to })
    .map(code => String.fromCharCode(code))
    .filter(character => !except.includes(character))

/** What the configuration lets be a secret. */
const secretOf = (minLength: number, maxLength = 60) =>
  fc.string({ unit: characters(0x21, 0x7e), minLength, maxLength })
const secrets = fc.array(secretOf(12), { minLength: 1, maxLength: 20 })

const contains = (text: string, secret: string) =>
  text.toLowerCase().includes(secret.toLowerCase()) && !mask.repeat(9).includes(secret)

t.test('no secret is left in a text, in whatever case and however often', async t => {
  const cases = fc.constantFrom(
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.toLowerCase()
  )
  const property = fc.property(secrets, anyText, anyText, cases, (all, before, after, cased) => {
    const { clean } = createRedactor(all)
    const text = all.map(secret => `${before}${cased(secret)}${after}`).join('')
    for (const secret of all) assert(!contains(clean(text), secret), clean(text))
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('nor in a line of JSON, which stays one', async t => {
  const property = fc.property(secrets, anyText, (all, text) => {
    const { clean } = createRedactor(all)
    const line = JSON.stringify({ msg: text + all.join(text), reqId: all[0] })
    const cleaned = clean(line)
    assert.equal(typeof JSON.parse(cleaned).msg, 'string')
    for (const secret of all) assert(!contains(JSON.parse(cleaned).msg, secret), cleaned)
  })
  // Quotes of its own could stand for those of the line.
  const safe = fc.array(
    fc.string({ unit: characters(0x21, 0x7e, '",:{}[]'), minLength: 12, maxLength: 60 })
  )
  await holds(t, property, { numRuns: 300 })
  const innocent = fc.property(safe, anyText, (all, text) => {
    const line = JSON.stringify({ text })
    const cleaned = createRedactor(all).clean(line)
    if (all.every(secret => !contains(line, secret))) assert.equal(cleaned, line)
  })
  await holds(t, innocent, { numRuns: 300 })
})

t.test('nor in a target, where any of its characters may be percent-encoded', async t => {
  const encodings = fc.array(fc.constantFrom('plain', 'upper', 'lower'), {
    minLength: 60,
    maxLength: 60
  })
  const property = fc.property(secretOf(12), encodings, fc.webPath(), (secret, how, path) => {
    const spelled = [...secret]
      .map((character, at) => {
        const hex = `%${character.charCodeAt(0).toString(16)}`
        return { plain: character, upper: hex.toUpperCase(), lower: hex }[how[at] ?? 'plain']
      })
      .join('')
    for (const target of [`${path}/${spelled}`, `/chats?limit=${spelled}&x=%zz`]) {
      const cleaned = createRedactor([secret]).cleanTarget(target)
      assert(!contains(cleaned, secret), cleaned)
      assert(!contains(lenient(cleaned), secret), cleaned)
    }
  })
  await holds(t, property, { numRuns: 300 })
})

const lenient = (text: string) =>
  text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))

t.test('what holds no secret is the same, and so is everything if there are none', async t => {
  const { clean, cleanTarget } = createRedactor(['a-secret-of-blue', 'too-short-1'])
  for (const text of ['', 'too-short-1', 'a-secret-of-gree%6E', '/chats?limit=%31&sort=%zz']) {
    t.equal(clean(text), text)
    t.equal(cleanTarget(text), text)
  }
  const none = createRedactor([])
  const property = fc.property(anyText, text => {
    assert.equal(none.clean(text), text)
    assert.equal(none.cleanTarget(text), text)
  })
  await holds(t, property)
})

t.test('a secret that begins with another one leaves nothing behind', async t => {
  const { clean } = createRedactor(['token-of-blue', 'token-of-blue-and-more'])
  t.equal(clean('x token-of-blue-and-more y'), `x ${mask} y`)
  t.equal(clean('x token-of-blue! y'), `x ${mask}! y`)
})
