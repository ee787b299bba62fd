/**
 * What is asked for, of whom and how. A case is one request, repeated; who has a cache is asked
 * once before, so that all that is measured are hits.
 */

export const host = '127.0.0.1'
export const token = 'bench-token-of-team-blue'
export const connections = 64
/** One repetition of one case. Long enough for some ten thousand answers, short enough to be fair. */
export const repetitionSeconds = 2
/** Before the first repetition, of each case: V8 optimises what it has seen often enough. */
export const warmUpSeconds = 1

/** Where servers run, and where the load does. */
export const serverCore = 0
export const loadCore = 1

export const cases = ['20 chats', '100 chats', '100 chats, br', '100 chats, gzip', '304'] as const
export type Case = (typeof cases)[number]

export const pathOf: Record<Case, string> = {
  '20 chats': '/chats?limit=20',
  '100 chats': '/chats?limit=100',
  '100 chats, br': '/chats?limit=100',
  '100 chats, gzip': '/chats?limit=100',
  '304': '/chats?limit=20'
}

/** What the request says besides whose it is; the entity tag of a 304 is the subject's own. */
export function headersOf(name: Case, tag: string): Record<string, string> {
  const authorization = `Bearer ${token}`
  switch (name) {
    case '100 chats, br':
      return { authorization, 'accept-encoding': 'br' }
    case '100 chats, gzip':
      return { authorization, 'accept-encoding': 'gzip' }
    case '304':
      return { authorization, 'if-none-match': tag }
    default:
      return { authorization }
  }
}
