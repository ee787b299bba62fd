/**
 * Where JSON values begin and end: every cut is the exact text, whatever the spelling and depth.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { elementSpans, memberSpan, type Span, skipSpace } from '../../src/upstream/json-spans.ts'
import { arrayOf, objectOf, valueText } from '../support/json-text.ts'
import { holds } from '../support/property.ts'

const deep = 200_000

const cut = (bytes: Buffer, { start, end }: Span) => bytes.toString('utf8', start, end)

const elements = (text: string) => {
  const bytes = Buffer.from(text)
  return elementSpans(bytes, skipSpace(bytes, 0)).map(span => cut(bytes, span))
}

const member = (text: string, name: string) => {
  const bytes = Buffer.from(text)
  const span = memberSpan(bytes, skipSpace(bytes, 0), name)
  return span && cut(bytes, span)
}

/** Names that may be looked for, and some that are almost one of them. */
const soughtNames = (present: Iterable<string>) =>
  new Set([...present, ''].flatMap(name => [name, `${name}a`, name.slice(0, -1)]).filter(isPlain))

const isPlain = (name: string) => /^[\0-!#-[\]-\x7f]*$/.test(name)

t.test('the elements of any array are cut to the byte', async t => {
  const property = fc.property(arrayOf(valueText), ({ text, parts }) => {
    assert.deepEqual(elements(text), parts)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('the elements of any array mean what JSON.parse says', async t => {
  const property = fc.property(arrayOf(valueText), ({ text }) => {
    assert.deepEqual(
      elements(text).map(element => JSON.parse(element)),
      JSON.parse(text)
    )
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('a member of any object is cut to the byte, the last of its name', async t => {
  const property = fc.property(objectOf, ({ text, members }) => {
    const last = new Map(members.map(({ name, value }) => [JSON.parse(name), value]))
    for (const name of soughtNames(last.keys())) assert.equal(member(text, name), last.get(name))
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('a member of any object means what JSON.parse says', async t => {
  const property = fc.property(objectOf, ({ text }) => {
    const parsed = new Map(Object.entries(JSON.parse(text)))
    for (const name of soughtNames(parsed.keys())) {
      const found = member(text, name)
      assert.deepEqual(found && JSON.parse(found), parsed.get(name))
    }
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('depth costs no stack', async t => {
  const arrays = `${'['.repeat(deep)}${']'.repeat(deep)}`
  const objects = `${'{"a":'.repeat(deep)}0${'}'.repeat(deep)}`
  t.ok(elements(`[ ${arrays} ,1]`)[0] === arrays, 'arrays in arrays')
  t.ok(elements(`[${objects}]`)[0] === objects, 'objects in objects')
  t.ok(member(`{"deep" :${arrays}}`, 'deep') === arrays, 'below a member')
})

t.test('brackets, quotes and escapes inside of strings are only text', async t => {
  t.same(elements('["]","}\\"]","\\\\",{"]":"["}]'), ['"]"', '"}\\"]"', '"\\\\"', '{"]":"["}'])
})

t.test('a name is read as far as it is spelled otherwise, and a part of it is another', async t => {
  const text = '{"i\\u0064":1,"idea":2,"":3,"i":4}'
  t.equal(member(text, 'id'), '1')
  t.equal(member(text, ''), '3')
  t.equal(member(text, 'i'), '4')
  t.equal(member(text, 'ide'), undefined)
})

t.test('an empty list has no elements and an empty object no members, however spaced', async t => {
  t.same(elements(' [ \n\t\r ] '), [])
  t.equal(member(' { \n\t\r } ', ''), undefined)
})
