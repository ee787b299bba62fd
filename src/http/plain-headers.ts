/**
 * The few headers that an answer to a plain GET depends on, read from the raw ones, because of what
 * was said twice Node keeps the first or joins both. A request that has anything unusual, or says
 * any of them twice, has no plain headers, and is read in the ordinary way. What is not named here
 * changes no answer of the reads.
 */

/** As they came; undefined where there is none. */
export interface PlainHeaders {
  authorization: string | undefined
  acceptEncoding: string | undefined
  ifNoneMatch: string | undefined
  origin: string | undefined
  requestId: string | undefined
  traceparent: string | undefined
}

type Kind = keyof PlainHeaders | 'host' | 'unusual' | 'irrelevant'

/** Unusual is what asks for more than the stored answer, or comes with a body. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ['host', 'host'],
  ['authorization', 'authorization'],
  ['accept-encoding', 'acceptEncoding'],
  ['if-none-match', 'ifNoneMatch'],
  ['origin', 'origin'],
  ['x-request-id', 'requestId'],
  ['traceparent', 'traceparent'],
  ['cache-control', 'unusual'],
  ['content-length', 'unusual'],
  ['expect', 'unusual'],
  ['transfer-encoding', 'unusual'],
  ['upgrade', 'unusual']
])

/** By the spelling in which they come, of which there are few. */
const spelled = new Map<string, Kind>(kinds)
const mostSpellings = 500
const mostHeaders = 40

/** @param raw names and values in turn; undefined if they are not plain */
export function plainHeaders(raw: readonly string[]): PlainHeaders | undefined {
  if (raw.length > 2 * mostHeaders) return undefined
  let hosts = 0
  const plain: PlainHeaders = {
    authorization: undefined,
    acceptEncoding: undefined,
    ifNoneMatch: undefined,
    origin: undefined,
    requestId: undefined,
    traceparent: undefined
  }
  for (let at = 0; at < raw.length; at += 2) {
    const kind = spelled.get(raw[at]!) ?? kindOf(raw[at]!)
    if (kind === 'irrelevant') continue
    if (kind === 'host') hosts++
    else if (kind === 'unusual' || plain[kind] !== undefined) return undefined
    else plain[kind] = raw[at + 1]
  }
  return hosts === 1 ? plain : undefined
}

function kindOf(name: string): Kind {
  const kind = kinds.get(name.toLowerCase()) ?? 'irrelevant'
  if (spelled.size < mostSpellings) spelled.set(name, kind)
  return kind
}
