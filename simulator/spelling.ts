/**
 * JSON written by hand, because the same value has many spellings and the service must hand each
 * on byte for byte: `"A"` and `"\u0041"`, `1607542030` and `"1607542030.713"`, with and without
 * spaces. JSON.stringify knows one of each and would round ids past 2^53. No spelling has a raw
 * line break between tokens: such a chat could not be a line of NDJSON.
 */

import type { Random } from './random.ts'

/** A name and the JSON text of its value. */
export type Member = readonly [name: string, json: string]

export interface Spacing {
  readonly edge: string
  readonly colon: string
  readonly comma: string
}

/** A moment in Unix seconds, with the JSON text that says it. */
export interface Time<T extends number | null = number | null> {
  readonly value: T
  readonly json: string
}

export const spacings: readonly Spacing[] = [
  { edge: '', colon: ':', comma: ',' },
  { edge: '', colon: ':', comma: ',' },
  { edge: ' ', colon: ': ', comma: ', ' },
  { edge: '', colon: ' :\t', comma: ' ,' }
]

export const never: Time<null> = { value: null, json: 'null' }

export function spellObject(members: readonly Member[], { edge, colon, comma }: Spacing): string {
  const inner = members.map(([name, json]) => `${JSON.stringify(name)}${colon}${json}`).join(comma)
  return `{${edge}${inner}${edge}}`
}

export function spellArray(items: readonly string[], { edge, comma }: Spacing): string {
  return items.length === 0 ? '[]' : `[${edge}${items.join(comma)}${edge}]`
}

export function spellString(text: string, random: Random): string {
  return random.pick(stringSpellings)(JSON.stringify(text))
}

/** An integer, a string of one, or a float in a string: upstream documents all three. */
export function spellTime(seconds: number, random: Random): Time<number> {
  const whole = String(seconds)
  const precise = `${whole}.${String(1 + random.below(999)).padStart(3, '0')}`
  const json = random.pick([whole, whole, `"${whole}"`, `"${precise}"`])
  return { value: Number(json.replaceAll('"', '')), json }
}

// JSON.stringify writes its own escapes in lower case only, so capitals are never part of one.
const stringSpellings: readonly ((json: string) => string)[] = [
  json => json,
  json => json.replaceAll('/', '\\/'),
  json => json.replace(/[A-Z]/g, escapeUnit),
  json => json.replace(/[\u0080-\uffff]/g, escapeUnit)
]

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
