/**
 * JSON as texts rather than values: any spelling that RFC 8259 allows, with odd white space,
 * escapes, number forms, duplicate names and any nesting.
 */

import fc from 'fast-check'

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t'), maxLength: 2 })

const piece = fc.oneof(
  fc
    .string({ unit: 'grapheme', maxLength: 3 })
    .map(text => text.toWellFormed().replace(/["\\\p{Cc}]/gu, '?')),
  fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\n', '\\u00e9', '\\ud83d\\ude00', '\\udead'),
  fc.constantFrom('{', '}', '[', ']', ',', ':', '</script>', '\u2028', '\u007f', '😀')
)

const stringText = fc.array(piece, { maxLength: 4 }).map(pieces => `"${pieces.join('')}"`)

/**
 * Few names, so that they meet again in one object. None holds a backslash, because after one that
 * does JSON.parse misreads other escaped names (nodejs/node#63785, in Node 26.10 as well).
 */
export const nameText = fc.oneof(
  fc.constantFrom('"a"', '"\\u0061"', '"__proto__"', '"data"'),
  stringText.filter(text => !text.includes('\\\\'))
)

const scalarText = fc.oneof(
  stringText,
  fc.integer().map(String),
  fc.constantFrom('-0', '0.10', '1e5', '-1E-3', '12345678901234567890', 'true', 'false', 'null')
)

const spaced = (text: fc.Arbitrary<string>) =>
  fc.tuple(space, text, space).map(parts => parts.join(''))

const memberOf = (value: fc.Arbitrary<string>) =>
  fc.tuple(spaced(nameText), spaced(value)).map(parts => parts.join(':'))

const nested = fc.letrec<{ value: string; array: string; object: string }>(tie => ({
  value: fc.oneof({ maxDepth: 4 }, scalarText, tie('array'), tie('object')),
  array: fc.array(spaced(tie('value')), { maxLength: 4 }).map(items => `[${items.join(',')}]`),
  object: fc
    .array(memberOf(tie('value')), { maxLength: 4 })
    .map(members => `{${members.join(',')}}`)
}))

export const valueText = nested.value
export const objectText = nested.object

export interface Spelled {
  readonly text: string
  readonly parts: readonly string[]
}

/** An array, and the exact text of each of its elements. */
export function arrayOf(element: fc.Arbitrary<string>, maxLength = 6): fc.Arbitrary<Spelled> {
  return fc.array(fc.tuple(space, element, space), { maxLength }).map(items => ({
    text: `[${items.map(item => item.join('')).join(',')}]`,
    parts: items.map(([, text]) => text)
  }))
}

export interface SpelledMember {
  readonly name: string
  readonly value: string
}

/** An object, and the exact texts of the names and values of its members, duplicates included. */
export const objectOf = fc
  .array(fc.tuple(space, nameText, space, space, valueText, space), { maxLength: 6 })
  .map(members => ({
    text: `{${members.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`).join(',')}}`,
    members: members.map(([, name, , , value]): SpelledMember => ({ name, value }))
  }))
