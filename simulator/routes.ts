/**
 * What the upstream answers to a request that nothing went wrong with: the four documented reads,
 * everything else is 404. The key is looked at first, so a stranger learns of no route.
 */

import { type Answer, json } from './answer.ts'
import { type ErrorShape, Refusal } from './errors.ts'
import { readQuery } from './query.ts'
import { readSearch } from './search.ts'
import type { Listing, Store } from './store.ts'

export interface Call {
  readonly method: string
  /** Path and query as they stood in the request line. */
  readonly target: string
  readonly authorization: string | undefined
  readonly body: string
}

/** How a list is wrapped: as documented, with unknown members and spaces, or total at the top. */
type Envelope = 'plain' | 'extended' | 'top'

export interface Manners {
  readonly apiKey: string
  readonly errorShape: ErrorShape
  readonly envelope: Envelope
  /** As `envelope` unless given; the documents disagree about a search. */
  readonly searchEnvelope?: Envelope
}

export function answerCall(call: Call, store: Store, manners: Manners): Answer {
  try {
    if (call.authorization !== `Bearer ${manners.apiKey}`) throw new Refusal(401)
    return json(200, route(call, store, manners))
  } catch (error) {
    if (error instanceof Refusal) return refusal(error, manners.errorShape)
    throw error
  }
}

export function refusal(refused: Refusal, shape: ErrorShape): Answer {
  return json(refused.status, refused.body(shape))
}

interface Question {
  readonly store: Store
  readonly manners: Manners
  readonly id: string
  readonly query: Readonly<Record<string, string>>
  readonly body: string
}

const routes: readonly {
  readonly method: string
  readonly path: RegExp
  readonly answer: (question: Question) => string
}[] = [
  { method: 'GET', path: /^\/chats$/, answer: listChats },
  { method: 'GET', path: /^\/chats\/(\d+)$/, answer: showChat },
  { method: 'GET', path: /^\/chats\/(\d+)\/messages$/, answer: listMessages },
  { method: 'POST', path: /^\/chats\/search$/, answer: searchChats }
]

function route({ method, target, body }: Call, store: Store, manners: Manners): string {
  const [rawPath = ''] = target.split('?', 1)
  const path = rawPath.replace(/^\/v1(?=\/)/, '').replace(/\/$/, '')
  const query = Object.fromEntries(new URLSearchParams(target.slice(rawPath.length)))
  for (const known of routes) {
    const match = known.method === method && known.path.exec(path)
    if (match) return known.answer({ store, manners, id: match[1] ?? '', query, body })
  }
  throw new Refusal(404)
}

function listChats({ store, manners, query }: Question): string {
  return envelopes[manners.envelope](store.page(readQuery(query)))
}

function showChat({ store, id }: Question): string {
  return found(store.get(id)).text
}

/** The one list without a sort, and with its total at the top. */
function listMessages({ store, id, query: { offset, limit } }: Question): string {
  const window = readQuery({ offset, limit })
  return envelopes.top(found(store.messages(id, window.offset, window.limit)))
}

/** JSON whatever the content type says: some callers send none, or text/plain. */
function searchChats({ store, manners, body }: Question): string {
  const { envelope, searchEnvelope = envelope } = manners
  return envelopes[searchEnvelope](store.search(readSearch(parsed(body))))
}

const envelopes: Readonly<Record<Envelope, (listing: Listing) => string>> = {
  plain: ({ items, total }) => `{"data":[${items}],"meta":{"total":${total}}}`,
  top: ({ items, total }) => `{"data":[${items}],"total":${total}}`,
  extended: ({ items, total }) =>
    `{ "links": {},\n  "meta": {"took": 3, "total": ${total}},\n  "data": [\n${items.join(' ,\n')}\n] }\n`
}

function found<T>(thing: T | undefined): T {
  if (thing === undefined) throw new Refusal(404)
  return thing
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Refusal(400, [{ code: 'body', message: 'Invalid JSON' }])
  }
}
