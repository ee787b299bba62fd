/**
 * What the simulated chats are made of: every status and rating in every documented spelling, and
 * texts and unknown fields chosen to break a proxy that re-types, re-orders or re-escapes them.
 */

import type { Member } from './spelling.ts'

export const openStatuses = [
  'new',
  'opened',
  'pending',
  'onhold',
  'on hold',
  'on-hold',
  'no communication'
] as const

export const ratings = ['great', 'average', 'poor', 'perfect', null] as const

export const createdWith = ['widget', 'api', 'email', 'Messenger'] as const

export const tagNames = ['vip', 'trial', 'борг', 'refund'] as const

export const departments = ['Підтримка', 'Sales', 'R&D / QA'] as const

export const agentNames = [
  { name: 'Олена Ткаченко', role: 'admin' },
  { name: "Mary O'Neil", role: 'agent' },
  { name: 'Іван "Вано" Бойко', role: 'agent' },
  { name: 'Zoë <zoe>', role: 'supervisor' },
  { name: 'Петро Г.', role: 'agent' }
] as const

export const customers = ['Анна', 'Bob', 'Ґанна Їжак', 'שרה', '李雷', 'null', ''] as const

export const texts = [
  'Hello! Where is my order?',
  'Добрий день!\nПідкажіть, будь ласка, коли буде доставка?\r\nДякую',
  'Дякую 👍🏽👩‍👩‍👧 ❤️',
  'One\u2028two\u2029three',
  '</script><script>alert("HelpCrunch")</script>',
  'A cut emoji \ud83d and its other half \ude00 apart',
  'Path C:\\temp and https://example.com/a/b?c=d&e=f',
  'Tab\there, NUL \u0000, bell \u0007',
  '{"id":1,"data":[],"meta":{"total":0}}',
  '__proto__',
  '  ',
  ''
] as const

/** Fields of other generations of the upstream, and fields that no document knows. */
export const unknownMembers: readonly Member[] = [
  ['notes', '[]'],
  ['notes', '[{"id":1,"text":"Call back at 5 o\'clock"}]'],
  ['readByAgent', 'true'],
  ['readByCustomer', '"0"'],
  ['score', '1.0'],
  ['waitedMs', '1e3'],
  ['numbers', '[ 0, -0, 2.50, 1E+2, 0.1e-7, 12345678901234567890 ]'],
  ['custom', '{"__proto__":{"admin":true}, "constructor": null, "\\u0061\\/b" : [ ] }'],
  ['id2', '"9007199254740993"'],
  ['deep', '[[[[{"data":[{}]}]]]]']
]
