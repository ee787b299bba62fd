/**
 * What is wrong with the store, in one line an operator can act on. Nothing here repeats a text
 * that may hold a credential: what a server says of an AUTH that it did not understand begins with
 * the password.
 */

export interface Trouble {
  /** What is wrong and, where somebody can do something about it, what. */
  readonly reason: string
  /**
   * `lasting` stays so until somebody mends the configuration, ours or the store's; with `silence`
   * nothing was said that could tell.
   */
  readonly kind: 'passing' | 'lasting' | 'silence'
}

export const passing = (reason: string): Trouble => ({ reason, kind: 'passing' })
export const lasting = (reason: string): Trouble => ({ reason, kind: 'lasting' })

/** What has to be allowed to the user of the store, as Redis writes it. */
const neededRights =
  '~{helpcrunch-proxy:* &{helpcrunch-proxy:* +@read +@write +@scripting +@pubsub +@connection +info +time'

/** By the first word of an error that the server answered. */
const refusals: Readonly<Record<string, Trouble>> = {
  WRONGPASS: lasting('it refuses the user or the password of REDIS_URL'),
  NOAUTH: lasting('it wants a password, and REDIS_URL has none'),
  NOPERM: lasting(
    `the user of REDIS_URL may not do what is needed; allow it by ACL SETUSER: ${neededRights}`
  ),
  DENIED: lasting('it is in protected mode: give it a password, or bind it to an address'),
  MOVED: lasting(
    'it is part of a Redis Cluster, which is not supported: use one server, or Sentinel'
  ),
  CLUSTERDOWN: lasting(
    'it is part of a Redis Cluster, which is not supported: use one server, or Sentinel'
  ),
  READONLY: passing(
    'it is a read-only replica: name the master in REDIS_URL, or its Sentinels by redis+sentinel://'
  ),
  LOADING: passing('it is loading its data'),
  MASTERDOWN: passing('it is a replica whose master is gone'),
  OOM: passing(
    'its memory is full: raise maxmemory (with maxmemory-policy noeviction it keeps what it has)'
  ),
  MISCONF: passing('it cannot write its snapshot to disk and so takes no writes: see its own log'),
  NOREPLICAS: passing('too few replicas of it answer (min-replicas-to-write): it takes no writes')
}

const notRedis = 'it speaks no Redis protocol: see that REDIS_URL names a Redis or Valkey'
export const tlsWanted = 'it speaks TLS: write rediss:// instead of redis:// in REDIS_URL'
export const tlsUnknown = 'it does not speak TLS: write redis:// instead of rediss:// in REDIS_URL'

/** @param error whatever a command or a connection failed with */
export function troubleOf(error: Error): Trouble {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (error.name === 'ParserError') return lasting(notRedis)
  if (error.name === 'ReplyError') return refusalOf(message)
  if (/^(EPROTO|ERR_SSL_(WRONG_VERSION|PACKET_LENGTH|UNEXPECTED_MESSAGE))/.test(code)) {
    return lasting(`${tlsUnknown} (${code})`)
  }
  if (/^(ERR_SSL|ERR_TLS)/.test(code) || code.includes('CERT') || code.includes('SIGNATURE')) {
    const cure = 'have Node trust its authority (NODE_EXTRA_CA_CERTS), and name the host it is for'
    return lasting(`its TLS certificate is not valid for us (${code}): ${cure}`)
  }
  if (/sentinels/.test(message)) return passing(sentinelTrouble(message))
  const reason = code ? `it cannot be reached (${code})` : 'the connection was closed'
  return { reason, kind: 'silence' }
}

/** As ioredis has it, from its text alone. */
export function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' })
}

/** The word that begins a server's error. */
export function wordOf(message: string): string {
  return /^[A-Z]+/.exec(message)?.[0] ?? 'ERR'
}

function refusalOf(message: string): Trouble {
  const word = wordOf(message)
  if (/^ERR invalid password/i.test(message)) return refusals.WRONGPASS!
  // What a script is not allowed has no word of its own.
  if (/executing the script can't|ACL failure/i.test(message)) return refusals.NOPERM!
  if (/DB index|SELECT is not allowed/i.test(message)) {
    return lasting('it has no database of the number in REDIS_URL')
  }
  if (/unknown command/i.test(message)) {
    return lasting('it does not know a command that is needed (EVAL, EVALSHA, INFO, PING)')
  }
  return refusals[word] ?? passing(`it answered ${word}`)
}

function sentinelTrouble(message: string): string {
  const [why] = /\b(E[A-Z]{4,}|NOAUTH|WRONGPASS|NOPERM)\b/.exec(message) ?? []
  if (why === undefined) return 'the Sentinels know no master of the name in REDIS_URL'
  return `no Sentinel tells of the master (${why})`
}
