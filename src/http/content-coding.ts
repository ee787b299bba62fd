/**
 * Which content codings a client takes (RFC 9110 section 12.5.3), best first by its own weights and
 * ours where it has none. The parsing is negotiator's, which knows all the corners of the grammar.
 */

import { Negotiator } from 'negotiator'
import { type Coding, codings } from '../chats/rendering.ts'

/** Clients send a handful of different fields; a caller that makes them up does not fill memory. */
const mostRemembered = 100
const remembered = new Map<string, readonly Coding[]>()

/** @returns nothing for a client that wants the plain bytes, or said nothing */
export function acceptedCodings(acceptEncoding: string | undefined): readonly Coding[] {
  if (acceptEncoding === undefined) return []
  const known = remembered.get(acceptEncoding)
  if (known) return known
  const accepted = negotiate(acceptEncoding)
  if (remembered.size < mostRemembered) remembered.set(acceptEncoding, accepted)
  return accepted
}

function negotiate(acceptEncoding: string): readonly Coding[] {
  const negotiator = new Negotiator({ headers: { 'accept-encoding': acceptEncoding } })
  const accepted = negotiator.encodings([...codings, 'identity'], { preferred: codings })
  const plainAt = accepted.indexOf('identity')
  // Where the plain bytes are not wanted at all they are still better than nothing.
  return (plainAt < 0 ? accepted : accepted.slice(0, plainAt)) as Coding[]
}
