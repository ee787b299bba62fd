// Validators: equal tags mean equal bytes; If-None-Match fails only on the tag itself.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { entityTag, noneMatchFails } from '../../src/http/conditional.ts'
import { holds } from '../support/property.ts'

const tag = entityTag(Buffer.from('{"data":[]}'))
const other = entityTag(Buffer.from('{"data":[1]}'))

t.test('a tag is strong, and quoted as RFC 9110 wants it', async t => {
  t.match(tag, /^"[\x21\x23-\x7e]{27}"$/)
})

t.test('equal bytes have equal tags, different bytes different ones', async t => {
  const property = fc.property(fc.uint8Array(), fc.uint8Array(), (left, right) => {
    const equal = Buffer.compare(left, right) === 0
    assert.equal(entityTag(Buffer.from(left)) === entityTag(Buffer.from(right)), equal)
    assert.equal(entityTag(Buffer.from(left)), entityTag(Buffer.from(left)))
  })
  await holds(t, property, { numRuns: 300 })
})

const naming = [
  '*',
  ' * ',
  tag,
  `W/${tag}`,
  ` ${tag} `,
  `${other}, ${tag}`,
  `${tag},${other}`,
  `W/${other}, W/${tag}`,
  `,, ${tag} ,`,
  `"a, b", "", ${tag}`
]

for (const field of naming) {
  t.test(`If-None-Match: ${field.replace(tag, '<tag>')} names the tag`, async t => {
    t.equal(noneMatchFails(field, tag), true)
  })
}

const notNaming = [
  undefined,
  '',
  ' ',
  ',',
  '"',
  '""',
  other,
  `W/${other}`,
  tag.slice(1, -1),
  tag.slice(0, -1),
  tag.slice(1),
  tag.toUpperCase(),
  `"${tag.slice(2)}`,
  `${tag.slice(0, -2)}"`,
  `"x${tag}x"`,
  `"${other}, ${tag}"`,
  '**',
  '"*"',
  '*, "a"',
  'junk'
]

for (const field of notNaming) {
  t.test(`If-None-Match: ${field?.replace(tag, '<tag>')} does not name the tag`, async t => {
    t.equal(noneMatchFails(field, tag), false)
  })
}

t.test('a list of any tags names exactly its members', async t => {
  const opaque = fc.string({ unit: fc.constantFrom('a', 'b', ',', ' ', 'W/'), maxLength: 3 })
  const member = fc.tuple(fc.constantFrom('', 'W/'), opaque)
  const separator = fc.constantFrom(',', ', ', ' , ', ',,')
  const property = fc.property(fc.array(member), opaque, separator, (members, sought, comma) => {
    const field = members.map(([weak, text]) => `${weak}"${text}"`).join(comma)
    const expected = members.some(([, text]) => text === sought)
    assert.equal(noneMatchFails(field, `"${sought}"`), expected)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('8 kB of anything is compared at once', async t => {
  for (const part of ['"', 'W/', 'W/"', '"a" ', ', ', ' ', '*', 'a', '"a"W/']) {
    const field = part.repeat(8000 / part.length)
    const started = performance.now()
    t.equal(noneMatchFails(field, tag), false)
    t.ok(performance.now() - started < 50, part)
  }
})
