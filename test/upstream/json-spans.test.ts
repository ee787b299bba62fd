/**
 * Where JSON values begin and end: every cut is the exact text, whatever the spelling and depth.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { elementSpans, memberSpans, type Span, skipSpace } from '../../src/upstream/json-spans.ts'
import { arrayOf, objectOf, valueText } from '../support/json-text.ts'
import { holds } from '../support/property.ts'

const deep = 200_000

const cut = (bytes: Buffer, { start, end }: Span) => bytes.toString('utf8', start, end)

const elements = (text: string) => {
  const bytes = Buffer.from(text)
  return elementSpans(bytes, skipSpace(bytes, 0)).map(span => cut(bytes, span))
}

const members = (text: string) => {
  const bytes = Buffer.from(text)
  const spans = memberSpans(bytes, skipSpace(bytes, 0))
  return new Map([...spans].map(([name, span]) => [name, cut(bytes, span)]))
}

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

t.test('the members of any object are cut to the byte, the last of a name winning', async t => {
  const property = fc.property(objectOf, ({ text, members: spelled }) => {
    const last = new Map(spelled.map(({ name, value }) => [JSON.parse(name), value]))
    assert.deepEqual(members(text), last)
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('the members of any object mean what JSON.parse says', async t => {
  const property = fc.property(objectOf, ({ text }) => {
    const parsed = [...members(text)].map(([name, value]) => [name, JSON.parse(value)])
    assert.deepEqual(Object.fromEntries(parsed), JSON.parse(text))
  })
  await holds(t, property, { numRuns: 300 })
})

t.test('depth costs no stack', async t => {
  const arrays = `${'['.repeat(deep)}${']'.repeat(deep)}`
  const objects = `${'{"a":'.repeat(deep)}0${'}'.repeat(deep)}`
  t.ok(elements(`[ ${arrays} ,1]`)[0] === arrays, 'arrays in arrays')
  t.ok(elements(`[${objects}]`)[0] === objects, 'objects in objects')
  t.ok(members(`{"deep" :${arrays}}`).get('deep') === arrays, 'below a member')
})

t.test('brackets, quotes and escapes inside of strings are only text', async t => {
  t.same(elements('["]","}\\"]","\\\\",{"]":"["}]'), ['"]"', '"}\\"]"', '"\\\\"', '{"]":"["}'])
})

t.test('an empty list has no elements and an empty object no members, however spaced', async t => {
  t.same(elements(' [ \n\t\r ] '), [])
  t.same(members(' { \n\t\r } '), new Map())
})
