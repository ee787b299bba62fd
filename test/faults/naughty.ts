/**
 * Texts that have broken programs, made by the dozen instead of copied from a list: each category
 * is a way in which text is not what a program takes it for.
 */

import fc from 'fast-check'

const pick = fc.constantFrom
const codePoints = (...ranges: readonly (readonly [number, number])[]) =>
  fc
    .oneof(...ranges.map(([min, max]) => fc.integer({ min, max })))
    .map(code => String.fromCodePoint(code))
const textOf = (unit: fc.Arbitrary<string>, minLength = 1, maxLength = 30) =>
  fc.string({ unit, minLength, maxLength })
const inside = (parts: fc.Arbitrary<string>) =>
  fc.tuple(fc.string({ maxLength: 5 }), parts, fc.string({ maxLength: 5 })).map(all => all.join(''))

/** C0, DEL, C1 and what ends a line elsewhere. */
const controls = codePoints([0, 31], [127, 159], [0x2028, 0x2029], [0x85, 0x85])
/** Directions, joiners, widths of nothing, byte order marks, tags and selectors. */
const invisible = codePoints(
  ...([
    [0x200b, 0x200f],
    [0x202a, 0x202e],
    [0x2060, 0x2069],
    [0xfeff, 0xfeff],
    [0xfe00, 0xfe0f],
    [0xe0001, 0xe007f],
    [0xfff9, 0xfffd]
  ] as const)
)
/** Letters under more marks than anybody can read. */
const zalgo = fc
  .array(fc.tuple(codePoints([0x61, 0x7a]), textOf(codePoints([0x300, 0x36f]), 5, 40)))
  .map(pairs => pairs.flat().join(''))
/** Changes its length, or is another letter, once its case is changed or it is normalised. */
const unstable = textOf(pick('ß', 'ı', 'İ', 'ſ', 'K', 'ŉ', 'ǰ', 'ﬃ', 'ﬁ', 'Ω', 'Å', 'ẞ', 'ͅ', 'Ⅷ'))
const elsewhere = textOf(
  codePoints([0x400, 0x4ff], [0x5d0, 0x6ff], [0x900, 0xdff], [0x3040, 0x9fff], [0xac00, 0xd7a3])
)
const emoji = textOf(pick('👩‍👩‍👧‍👦', '🏳️‍🌈', '🇺🇦', '👍🏿', '🫠', '1️⃣', '©️', '\u{1f9d1}\u200d'))
const lone = textOf(codePoints([0xd800, 0xdfff]))

/** Numbers as some language, some locale or some script spells them. */
const number = fc.oneof(
  pick('NaN', '-NaN', 'Infinity', '-Inf', '1/0', '0/0', '1e309', '-1e-400', '1.#IND', '1,5', '١٢'),
  pick('0x7fffffff', '0b11', '0o17', '017', '1_000', "1'000", '1 000', '५', '１', '¹', '½', 'Ⅷ'),
  pick('2147483648', '4294967296', '9007199254740993', '18446744073709551616', '1n', '1.0f'),
  fc.bigInt().map(String),
  fc.double().map(String),
  fc.tuple(pick('+', '-', '--', '+-', '.', ' ', '0'), fc.nat()).map(all => all.join('')),
  fc.nat(500).map(length => '9'.repeat(length))
)

/** What a name may not be in one place or another. */
const reserved = pick(
  ...['undefined', 'null', 'nil', 'None', 'true', 'False', 'NULL', '(null)', 'then', 'length'],
  ...['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', '__defineGetter__'],
  ...[
    'CON',
    'PRN',
    'AUX',
    'NUL',
    'COM1',
    'LPT1',
    '.',
    '..',
    '...',
    '~',
    '-',
    '--',
    '*',
    'desktop.ini'
  ]
)

/** Ends a quotation that somebody else began, in whatever language they did. */
const breakout = inside(
  fc
    .tuple(
      pick("'", '"', '`', ')', '\\', '";', '-->', ']]>', '}}', '%>', '\n', '\r\n', '$(', '|', '&&'),
      pick(
        ...[
          ' OR 1=1--',
          '; DROP TABLE chats',
          '<script>alert(1)</script>',
          '<img src=x onerror=1>'
        ],
        ...[
          'cat /etc/passwd',
          '{{7*7}}',
          '$\u007b7*7}',
          '#{7*7}',
          '<%= 7 %>',
          '$\u007bjndi:ldap://x}'
        ],
        ...['javascript:alert(1)', '<!ENTITY x SYSTEM "file:///etc/passwd">', '=cmd|"/C calc"!A0'],
        ...['X-Evil: 1', '{"$gt":""}', '*)(uid=*))(|(uid=*', 'xp_cmdshell', '/*', '--', '#']
      )
    )
    .map(all => all.join(''))
)

const path = fc
  .array(
    pick('..', '.', '/', '\\', '%2e', '%2f', '%5c', '%00', '%', 'etc', 'passwd', 'C:', '~root')
  )
  .map(parts => parts.join(''))
const percent = textOf(pick('%', '%s', '%d', '%n', '%x', '%p', '%j', '%o', '%c', '%%', '%zz', '%u'))
const separators = textOf(
  pick('&', '=', ';', ',', '|', ':', '?', '#', '+', ' ', '\t', '[', ']', '{')
)
const long = fc
  .tuple(
    pick('a', '[', '(', '{', ' ', '0', '\\', '"', '%41', 'é', ',', ';', '=', 'a='),
    fc.nat(2_500)
  )
  .map(([unit, count]) => unit.repeat(count))
const wellFormed = fc.oneof(
  fc.json(),
  fc.date({ noInvalidDate: false }).map(String),
  fc.webUrl(),
  fc.ipV6(),
  fc.emailAddress(),
  fc.base64String()
)

/** Any of them, each category as often as the others. */
export const naughty: fc.Arbitrary<string> = fc.oneof(
  ...[
    textOf(controls),
    textOf(invisible),
    zalgo,
    unstable,
    elsewhere,
    emoji,
    lone,
    number,
    reserved
  ],
  ...[breakout, path, percent, separators, long, wellFormed, fc.string({ unit: 'binary' })],
  ...[inside(controls), inside(invisible), fc.constant('')]
)
