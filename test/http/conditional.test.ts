/** Validators: If-None-Match names an answer in whatever coding, and only that answer. */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { codings, Rendering } from '../../src/chats/rendering.ts'
import { entityTag, matchedTag } from '../../src/http/conditional.ts'
import { holds } from '../support/property.ts'
import { quickestMs } from '../support/quickest.ts'

const digestOf = (bytes: Uint8Array) => new Rendering(Buffer.from(bytes), 0, () => {}).digest
const digest = digestOf(Buffer.from('{"data":[]}'))
const tag = entityTag(digest)
const other = entityTag(digestOf(Buffer.from('{"data":[1]}')))

t.test('a tag is strong, and quoted as RFC 9110 wants it', async t => {
  t.match(tag, /^"[\x21\x23-\x7e]{27}"$/)
  for (const coding of codings) t.match(entityTag(digest, coding), /^"[\x21\x23-\x7e]{27,40}"$/)
})

t.test('equal bytes in one coding have equal tags, all others different ones', async t => {
  const content = fc.tuple(fc.uint8Array(), fc.constantFrom(undefined, ...codings))
  const property = fc.property(content, content, ([left, leftIn], [right, rightIn]) => {
    const equal = Buffer.compare(left, right) === 0 && leftIn === rightIn
    const tags = [entityTag(digestOf(left), leftIn), entityTag(digestOf(right), rightIn)]
    assert.equal(tags[0] === tags[1], equal)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('the tag of another coding is answered with that tag', async t => {
  for (const coding of [undefined, ...codings]) {
    const known = entityTag(digest, coding)
    t.equal(matchedTag(`${other}, W/${known}`, digest, tag), known)
  }
})

t.test('of several current tags the one of what would be sent is answered', async t => {
  const gzip = entityTag(digest, 'gzip')
  t.equal(matchedTag(`${tag}, ${gzip}`, digest, gzip), gzip)
  t.equal(matchedTag(`${gzip}, ${tag}`, digest, tag), tag)
  t.equal(matchedTag('*', digest, gzip), gzip)
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
    t.equal(matchedTag(field, digest, tag), tag)
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
    t.equal(matchedTag(field, digest, tag), undefined)
  })
}

t.test('a list of any tags names exactly its members', async t => {
  const opaque = fc.string({ unit: fc.constantFrom('a', 'b', ',', ' ', 'W/'), maxLength: 3 })
  const member = fc.tuple(fc.constantFrom('', 'W/'), opaque)
  const separator = fc.constantFrom(',', ', ', ' , ', ',,')
  const property = fc.property(fc.array(member), opaque, separator, (members, sought, comma) => {
    const field = members.map(([weak, text]) => `${weak}"${text}"`).join(comma)
    const expected = members.some(([, text]) => text === sought)
    assert.equal(matchedTag(field, sought, `"${sought}"`) !== undefined, expected)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('8 kB of anything is compared at once', async t => {
  for (const part of ['"', 'W/', 'W/"', '"a" ', ', ', ' ', '*', 'a', '"a"W/']) {
    const field = part.repeat(8000 / part.length)
    const ms = quickestMs(() => t.equal(matchedTag(field, digest, tag), undefined))
    t.ok(ms < 50, `${part}: ${ms} ms`)
  }
})
