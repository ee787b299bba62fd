/**
 * Who may use the operators' listener. It is on loopback unless configured, and a browser there can
 * be made to ask for anybody: DNS rebinding needs a host name, so foreign names are refused (IP
 * literals are what Prometheus uses), and requests that another site caused are refused as well.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { ServiceError } from '../errors.ts'

export interface GuardOptions {
  /** Names admitted in `Host` besides localhost and IP literals. */
  readonly allowedHosts: readonly string[]
  /** Empty: none is asked for. */
  readonly token: string
}

/** @throws {ServiceError} `forbidden` or `unauthenticated` */
export function guard(request: FastifyRequest, { allowedHosts, token }: GuardOptions): void {
  if (!isAdmitted(request.headers.host ?? '', allowedHosts)) {
    throw new ServiceError('forbidden', 'This host name is not in ADMIN_ALLOWED_HOSTS.')
  }
  if (isCrossSite(request)) {
    throw new ServiceError(
      'forbidden',
      'Requests caused by another site are refused; type the address.'
    )
  }
  if (token !== '' && !presents(request.headers.authorization ?? '', token)) {
    throw new ServiceError('unauthenticated', 'Send ADMIN_TOKEN as bearer token or Basic password.')
  }
}

function isAdmitted(host: string, allowedHosts: readonly string[]): boolean {
  const name = URL.parse(`http://${host}`)?.hostname ?? ''
  const bare = name.replace(/^\[|\]$/g, '')
  return name === 'localhost' || isIP(bare) !== 0 || allowedHosts.includes(name)
}

function isCrossSite({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return headers.origin !== undefined && URL.parse(headers.origin)?.host !== headers.host
}

function presents(authorization: string, token: string): boolean {
  const [scheme = '', credentials = ''] = authorization.split(' ')
  if (scheme.toLowerCase() === 'bearer') return isEqual(credentials, token)
  if (scheme.toLowerCase() !== 'basic') return false
  const [, password = ''] =
    /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, 'base64').toString()) ?? []
  return isEqual(password, token)
}

/** In constant time, whatever the lengths. */
function isEqual(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
