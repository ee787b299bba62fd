/**
 * Validators and conditional requests (RFC 9110 sections 8.8 and 13). Entity tags are strong:
 * equal tags mean equal bytes, so they are a digest of the bytes.
 */

import { createHash } from 'node:crypto'

export function entityTag(body: Buffer): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
}

/**
 * Whether `If-None-Match` names the tag, by the weak comparison that RFC 9110 section 13.1.2 asks
 * for. What stands between the quoted strings is not judged.
 */
export function noneMatchFails(field: string | undefined, tag: string): boolean {
  if (field === undefined) return false
  if (field.trim() === '*') return true
  // Tags hold no quotes, so a linear scan for quoted strings finds each; no back-tracking.
  for (const [opaque] of field.matchAll(/"[^"]*"/g)) {
    if (opaque === tag) return true
  }
  return false
}
