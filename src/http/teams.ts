/**
 * Who is calling: the team of a bearer token. Identity comes from the token only, never from
 * another header or the query. Tokens are compared as SHA-256 digests, so that neither the length
 * nor the first wrong byte of a guess shows in the time it takes, and no raw token is kept.
 */

import { createHash } from 'node:crypto'
import type { Team } from '../config-values.ts'
import { ServiceError } from '../errors.ts'
import { countHeader } from './request-checks.ts'

/** The team of everybody where no token is asked for. */
export const anonymous = 'anonymous'

export class Teams {
  readonly #teamByDigest = new Map<string, string>()

  constructor(teams: readonly Team[]) {
    for (const { name, tokens } of teams) {
      for (const token of tokens) this.#teamByDigest.set(digest(token), name)
    }
  }

  /**
   * @param authorization the header's value, if there is one
   * @param rawHeaders to see whether there are two
   * @throws {ServiceError} `unauthenticated`, in the same words whatever was wrong
   */
  identify(authorization: string | undefined, rawHeaders: readonly string[]): string {
    if (authorization === undefined && this.#teamByDigest.size === 0) return anonymous
    const token = bearerToken(authorization ?? '')
    const team = token === undefined ? undefined : this.#teamByDigest.get(digest(token))
    // Node keeps the first of two Authorization headers; a proxy in front may mean the other one.
    if (team === undefined || countHeader(rawHeaders, 'authorization') > 1) throw unauthenticated()
    return team
  }
}

function unauthenticated(): ServiceError {
  return new ServiceError(
    'unauthenticated',
    'Send the token of your team: Authorization: Bearer <team token>. GET / names the docs.'
  )
}

/** `Bearer` in any case (RFC 9110 section 11.1), one space, one token. */
function bearerToken(authorization: string): string | undefined {
  return /^bearer ([A-Za-z0-9._~+/=-]{1,128})$/i.exec(authorization)?.[1]
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
