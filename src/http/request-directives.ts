/**
 * A request's `Cache-Control` (RFC 9111 section 5.2.1) as conditions on a stored answer. Unknown
 * directives and senseless values are ignored, as section 5.2 asks; seconds become milliseconds.
 */

import type { Conditions } from '../ports.ts'

/** @returns undefined if the request asks for nothing in particular */
export function conditionsOf(cacheControl: string | undefined): Conditions | undefined {
  if (cacheControl === undefined) return undefined
  const given = directives(cacheControl)
  const conditions: Conditions = {
    ...(given.has('no-cache') && { noCache: true }),
    ...(given.has('only-if-cached') && { onlyIfCached: true }),
    ...ageOf('maxAgeMs', given.get('max-age')),
    ...ageOf('minFreshMs', given.get('min-fresh')),
    // Without a value: however stale.
    ...(given.get('max-stale') === ''
      ? { maxStaleMs: Infinity }
      : ageOf('maxStaleMs', given.get('max-stale')))
  }
  return Object.keys(conditions).length > 0 ? conditions : undefined
}

/** Names in lower case with their values; the first of a repeated one counts. */
function directives(field: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of field.slice(0, longestField).split(',')) {
    const [name = '', value = ''] = part.split('=', 2).map(text => text.trim())
    const key = name.toLowerCase()
    if (!found.has(key)) found.set(key, value.replace(/^"(.*)"$/, '$1'))
  }
  return found
}

const longestField = 1000

/** More seconds than fit are as many as fit (section 1.2.2). */
const longestSeconds = 2 ** 31

function ageOf(
  name: 'maxAgeMs' | 'minFreshMs' | 'maxStaleMs',
  value: string | undefined
): Conditions {
  if (value === undefined || !/^\d+$/.test(value)) return {}
  return { [name]: Math.min(Number(value), longestSeconds) * 1000 }
}
