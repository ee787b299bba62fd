/**
 * Validators and conditional requests (RFC 9110 sections 8.8 and 13). Entity tags are strong: equal
 * tags mean equal bytes, so they are a digest of the bytes and the coding these are sent in.
 */

import { type Coding, codings } from '../chats/rendering.ts'

/** @param digest of the plain bytes, of characters that an entity tag may hold */
export function entityTag(digest: string, coding?: Coding): string {
  return coding === undefined ? `"${digest}"` : `"${digest}-${coding}"`
}

/**
 * The tag of the answer that `If-None-Match` names, in whatever coding the client has it; undefined
 * if it names none. By the weak comparison that RFC 9110 section 13.1.2 asks for; what stands
 * between the quoted strings is not judged.
 *
 * @param current the tag of what would be sent
 */
export function matchedTag(
  field: string | undefined,
  digest: string,
  current: string
): string | undefined {
  if (field === undefined || field === current) return field
  if (field.trim() === '*') return current
  const tags = [current, entityTag(digest), ...codings.map(coding => entityTag(digest, coding))]
  // Tags hold no quotes, so a linear scan for quoted strings finds each; no back-tracking.
  const named = new Set(Array.from(field.matchAll(/"[^"]*"/g), ([opaque]) => opaque))
  return tags.find(tag => named.has(tag))
}
