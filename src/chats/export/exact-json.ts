/**
 * JSON parsed without rounding: a number stays the text it was, because ids have more digits than a
 * double holds. `JSON.stringify` writes such numbers as they were (ECMA-262, `JSON.rawJSON`).
 */

interface RawNumber {
  readonly rawJSON: string
}

/** Newer than the compiler's library. */
const { isRawJSON, rawJSON } = JSON as unknown as {
  isRawJSON(value: unknown): value is RawNumber
  rawJSON(text: string): RawNumber
}

export function parseExactly(text: string): unknown {
  return JSON.parse(text, exactly as (name: string, value: unknown) => unknown)
}

/** A parsed number as it was spelled; undefined for anything else. */
export function numberText(value: unknown): string | undefined {
  return isRawJSON(value) ? value.rawJSON : undefined
}

function exactly(_: string, value: unknown, { source }: { source: string }): unknown {
  return typeof value === 'number' ? rawJSON(source) : value
}
