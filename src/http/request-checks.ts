/**
 * What makes a request unreadable although the parser let it through. Checked before anything
 * else, the team's token included, so that no later code meets two hosts or half an escape.
 */

import { ServiceError } from '../errors.ts'

/** RFC 9110 section 4.1 asks for at least 8000. */
const longestUrl = 8000
const mostHeaders = 200

/**
 * @param rawHeaders names and values in turn, as they came
 * @throws {ServiceError} `uri_too_long`, `headers_too_large` or `bad_request`
 */
export function checkRequest(
  url: string,
  httpVersion: string,
  rawHeaders: readonly string[]
): void {
  if (url.length > longestUrl) {
    throw new ServiceError('uri_too_long', `The URL is longer than ${longestUrl} characters.`)
  }
  if (rawHeaders.length > 2 * mostHeaders) {
    throw new ServiceError('headers_too_large', `There are more than ${mostHeaders} headers.`)
  }
  if (url.includes('#')) {
    throw new ServiceError('bad_request', 'The URL holds a fragment, which is never sent.')
  }
  const hosts = countHeader(rawHeaders, 'host')
  // RFC 9112 section 3.2: exactly one Host, except from HTTP/1.0 clients.
  if (hosts > 1 || (hosts === 0 && httpVersion !== '1.0')) {
    throw new ServiceError('bad_request', 'The request needs exactly one Host header.')
  }
  if (url.includes('%')) checkEncoding(url)
}

/**
 * Path and query of a request target in any form (RFC 9112 section 3.2). Whose it claims to be
 * counts for nothing, and what is no path becomes one that no route has.
 */
export function originForm(target: string): string {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '')
  return path.startsWith('/') ? path : `/${path}`
}

export function countHeader(rawHeaders: readonly string[], name: string): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const raw = rawHeaders[at]!
    if (raw.length === name.length && raw.toLowerCase() === name) count++
  }
  return count
}

function checkEncoding(url: string): void {
  const path = url.split('?', 1)[0]!
  try {
    decodeURIComponent(url)
  } catch (cause) {
    throw new ServiceError('bad_request', 'The percent-encoding of the URL is not valid UTF-8.', {
      cause
    })
  }
  if (path.includes('%00')) {
    throw new ServiceError('bad_request', 'The path of the URL holds a NUL character.')
  }
}
